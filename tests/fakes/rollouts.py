"""Rollouts drawn at random: who pushes what and when, and what of it is true at any moment."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.kustomization import ImageRequest
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import ApplicationName, Promoted, SyncMode, SyncRequest, WaitFor
from tests.fakes.argocd_memory import Behaviour, MemoryApplication
from tests.fakes.waiting import FakeClock, LinearAncestry, MemoryArgoCD, OrderedSources

if TYPE_CHECKING:
    import random

URL = "https://git.example.com/acme/gitops.git"
FILE = "overlays/dev/kustomization.yaml"
NAME = "ghcr.io/acme/shop"
_OLDER, _OURS, _NEWER = (f"{number}" * 40 for number in (1, 2, 3))
SOURCES = OrderedSources([_OLDER, _OURS, _NEWER], _OURS)


class Push(enum.Enum):
    """What a commit does to what the Application renders."""

    NOTHING = enum.auto()
    CONFIGURES = enum.auto()
    NEWER = enum.auto()
    OLDER = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit at `time`; what it renders is its configuration and its image."""

    sha: str
    time: float
    configuration: int
    source: str

    @property
    def live(self) -> tuple[str, ...]:
        return (f"{NAME}:{self.source}", f"configuration:{self.configuration}")

    @property
    def text(self) -> str:
        return f"images:\n- name: {NAME}\n  newTag: {self.source!r}\n"


