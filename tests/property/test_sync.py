"""The wait against a model of Argo CD, its interleavings drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_action.errors import SyncError
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import ApplicationName, Promoted, SyncRequest, WaitFor, sync
from tests.fakes.argocd_memory import Behaviour, MemoryApplication
from tests.fakes.waiting import FakeClock, LinearAncestry, LineLog, MemoryArgoCD

URL = "https://git.example.com/acme/gitops.git"


def sha(number: int) -> str:
    return f"{number + 1:040x}"


@dataclass(frozen=True)
class Push:
    """A commit made `after` seconds since ours; some leave the Application as it is."""

    after: float
    touches: bool


@dataclass(frozen=True)
class Drawn:
    """One rollout; `touches` is whether our own commit changes the Application."""

    begins: float
    before: list[Push]
    touches: bool
    after: list[Push]
    behaviour: Behaviour
    broken: set[int]
    wait_for: WaitFor


seconds = st.floats(0.05, 2.0)
rollouts = st.builds(
    Drawn,
    begins=st.floats(0, 1),
    before=st.lists(st.builds(Push, st.floats(-3, -0.01), st.booleans()), max_size=2),
    touches=st.booleans(),
    after=st.lists(st.builds(Push, st.floats(0.01, 20), st.booleans()), max_size=3),
    behaviour=st.builds(
        Behaviour,
        reconcile_seconds=seconds,
        operation_seconds=seconds,
        retry_seconds=st.floats(0.5, 5),
        rollout_seconds=st.floats(0.1, 15),
        late_seconds=st.sampled_from([0.0, 0.0, 1.5, 4.0]),
        resync_seconds=st.floats(5, 180),
        retries=st.integers(0, 2),
    ),
    broken=st.sets(st.integers(0, 5), max_size=1),
    wait_for=st.sampled_from([WaitFor.HEALTHY, WaitFor.HEALTHY, WaitFor.SYNCED]),
)


class Rollout:
    """Commits that arrive in time, one Application, and what is true of it."""

    def __init__(self, drawn: Drawn) -> None:
        self.clock = FakeClock(1_800_000_000.0 + drawn.begins)
        pushes = sorted([*drawn.before, Push(0.0, drawn.touches), *drawn.after], key=_after)
        self.ours = 1 + pushes.index(Push(0.0, drawn.touches))
        begun = self.clock.now
        self.times = [begun - 100, *(begun + push.after for push in pushes)]
        self.images = ["v0"]
        for number, push in enumerate(pushes, start=1):
            self.images.append(f"v{number}" if push.touches else self.images[-1])
        self.broken = {number for number in drawn.broken if number < len(self.images)}
        self.commits = [sha(number) for number in range(len(self.images))]
        self.application = MemoryApplication(
            name="shop",
            repo_url=URL,
            path="overlays/dev",
            target_revision="main",
            resolve=self.head,
            images=lambda revision: [self.images[self.commits.index(revision)]],
            now=begun - 50,
            behaviour=replace(
                drawn.behaviour,
                sync_error="refused" if self.broken else "",
                broken=frozenset(sha(number) for number in self.broken),
            ),
        )
        self.application.advance(begun)

    def head(self, _: str) -> str:
        now = self.application.now if hasattr(self, "application") else self.times[0]
        return self.commits[max(n for n, time in enumerate(self.times) if time <= now)]

    @property
    def deployed(self) -> bool:
        """Whether what runs is what our commit, or one after it, asks for."""
        return self.application.live[0] in self.images[self.ours :]


def _after(push: Push) -> float:
    return push.after


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=rollouts)
def test_never_says_deployed_before_it_is(drawn: Drawn) -> None:  # type: ignore[misc]  # `given` has Any in its types
    """
    Green means deployed, whatever happened in between, and no wait hangs.
    """
    rollout = Rollout(drawn)
    late = drawn.behaviour.late_seconds
    request = SyncRequest(
        applications=(ApplicationName("shop"),),
        gitops_url=URL,
        wait_for=drawn.wait_for,
        timeout_seconds=400,
        settle_seconds=10.0 if late else 0.0,
    )

    try:
        result = sync(
            request,
            Promoted(commit=CommitSha(rollout.commits[rollout.ours])),
            argocd=MemoryArgoCD(rollout.clock, {"shop": rollout.application}),
            ancestry=LinearAncestry(rollout.commits),
            clock=rollout.clock,
            log=LineLog(),
        )
    except SyncError:
        assert any(number >= rollout.ours for number in rollout.broken)
        return

    rollout.application.advance(rollout.clock.now)
    assert result.applications[0].sync == "Synced"
    assert rollout.deployed
    if drawn.wait_for is WaitFor.HEALTHY:
        assert rollout.application.real_health == "Healthy"
