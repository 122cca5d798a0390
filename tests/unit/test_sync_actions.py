"""What the wait has Argo CD do: sync, once and never twice blindly, and end what blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from gitops_action.errors import (
    ApplicationError,
    ArgoCDPermissionError,
    ArgoCDUnavailableError,
    SyncError,
    WaitTimeoutError,
)
from gitops_action.model.argocd import Application, Operation
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import (
    ApplicationName,
    Promoted,
    SyncMode,
    SyncRequest,
    SyncResult,
    WaitFor,
    sync,
)
from tests.fakes.applications import BEFORE, LATER, OLDER, OURS, URL, application
from tests.fakes.argocd_memory import Behaviour, MemoryApplication
from tests.fakes.wait import Wait
from tests.fakes.waiting import FakeClock, LinearAncestry, LineLog, MemoryArgoCD

FIXED = "f" * 40
DONE = Operation(phase="Succeeded", revision=OURS, started_at=BEFORE, finished_at=BEFORE)
WAITS = Operation(
    phase="Running",
    revision=OLDER,
    started_at=BEFORE,
    finished_at=LATER,
    retries=2,
    message='Service "shop" is invalid. Retrying attempt #2 at 5:13AM.',
)
BLOCKED = application(sync="OutOfSync", operation=WAITS, operation_requested=True)


@dataclass
class Scene:
    """One Application in memory, and a branch that others push to."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    commits: list[str] = field(default_factory=lambda: [OLDER])

    def __post_init__(self) -> None:
        self.clock, self.log = FakeClock(), LineLog()
        self.application = MemoryApplication(
            name="shop",
            repo_url=URL,
            path="overlays/dev",
            target_revision="main",
            resolve=lambda _: self.commits[-1],
            images=lambda revision: [revision],
            now=self.clock.now,
            behaviour=self.behaviour,
        )
        self.argocd = MemoryArgoCD(self.clock, {"shop": self.application})
        self.begun = self.clock.now

    def later(self, seconds: float) -> None:
        self.clock.now += seconds
        self.application.advance(self.clock.now)

    def wait(
        self, *, mode: SyncMode = SyncMode.NEVER, unblock: bool = False, seconds: float = 600
    ) -> SyncResult:
        self.begun = self.clock.now
        return sync(
            SyncRequest(
                applications=(ApplicationName("shop"),),
                gitops_url=URL,
                branch="main",
                wait_for=WaitFor.HEALTHY,
                timeout_seconds=seconds,
                settle_seconds=0,
                mode=mode,
                unblock=unblock,
                run="run/1",
            ),
            Promoted(commit=CommitSha(self.commits[-1])),
            argocd=self.argocd,
            ancestry=LinearAncestry(self.commits),
            clock=self.clock,
            log=self.log,
        )

    @property
    def seconds(self) -> float:
        return self.clock.now - self.begun


def _asking(mode: SyncMode, *script: tuple[float, Application]) -> Wait:
    wait = Wait(*script)
    wait.request = replace(wait.request, mode=mode, timeout_seconds=300, run="run/1")
    return wait


def test_a_manual_application_is_synced_where_it_is_asked_for() -> None:
    """
    `argocd-sync: if-needed` does what the button does, and waits for what comes of it.
    """
    scene = Scene(Behaviour(automated=False))
    scene.commits.append(OURS)

    result = scene.wait(mode=SyncMode.IF_NEEDED)

    assert (result.applications[0].revision, scene.application.live) == (OURS, (OURS,))
    assert scene.log.lines.count("shop: asking Argo CD to sync") == 1
    assert scene.seconds < 5


def test_a_request_without_an_answer_is_not_repeated_blindly() -> None:
    """
    The operation carries our nonce: that it began is seen, and it does not begin twice.
    """
    scene = Scene(Behaviour(automated=False, operation_seconds=0.5))
    scene.commits.append(OURS)
    scene.argocd.lost = 1

    scene.wait(mode=SyncMode.IF_NEEDED)

    assert scene.log.lines.count("shop: asking Argo CD to sync") == 1
    assert [live for _, live in scene.application.history] == [(OLDER,), (OURS,)]


def test_a_request_that_never_arrived_is_repeated() -> None:
    """
    A load balancer that lost the request costs some seconds, not the rollout.
    """
    wait = _asking(SyncMode.IF_NEEDED, (0, application(sync="OutOfSync", automated=False)))
    wait.argocd.sync_answers = [ArgoCDUnavailableError("reset", hint="") for _ in range(9)]

    with pytest.raises(WaitTimeoutError):
        wait.run()

    moments = [round(when) for when, _ in wait.argocd.synced]
    assert moments == [0, 5, 10]
    assert {nonce for _, nonce in wait.argocd.synced} == {f"run/1 9d0f7e3 at {OURS}"}


