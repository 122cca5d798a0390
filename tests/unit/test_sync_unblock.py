"""An older commit that blocks ours: named, and ended where that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_action.errors import (
    ArgoCDUnavailableError,
    SyncError,
)
from gitops_action.model.argocd import Application, Operation
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import (
    SyncResult,
)
from tests.fakes.applications import BEFORE, LATER, OLDER, OURS, application
from tests.fakes.argocd_memory import Behaviour
from tests.fakes.scene import Scene
from tests.fakes.wait import Wait

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


@pytest.mark.parametrize(("reverts", "ended"), [(OLDER, True), ("9" * 40, False)])
def test_a_revert_may_end_the_operation_of_the_commit_that_it_takes_back(
    reverts: str, *, ended: bool
) -> None:
    """
    Otherwise Argo CD would go on trying for minutes what nobody wants any more.
    """
    wait = Wait((0, BLOCKED), (30, application()))
    wait.request = replace(wait.request, reverts=CommitSha(reverts))

    wait.run()

    assert bool(wait.argocd.terminated) is ended
    assert any("taken back" in said for said in wait.log.annotations) is ended


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


def test_a_request_to_end_it_without_an_answer_is_made_again() -> None:
    """
    Whether it arrived, the next document tells.
    """
    wait = Wait((0, BLOCKED), (20, application()))
    wait.request = replace(wait.request, unblock=True)
    wait.argocd.terminate_answers = [ArgoCDUnavailableError("reset", hint=""), False]

    wait.run()

    assert len(wait.argocd.terminated) > 1
    assert "shop: reset" in wait.log.lines
    assert "shop: the older operation ended by itself" in wait.log.lines


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
