"""Sixty-four jobs that wait at once, each for its own commit on one branch."""

from __future__ import annotations

import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.kustomization import ImageRequest
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import (
    ApplicationName,
    Promoted,
    SyncRequest,
    SyncResult,
    WaitFor,
    sync,
)
from tests.fakes.applications import URL
from tests.fakes.argocd_memory import Behaviour, MemoryApplication
from tests.fakes.waiting import FakeClock, LinearAncestry, LineLog, MemoryArgoCD

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS = 64
EVERY = 0.5  # seconds between two commits
BEGIN = 1_800_000_000.0


class Baton:
    """One time for many waits: the one that wakes first runs, and all others stand still."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._waking: dict[int, float] = {}
        self._running: int | None = None

    def run(self, works: list[Callable[[FakeClock], None]]) -> None:
        clocks = [_Turns(self, number) for number in range(len(works))]
        self._waking = dict.fromkeys(range(len(works)), BEGIN)
        threads = [
            threading.Thread(target=self._work, args=(number, work, clocks[number]))
            for number, work in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def wait_for(self, number: int, until: float) -> None:
        with self._turn:
            self._waking[number] = until
            self._running = None
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._next() == number)
            self._running = number

    def _work(self, number: int, work: Callable[[FakeClock], None], clock: FakeClock) -> None:
        self.wait_for(number, BEGIN)
        try:
            work(clock)
        finally:
            with self._turn:
                del self._waking[number]
                self._running = None
                self._turn.notify_all()

    def _next(self) -> int | None:
        if self._running is not None:
            return self._running
        return min(self._waking, key=lambda one: (self._waking[one], one))


class _Turns(FakeClock):
    def __init__(self, baton: Baton, number: int) -> None:
        super().__init__(BEGIN)
        self._baton, self._number = baton, number

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._baton.wait_for(self._number, self.now)


class Counted(LinearAncestry):
    """Counts what a job asks git: each is a fetch at most."""

    def __init__(self, commits: list[str], files: dict[str, dict[str, str]]) -> None:
        super().__init__(commits, files)
        self.questions = 0

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        self.questions += 1
        return super().contains(ancestor, revision)

    def file(self, revision: CommitSha, path: PurePosixPath) -> bytes | None:
        self.questions += 1
        return super().file(revision, path)


def _sha(number: int) -> str:
    return f"{number + 1:040x}"


def _path(number: int) -> str:
    return f"shop-{number}/kustomization.yaml"


def _text(number: int, commits: int) -> str:
    tag = _sha(number) if commits > number else "0" * 40
    return f"images:\n- name: ghcr.io/acme/shop-{number}\n  newTag: {tag!r}\n"


def _application(
    number: int, commits: list[str], files: dict[str, dict[str, str]]
) -> MemoryApplication:
    made: list[MemoryApplication] = []

    def resolve(_: str) -> str:
        now = made[0].now if made else BEGIN - 50
        return commits[max(0, min(JOBS, int((now - BEGIN) / EVERY)))]

    made.append(
        MemoryApplication(
            name=f"shop-{number}",
            repo_url=URL,
            path=f"shop-{number}",
            target_revision="main",
            resolve=resolve,
            images=lambda sha: [_asked(files[sha][_path(number)], number)],
            now=BEGIN - 50,
            behaviour=Behaviour(reconcile_seconds=0.4, operation_seconds=0.6, rollout_seconds=8),
        )
    )
    return made[0]


def _asked(text: str, number: int) -> str:
    tag = text.rpartition("newTag: ")[2].strip().strip("'")
    return f"ghcr.io/acme/shop-{number}:{tag}"


def test_64_waits_at_once_end_right_and_ask_little() -> None:
    """
    A commit every half second, each promoting another application: nobody asks GitHub's API
    anything, Argo CD gets a few questions a second from each job, and git a few in all.
    """
    commits = [_sha(number) for number in range(JOBS + 1)]
    files = {
        sha: {_path(number): _text(number, count) for number in range(JOBS)}
        for count, sha in enumerate(commits)
    }
    histories = [Counted(commits, files) for _ in range(JOBS)]
    results: dict[int, tuple[SyncResult, float, MemoryArgoCD]] = {}

    def job(number: int) -> Callable[[FakeClock], None]:
        def work(clock: FakeClock) -> None:
            clock.sleep(EVERY * (number + 1))
            argocd = MemoryArgoCD(clock, {f"shop-{number}": applications[number]})
            begun = clock.now
            result = sync(
                SyncRequest(
                    applications=(ApplicationName(f"shop-{number}"),),
                    gitops_url=URL,
                    branch="main",
                    wait_for=WaitFor.HEALTHY,
                    timeout_seconds=600,
                    settle_seconds=0,
                ),
                Promoted(
                    commit=CommitSha(commits[number + 1]),
                    files=(PurePosixPath(_path(number)),),
                    image=ImageRequest(
                        ImageReference(Repository(f"ghcr.io/acme/shop-{number}"), _sha(number))
                    ),
                ),
                argocd=argocd,
                ancestry=histories[number],
                clock=clock,
                log=LineLog(),
            )
            results[number] = result, clock.now - begun, argocd

        return work

    applications = [_application(number, commits, files) for number in range(JOBS)]

    Baton().run([job(number) for number in range(JOBS)])

    assert sorted(results) == list(range(JOBS))
    for number, (result, seconds, argocd) in results.items():
        (shop,) = result.applications
        assert (shop.sync, shop.health, result.superseded) == ("Synced", "Healthy", False)
        assert applications[number].live == (f"ghcr.io/acme/shop-{number}:{_sha(number)}",)
        assert seconds < 20
        assert argocd.documents <= 3 + seconds
        assert argocd.refreshes <= 3
    assert max(history.questions for history in histories) <= 10