def test_an_operation_that_carries_our_nonce_was_asked_for() -> None:
    """
    What is under way already is waited for.
    """
    ours = replace(DONE, nonce=f"run/1 9d0f7e3 at {OURS}", finished_at=BEFORE)
    stuck = application(sync="OutOfSync", automated=False, operation=ours)
    wait = _asking(SyncMode.IF_NEEDED, (0, stuck))

    with pytest.raises(WaitTimeoutError):
        wait.run()

    assert wait.argocd.synced == []


def test_never_is_never() -> None:
    """
    Without being asked the wait changes nothing.
    """
    wait = _asking(SyncMode.NEVER, (0, application(sync="OutOfSync", automated=False)))

    with pytest.raises(ApplicationError, match="auto-sync is off"):
        wait.run()

    assert wait.argocd.synced == []


def test_auto_sync_that_does_not_come_is_helped() -> None:
    """
    A commit that arrives during a sync may be forgotten: after 90 s it is asked for.
    """
    wait = _asking(SyncMode.IF_NEEDED, (0, application(sync="OutOfSync")), (120, application()))

    wait.run()

    assert [round(when) for when, _ in wait.argocd.synced] == [90]


def test_a_progressive_application_set_keeps_its_order() -> None:
    """
    What it holds back is not pushed forward.
    """
    held = application(sync="OutOfSync", automated=False, of_application_set=True)
    wait = _asking(SyncMode.IF_NEEDED, (0, held), (200, application()))

    wait.run()

    assert wait.argocd.synced == []


def test_always_runs_the_hooks_of_a_commit_that_changes_only_hooks() -> None:
    """
    Hooks are compared with nothing: such an Application stays Synced, and nothing would run.
    """
    scene = Scene()
    scene.commits.append(OURS)
    scene.application.images = lambda _: [OLDER]

    scene.wait(mode=SyncMode.ALWAYS)

    assert scene.log.lines.count("shop: asking Argo CD to sync") == 1
    state = scene.application.state
    assert state
    assert state["operation"]["sync"]["revision"] == OURS


def test_always_is_content_with_the_operation_that_brought_our_commit() -> None:
    """
    Hooks do not run twice.
    """
    scene = Scene()
    scene.commits.append(OURS)

    scene.wait(mode=SyncMode.ALWAYS)

    assert "shop: asking Argo CD to sync" not in scene.log.lines


def test_an_operation_in_progress_is_waited_for_and_then_ours_is_asked_for() -> None:
    """
    Argo CD has no queue.
    """
    wait = _asking(
        SyncMode.IF_NEEDED, (0, application(sync="OutOfSync", automated=False)), (20, application())
    )
    wait.argocd.sync_answers = [False, True]

    wait.run()

    assert [round(when) for when, _ in wait.argocd.synced] == [0, 5]


def test_a_refused_request_ends_the_wait() -> None:
    """
    A token without the right to sync is no matter of time.
    """
    wait = _asking(SyncMode.IF_NEEDED, (0, application(sync="OutOfSync", automated=False)))
    wait.argocd.sync_answers = [ArgoCDPermissionError("No right to sync.", hint="Grant it.")]

    with pytest.raises(ArgoCDPermissionError):
        wait.run()


def test_an_older_commit_that_blocks_is_named_at_once() -> None:
    """
    Five silent minutes behind somebody else's broken commit are explained, with the cure.
    """
    wait = Wait((0, BLOCKED), (60, application()))

    wait.run()

    (said,) = wait.log.annotations
    assert said == (
        "shop is blocked: Argo CD tries the older commit 4be1c2a again and again, and takes 9d0f7e3"
        ' only after it: Service "shop" is invalid. `argocd-unblock: true` ends it, as does'
        " `argocd app terminate-op shop`."
    )
    assert wait.argocd.terminated == []


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(replace(WAITS, finished_at=None), id="an attempt is under way"),
        pytest.param(replace(WAITS, phase="Terminating"), id="it is ending"),
        pytest.param(replace(WAITS, revision=OURS), id="it is ours"),
        pytest.param(replace(WAITS, revision=""), id="it may be ours"),
        pytest.param(replace(WAITS, revision="d" * 40), id="nobody knows whose"),
    ],
)
def test_only_an_older_operation_between_two_attempts_is_ended(document: Operation) -> None:
    """
    Hooks that run, and our own commit, are left alone.
    """
    wait = Wait((0, replace(BLOCKED, operation=document)), (30, application()))
    wait.request = replace(wait.request, unblock=True)

    wait.run()

    assert wait.argocd.terminated == []