class Rollout:
    """One Application, the commits on its branch, and a wait for ours; all of it from `chance`."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.clock = FakeClock(1_800_000_000.0 + chance.random())
        self.begun = self.clock.now
        self.commits = self._commits()
        self.broken = self._some(0.25)
        self.unrendered = set[str]() if self.broken else self._some(0.1)
        self.late = chance.choice((0.0, 0.0, 1.5, 4.0))
        self.request = self._request()
        self.application = MemoryApplication(
            name="shop",
            repo_url=URL,
            path="overlays/dev",
            target_revision="main",
            resolve=lambda _: self.head.sha,
            images=lambda revision: self.at(revision).live,
            now=self.begun - 50,
            behaviour=self._behaviour(),
        )
        self.application.advance(self.begun)
        if chance.random() < 0.1:
            self.application.schedule(chance.uniform(0, 20), self._somebody_syncs)
        self.argocd = MemoryArgoCD(self.clock, {"shop": self.application})
        if chance.random() < 0.1:
            goes = self.begun + chance.uniform(0, 20)
            self.argocd.down = (goes, goes + chance.uniform(0.5, 60))
        self.ancestry = _Branch(self)

    @property
    def head(self) -> Commit:
        now = self.application.now if hasattr(self, "application") else self.commits[0].time
        return [one for one in self.commits if one.time <= now][-1]

    @property
    def promoted(self) -> Promoted:
        image = ImageReference(Repository(NAME), _OURS)
        return Promoted(
            commit=CommitSha(self.ours.sha),
            files=(PurePosixPath(FILE),),
            image=ImageRequest(image),
            rendered_diff="" if self.late else "+++ b/overlays/dev Deployment/shop\n",
        )

    def at(self, sha: str) -> Commit:
        return next(one for one in self.commits if one.sha == sha)

    def followed(self) -> list[Commit]:
        """Our commit and those after it."""
        return self.commits[self.commits.index(self.ours) :]

    def was_deployed(self, *, healthy: bool) -> bool:
        """Whether there was a moment at which our image ran, as our commit or a later one asks."""
        good = {one.live for one in self.followed() if one.source == _OURS}
        waits = self.application.behaviour
        takes = max(waits.rollout_seconds, waits.late_seconds) if healthy else 0.0
        ends = [since for since, _ in self.application.history[1:]] + [self.clock.now]
        return any(
            live in good and since + takes <= end
            for (since, live), end in zip(self.application.history, ends, strict=True)
        )

    def was_replaced_by(self, push: Push) -> bool:
        source = _NEWER if push is Push.NEWER else _OLDER
        return any(one.source == source and one.time <= self.clock.now for one in self.followed())

    def _somebody_syncs(self) -> None:
        if not self.application.busy:
            self.application.start_sync()

    def _commits(self) -> list[Commit]:
        chance = self.chance
        before = [(chance.uniform(-3, -0.01), self._push()) for _ in range(chance.randint(0, 2))]
        after = [(chance.uniform(0.01, 20), self._push(after=True)) for _ in range(_later(chance))]
        commits = [Commit(sha=_sha(0), time=self.begun - 100, configuration=0, source=_OLDER)]
        for seconds, push in sorted(before, key=lambda one: one[0]):
            commits.append(self._next(commits, seconds, push))
        changed = chance.random() < 0.85
        ours = self._next(commits, 0.0, Push.NOTHING)
        # Where nothing had to change, the branch asked for our image before.
        self.ours = replace(ours, source=_OURS)
        if not changed:
            commits = [replace(one, source=_OURS) for one in commits]
        commits.append(self.ours)
        for seconds, push in sorted(after, key=lambda one: one[0]):
            commits.append(self._next(commits, seconds, push))
        return commits

    def _push(self, *, after: bool = False) -> Push:
        usual = (Push.NOTHING, Push.CONFIGURES, Push.CONFIGURES)
        return self.chance.choice((*usual, Push.NEWER, Push.OLDER) if after else usual)

    def _next(self, commits: list[Commit], seconds: float, push: Push) -> Commit:
        last, number = commits[-1], len(commits)
        sources = {Push.NEWER: _NEWER, Push.OLDER: _OLDER}
        return Commit(
            sha=_sha(number),
            time=self.begun + seconds,
            configuration=number if push is Push.CONFIGURES else last.configuration,
            source=sources.get(push, last.source),
        )

    def _some(self, share: float) -> set[str]:
        if self.chance.random() >= share:
            return set()
        return {self.chance.choice(self.commits).sha} - {self.commits[0].sha}

    def _request(self) -> SyncRequest:
        chance = self.chance
        return SyncRequest(
            applications=(ApplicationName("shop"),),
            gitops_url=URL,
            branch="main",
            wait_for=chance.choice((WaitFor.HEALTHY, WaitFor.HEALTHY, WaitFor.SYNCED)),
            timeout_seconds=900,
            settle_seconds=10.0,
            mode=chance.choice((SyncMode.NEVER, SyncMode.NEVER, *SyncMode)),
            unblock=chance.random() < 0.5,
            run="run",
        )

    def _behaviour(self) -> Behaviour:
        chance = self.chance
        manual = self.request.mode is not SyncMode.NEVER and chance.random() < 0.5
        return Behaviour(
            reconcile_seconds=chance.uniform(0.05, 2),
            operation_seconds=chance.uniform(0.05, 2),
            retry_seconds=chance.uniform(0.5, 20),
            rollout_seconds=chance.uniform(0.1, 15),
            late_seconds=self.late,
            lag_seconds=chance.choice((0.0, chance.uniform(0, 1.5))),
            resync_seconds=chance.uniform(5, 180),
            retries=chance.randint(0, 5),
            automated=not manual,
            sync_error="refused" if self.broken else "",
            broken=frozenset(self.broken),
            comparison_error="no such field" if self.unrendered else "",
            unrendered=frozenset(self.unrendered),
        )


class _Branch(LinearAncestry):
    """What git tells, commit by commit as they are pushed."""

    def __init__(self, rollout: Rollout) -> None:
        super().__init__(
            [one.sha for one in rollout.commits],
            {one.sha: {FILE: one.text} for one in rollout.commits},
        )
        self._rollout = rollout

    def head(self, branch: str) -> CommitSha:
        assert branch == "main"
        return CommitSha(self._rollout.head.sha)


def _later(chance: random.Random) -> int:
    return chance.choice((0, 0, 1, 1, 2, 3, 4))


def _sha(number: int) -> str:
    return f"{number + 10:040x}"
