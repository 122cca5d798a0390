"""Asking Argo CD to sync: where nobody else does, once, and never twice blindly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_action.errors import (
    ApplicationError,
    ArgoCDPermissionError,
    ArgoCDUnavailableError,
    WaitTimeoutError,
)
from gitops_action.model.argocd import Application, Operation
from gitops_action.stages.sync import (
    SyncMode,
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


def test_always_is_not_done_before_the_operation_was_seen() -> None:
    """
    That Argo CD took the request is no proof that hooks ran.
    """
    wait = _asking(SyncMode.ALWAYS, (0, application()))

    with pytest.raises(WaitTimeoutError):
        wait.run()

    assert len(wait.argocd.synced) == 1


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