def test_unblock_ends_the_older_operation_and_ours_goes_through() -> None:
    """
    What Argo CD would go on trying for minutes is over in seconds.
    """
    scene = _blocked()

    result = scene.wait(unblock=True)

    assert result.applications[0].revision == FIXED
    assert "shop: ended the older operation" in scene.log.lines
    assert scene.seconds < 10


def test_without_unblock_the_older_operation_is_waited_for() -> None:
    """
    Nobody's operation is ended unasked.
    """
    scene = _blocked()

    scene.wait()

    assert scene.seconds > 100
    assert any("is blocked" in line for line in scene.log.annotations)


def _blocked() -> Scene:
    """OURS cannot be applied and is tried again and again, FIXED comes after it."""
    broken = frozenset({OURS})
    scene = Scene(Behaviour(retries=5, retry_seconds=30, sync_error="is invalid", broken=broken))
    scene.commits.append(OURS)
    scene.application.refresh()
    scene.later(3)
    scene.commits.append(FIXED)
    return scene


def test_an_attempt_that_begins_meanwhile_is_not_ended() -> None:
    """
    The document is read again just before, and tells that hooks may run.
    """
    wait = Wait(
        (0, BLOCKED),
        (0.01, replace(BLOCKED, operation=replace(WAITS, finished_at=None))),
        (30, application()),
    )
    wait.request = replace(wait.request, unblock=True)
    reads = wait.argocd.application

    def slow(*args: str, **options: object) -> Application:
        document: Application = reads(*args, **options)  # type: ignore[arg-type]  # passed on
        wait.clock.now += 0.02
        return document

    wait.argocd.application = slow  # type: ignore[method-assign]  # takes time

    wait.run()

    assert wait.argocd.terminated == []


def test_ending_our_own_operation_by_accident_is_repaired() -> None:
    """
    The DELETE has no precondition: where the older operation ended by itself just before, ours is
    hit, and auto-sync never tries a failed revision again. One sync with our nonce mends it.
    """
    scene = _blocked()

    def ours_begins() -> None:
        """Let the last attempt end in between, and auto-sync begin ours."""
        scene.application.terminate()
        operation = scene.application.operation
        while operation is None or operation["sync"]["revision"] != FIXED:
            scene.later(0.05)
            operation = scene.application.operation

    scene.argocd.before_terminate = _once(ours_begins)

    result = scene.wait(unblock=True)

    assert result.applications[0].revision == FIXED
    assert scene.application.live == (FIXED,)
    assert scene.log.lines.count("shop: asking Argo CD to sync") == 1
    state = scene.application.state
    assert state
    assert state["operation"]["info"][0]["value"].startswith("run/1 fffffff")
    assert scene.seconds < 20


def test_ours_ended_by_somebody_else_is_not_begun_again() -> None:
    """
    Who ends an operation by hand means it.
    """
    ended = replace(DONE, phase="Failed", message="Operation terminated")
    wait = Wait((0, application(sync="OutOfSync", operation=ended)))

    with pytest.raises(SyncError) as raised:
        wait.run()

    assert wait.argocd.synced == []
    assert isinstance(raised.value.partial, SyncResult)
    assert not raised.value.partial.rollout_failed


def test_a_sync_that_fails_after_the_repair_is_our_failure() -> None:
    """
    The repair is made once.
    """
    ended = replace(DONE, phase="Failed", message="Operation terminated")
    failed = replace(DONE, phase="Failed", message="is invalid", started_at=LATER)
    script = [
        (0.0, BLOCKED),
        (0.5, application(sync="OutOfSync", operation=ended)),
        (4.0, application(sync="OutOfSync", operation=failed, reconciled_at=LATER + timedelta(1))),
    ]
    wait = Wait(*script)
    wait.request = replace(wait.request, unblock=True)

    with pytest.raises(SyncError, match="is invalid"):
        wait.run()

    assert len(wait.argocd.synced) == 1


def _once(act: Callable[[], None]) -> Callable[[], None]:
    left = [act]
    return lambda: left.pop()() if left else None
