"""How a wait ends in vain: at the deadline, or at once where nothing can come."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gitops_action.errors import (
    ActionError,
    ApplicationError,
    ArgoCDUnavailableError,
    ComparisonError,
    DegradedError,
    SyncError,
    WaitTimeoutError,
)
from gitops_action.model.argocd import Application, Condition, Operation, Resource
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import ApplicationName, Promoted, SyncResult, sync
from tests.fakes.applications import BEFORE, LATER, NEWER, OLDER, OURS, application
from tests.fakes.wait import Wait
from tests.fakes.waiting import LinearAncestry, ScriptedArgoCD

RUNNING = Operation(phase="Running", revision=OURS, started_at=BEFORE)


@pytest.mark.parametrize(
    ("last", "message", "hint"),
    [
        pytest.param(
            application(revision=OLDER, sync="OutOfSync"),
            "shop is OutOfSync at 4be1c2a after 15m; expected Synced at 9d0f7e3.",
            "Argo CD has not taken the commit",
            id="revision",
        ),
        pytest.param(
            application(sync="OutOfSync"),
            "shop is OutOfSync at 9d0f7e3 after 15m; expected Synced at 9d0f7e3."
            " Last seen: OutOfSync at 9d0f7e3.",
            "sync windows",
            id="sync",
        ),
        pytest.param(
            application(sync="OutOfSync", operation=RUNNING),
            "shop is OutOfSync at 9d0f7e3 after 15m; expected Synced at 9d0f7e3."
            " Last seen: operation Running at 9d0f7e3.",
            "argocd app terminate-op shop",
            id="operation",
        ),
        pytest.param(
            application(reconciled_at=None),
            "shop is Synced at 9d0f7e3 after 15m; expected Synced at 9d0f7e3."
            " Last seen: the operation is done, the comparison after it is not.",
            "argocd-application-controller",
            id="reconcile",
        ),
        pytest.param(
            application(
                health="Progressing",
                resources=(Resource(kind="Deployment", name="shop", health="Progressing"),),
            ),
            "shop is Synced and Progressing at 9d0f7e3 after 15m; expected Healthy at 9d0f7e3."
            " Last seen: Synced at 9d0f7e3, Progressing: Deployment/shop is Progressing.",
            "wait-timeout",
            id="health",
        ),
        pytest.param(
            application(sync="Unknown"),
            "shop is Unknown at 9d0f7e3 after 15m; expected Synced at 9d0f7e3."
            " Last seen: the sync status is Unknown.",
            "argocd-repo-server",
            id="compare",
        ),
    ],
)
def test_the_deadline_says_what_was_last_seen(last: Application, message: str, hint: str) -> None:
    """
    A wait that ends in vain says where it stood, what it expected and where to look.
    """
    wait = Wait((0, last))

    with pytest.raises(WaitTimeoutError) as raised:
        wait.run()

    assert raised.value.message == message
    assert hint in raised.value.hint
    assert wait.seconds == pytest.approx(900, abs=0.1)
    assert isinstance(raised.value.partial, SyncResult)
    assert raised.value.partial.applications[0].sync == last.sync


def test_a_deadline_before_anything_was_seen_says_why() -> None:
    """
    A short wait on an Argo CD that does not answer is not a mystery.
    """
    wait = Wait((0, ArgoCDUnavailableError("Argo CD does not answer: reset.", hint="")))
    wait.request = replace(wait.request, timeout_seconds=30)

    with pytest.raises(WaitTimeoutError) as raised:
        wait.run()

    assert raised.value.message == "shop was not seen in 30s: Argo CD does not answer: reset."
    assert isinstance(raised.value.partial, SyncResult)
    assert raised.value.partial.applications[0].url == ""


FAILED = Operation(
    phase="Failed",
    revision=OURS,
    started_at=BEFORE,
    finished_at=LATER,
    message="one or more objects failed to apply",
    failed=(Resource(kind="Service", name="shop", sync="SyncFailed", message="port is invalid"),),
)


@pytest.mark.parametrize(
    ("last", "kind", "words", "after"),
    [
        pytest.param(
            application(sync="OutOfSync", operation=FAILED),
            SyncError,
            "one or more objects failed to apply (Service/shop is SyncFailed: port is invalid)",
            0,
            id="our sync failed",
        ),
        pytest.param(
            application(
                sync="OutOfSync",
                conditions=(Condition("SyncError", f"Failed last sync attempt to [{OURS}]: no"),),
            ),
            SyncError,
            "Failed last sync attempt",
            0,
            id="auto-sync gave up",
        ),
        pytest.param(
            application(
                health="Degraded",
                resources=(
                    Resource(kind="Deployment", name="shop", health="Degraded", message="deadline"),
                ),
            ),
            DegradedError,
            "Deployment/shop is Degraded: deadline",
            60,
            id="degraded",
        ),
        pytest.param(
            application(health="Degraded"), DegradedError, "names no resource", 60, id="somewhere"
        ),
        pytest.param(
            application(sync="OutOfSync", automated=False),
            ApplicationError,
            "auto-sync is off",
            60,
            id="manual",
        ),
        pytest.param(application(deleting=True), ApplicationError, "deleted", 0, id="deleting"),
        pytest.param(
            application(skips_reconcile=True), ApplicationError, "skip-reconcile", 0, id="skipped"
        ),
        pytest.param(
            application(hydrated=True),
            ApplicationError,
            "shop uses a source hydrator",
            0,
            id="hydrator",
        ),
        pytest.param(
            application(chart="shop", revision="1.2.3"),
            ApplicationError,
            "no git repository",
            60,
            id="a chart",
        ),
        pytest.param(
            application(repo_url="https://git.example.com/acme/other", revision="d" * 40),
            ApplicationError,
            "follows https://git.example.com/acme/other",
            60,
            id="another repository",
        ),
        pytest.param(
            application(target_revision=OLDER, revision=OLDER),
            ApplicationError,
            "pinned to 4be1c2a",
            60,
            id="pinned elsewhere",
        ),
    ],
)
def test_what_cannot_come_fails_early(
    last: Application, kind: type[ActionError], words: str, after: float
) -> None:
    """
    Nobody waits for the deadline where it cannot help; what may mend itself gets its time.
    """
    wait = Wait((0, last))

    with pytest.raises(ActionError) as raised:
        wait.run()

    assert type(raised.value) is kind
    assert words in raised.value.message
    assert raised.value.hint
    assert after <= wait.seconds <= after + 2
    assert isinstance(raised.value.partial, SyncResult)


def test_a_comparison_error_fails_once_two_refreshes_met_it_again() -> None:
    """
    One hiccup of the repository server is not a broken kustomization.
    """
    broken = application(
        sync="Unknown",
        revision="main",
        conditions=(Condition("ComparisonError", "kustomize build failed: Error: no such field"),),
    )
    script = [
        (float(at), replace(broken, reconciled_at=datetime.fromtimestamp(1_800_000_000 + at, UTC)))
        for at in range(0, 200, 30)
    ]
    again, stuck = Wait(*script), Wait((0, broken))

    with pytest.raises(ComparisonError, match="no such field"):
        again.run()
    with pytest.raises(WaitTimeoutError, match="ComparisonError"):
        stuck.run()

    assert 120 <= again.seconds <= 122


def test_a_branch_that_left_our_commit_behind_fails() -> None:
    """
    After a push with force our commit will never be deployed.
    """

    class Forked(LinearAncestry):
        def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
            return ancestor == revision

    def at(second: float) -> Application:
        reconciled = datetime.fromtimestamp(1_800_000_000 + second, UTC)
        return application(revision=NEWER, reconciled_at=reconciled)

    wait = Wait((0, at(0)), (10, at(10)), (30, at(30)))

    with pytest.raises(ApplicationError, match="does not contain 9d0f7e3") as raised:
        sync(
            wait.request,
            Promoted(commit=CommitSha(OURS)),
            argocd=wait.argocd,
            ancestry=Forked([]),
            clock=wait.clock,
            log=wait.log,
        )

    assert "force" in raised.value.hint
    assert wait.seconds == pytest.approx(20, abs=2)


def test_many_applications_of_a_server_that_hangs_do_not_delay_the_deadline() -> None:
    """
    Each last look may take a second; together they may not take one each.
    """

    class Hanging(ScriptedArgoCD):
        def application(self, *_: object, timeout: float = 10.0, **__: object) -> Application:
            wait.clock.sleep(timeout)
            raise ArgoCDUnavailableError("no answer in time", hint="")

    wait = Wait()
    wait.argocd = Hanging(wait.clock, [])
    names = tuple(ApplicationName(f"shop-{number}") for number in range(64))
    wait.request = replace(wait.request, applications=names, timeout_seconds=60)

    with pytest.raises(WaitTimeoutError):
        wait.run()

    assert 60 <= wait.seconds <= 62


def test_a_rollout_of_fourteen_minutes_is_waited_for() -> None:
    """
    Slow is no failure: it is within the default deadline, and said once.
    """
    wait = Wait((0, application(health="Progressing")), (840, application()))

    assert wait.run().applications[0].health == "Healthy"
    assert 840 <= wait.seconds <= 846


@pytest.mark.parametrize("later", [application(), application(health="Degraded")])
def test_all_applications_are_healthy_at_the_end_and_not_one_after_the_other(
    later: Application,
) -> None:
    """
    One that was done early is looked at once more when the last one is done.
    """

    class Two(ScriptedArgoCD):
        def application(self, name: str, *_: object, **__: object) -> Application:
            now = wait.seconds
            if name == "slow":
                return application(uid="2", health="Healthy" if now >= 100 else "Progressing")
            return application() if now < 5 else later

    wait = Wait()
    wait.argocd = Two(wait.clock, [])
    names = (ApplicationName("early"), ApplicationName("slow"))
    wait.request = replace(wait.request, applications=names)

    with pytest.raises(DegradedError) if later.health == "Degraded" else nullcontext():
        wait.run()

    assert wait.seconds <= 165
