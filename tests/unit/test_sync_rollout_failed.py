"""When the old image may be put back: only where our own rollout failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gitops_action.errors import ActionError, ArgoCDLoginError, CancelledError, ComparisonError
from gitops_action.model.argocd import Application, Condition, Operation
from gitops_action.stages.sync import ApplicationName, SyncResult
from tests.fakes.applications import BEFORE, LATER, NEWER, OLDER, OURS, application
from tests.fakes.wait import Wait
from tests.fakes.waiting import FakeClock, ScriptedArgoCD

OLD = application(revision=OLDER)
FAILED = Operation(
    phase="Failed", message="is invalid", revision=OURS, started_at=BEFORE, finished_at=LATER
)
BROKEN = application(
    sync="Unknown", revision="main", conditions=(Condition("ComparisonError", "no such field"),)
)
UNREACHABLE = replace(
    BROKEN,
    conditions=(
        Condition(
            "ComparisonError",
            "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error:"
            " code = Unknown desc = failed to list refs: dial tcp 192.0.2.1:443: i/o timeout",
        ),
    ),
)
PROGRESSING = application(health="Progressing")


def failure(*script: tuple[float, Application | ActionError]) -> bool:
    """Whether the rollout itself failed, by the error that ends a wait of two minutes and more."""
    wait = Wait(*script)
    wait.request = replace(wait.request, timeout_seconds=200)
    with pytest.raises(ActionError) as raised:
        wait.run()
    partial = raised.value.partial
    assert isinstance(partial, SyncResult)
    return partial.rollout_failed


def again_and_again(document: Application) -> list[tuple[float, Application | ActionError]]:
    """The same document, compared anew every ten seconds."""
    return [
        (
            float(at),
            replace(document, reconciled_at=datetime.fromtimestamp(1_800_000_000 + at, UTC)),
        )
        for at in range(2, 190, 10)
    ]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([(2, application(sync="OutOfSync", operation=FAILED))], id="our sync failed"),
        pytest.param(again_and_again(BROKEN), id="our commit cannot be rendered"),
        pytest.param([(2, application(health="Degraded"))], id="degraded after synced"),
        pytest.param([(2, PROGRESSING)], id="progressing at the deadline"),
    ],
)
def test_our_own_rollout_failed(script: list[tuple[float, Application | ActionError]]) -> None:
    """
    What our commit did, putting it back undoes.
    """
    assert failure((0, OLD), *script) is True


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([(0, OLD)], id="Argo CD never took it"),
        pytest.param(
            [
                (
                    0,
                    application(
                        sync="OutOfSync",
                        operation=replace(FAILED, phase="Running", finished_at=None),
                    ),
                )
            ],
            id="an operation that does not end",
        ),
        pytest.param(
            [
                (0, OLD),
                (
                    2,
                    application(
                        sync="OutOfSync", operation=replace(FAILED, message="Operation terminated")
                    ),
                ),
            ],
            id="somebody ended our sync",
        ),
        pytest.param(
            [
                (0, replace(OLD, conditions=BROKEN.conditions, sync="OutOfSync")),
                *again_and_again(BROKEN),
            ],
            id="it could not be rendered before",
        ),
        pytest.param([(0, BROKEN), *again_and_again(BROKEN)], id="nobody saw how it was before"),
        pytest.param(
            [(0, replace(OLD, health="Degraded")), (2, application(health="Degraded"))],
            id="degraded before",
        ),
        pytest.param([(0, OLD), (2, application(automated=False, sync="OutOfSync"))], id="manual"),
        pytest.param(
            [(0, PROGRESSING), (2, ArgoCDLoginError("No.", hint=""))], id="the token was revoked"
        ),
        pytest.param(
            [(0, PROGRESSING), (150, ArgoCDLoginError("No.", hint=""))],
            id="the token was revoked just before the deadline",
        ),
        pytest.param([(0, application(health="Missing"))], id="nothing is there"),
        pytest.param(
            [(0, replace(OLD, health="Progressing")), (2, PROGRESSING)], id="progressing before"
        ),
        pytest.param(
            [(0, OLD), *again_and_again(UNREACHABLE)], id="the git server cannot be reached"
        ),
        pytest.param(
            [
                (0, OLD),
                (2, application(sync="OutOfSync", operation=replace(FAILED, revision=NEWER))),
            ],
            id="the sync of a descendant failed",
        ),
        pytest.param(
            [
                (0, OLD),
                (
                    2,
                    application(
                        health="Degraded",
                        revision=NEWER,
                        reconciled_at=LATER + timedelta(seconds=1),
                        operation=replace(FAILED, phase="Succeeded", revision=NEWER),
                    ),
                ),
            ],
            id="degraded by a descendant",
        ),
        pytest.param(
            [
                (0, OLD),
                (
                    2,
                    application(
                        health="Degraded",
                        reconciled_at=LATER + timedelta(seconds=1),
                        operation=replace(FAILED, phase="Succeeded", revision=OLDER),
                    ),
                ),
            ],
            id="degraded, and our commit changed nothing of it",
        ),
    ],
)
def test_it_was_not_our_rollout(script: list[tuple[float, Application | ActionError]]) -> None:
    """
    Another's failure, or an Argo CD that cannot be asked, puts nothing back.
    """
    assert failure(*script) is False


@pytest.mark.parametrize(("head", "failed"), [(OURS, True), (NEWER, False)])
def test_what_cannot_be_rendered_is_ours_only_at_the_head_of_the_branch(
    head: str, *, failed: bool
) -> None:
    """
    A newer commit that keeps our image, and breaks something else, is not taken for ours.
    """
    wait = Wait((0, OLD), *again_and_again(BROKEN))
    wait.request = replace(wait.request, timeout_seconds=200, branch="main")
    wait.ancestry.commits = [OLDER, OURS, NEWER][: 2 + (head == NEWER)]

    with pytest.raises(ComparisonError) as raised:
        wait.run()

    assert isinstance(raised.value.partial, SyncResult)
    assert raised.value.partial.rollout_failed is failed


def test_a_cancelled_wait_puts_nothing_back() -> None:
    """
    Who stops the job has seen nothing fail.
    """

    class Cancelled(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.now > 1_800_000_010:
                raise CancelledError("Stopped.", hint="Run it again.")

    wait = Wait((0, PROGRESSING))
    wait.clock = Cancelled()

    with pytest.raises(CancelledError) as raised:
        wait.run()

    assert isinstance(raised.value.partial, SyncResult)
    assert not raised.value.partial.rollout_failed


@pytest.mark.parametrize(("other", "failed"), [(PROGRESSING, True), (OLD, False)])
def test_of_several_applications_all_that_are_late_must_have_failed(
    other: Application, *, failed: bool
) -> None:
    """
    One that Argo CD never took is no reason to put back the others.
    """

    class Two(ScriptedArgoCD):
        def application(  # noqa: PLR0913  as the adapter's
            self,
            name: str,
            namespace: str = "",
            *,
            project: str = "",
            refresh: bool = False,
            hard: bool = False,
            timeout: float = 10.0,
        ) -> Application:
            document = super().application(
                name, namespace, project=project, refresh=refresh, hard=hard, timeout=timeout
            )
            return other if name == "second" else document

    wait = Wait((0, PROGRESSING))
    wait.argocd = Two(wait.clock, [(0, PROGRESSING)])
    names = (ApplicationName("first"), ApplicationName("second"))
    wait.request = replace(wait.request, applications=names, timeout_seconds=100)

    with pytest.raises(ActionError) as raised:
        wait.run()

    assert isinstance(raised.value.partial, SyncResult)
    assert raised.value.partial.rollout_failed is failed
