"""What a rollout fails of, how soon that is said, and in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gitops_action.errors import (
    ActionError,
    ApplicationError,
    ArgoCDUnavailableError,
    CancelledError,
    ComparisonError,
    DegradedError,
    SyncError,
    WaitTimeoutError,
)
from gitops_action.model.argocd import Application, Condition, Operation, Resource
from gitops_action.model.argocd_tree import Node
from tests.fakes.applications import BEFORE, LATER, OLDER, OURS, application
from tests.fakes.wait import Wait
from tests.fakes.waiting import ScriptedArgoCD

PORT = 'Service "shop" is invalid: spec.ports[0].port: Invalid value: 8080000'
WEBHOOK = 'failed calling webhook "policy.example.com": connection refused'
DONE = Operation(phase="Succeeded", revision=OURS, started_at=BEFORE, finished_at=BEFORE)
DEPLOYMENT = Resource(group="apps", kind="Deployment", namespace="default", name="shop")
CART = replace(DEPLOYMENT, name="cart", health="Degraded", message="no pods")
POD = Node(
    kind="Pod",
    namespace="default",
    name="shop-1",
    uid="2",
    parents=("1",),
    reason="ImagePullBackOff",
)
NODES = (Node(kind="Deployment", namespace="default", name="shop", uid="1"), POD)


def _at(second: float, **changes: Any) -> tuple[float, Application]:  # noqa: ANN401  the fields of an Application
    """A document of that second, compared then."""
    reconciled = datetime.fromtimestamp(1_800_000_000 + second, UTC)
    return second, application(**{"reconciled_at": reconciled, **changes})


def _attempt(number: int, message: str, phase: str = "Running") -> Application:
    failed = replace(DEPLOYMENT, kind="Service", sync="SyncFailed", message=message)
    operation = Operation(
        phase=phase,
        revision=OURS,
        message=f"one or more objects failed to apply. Retrying attempt #{number} at 5:13AM.",
        started_at=BEFORE,
        finished_at=LATER,
        retries=number,
        failed=(failed,),
    )
    return application(
        sync="OutOfSync", operation=operation, operation_requested=phase == "Running"
    )


def test_our_failing_sync_is_told_at_the_first_attempt_and_fails_at_the_second() -> None:
    """
    What the API server calls invalid is not waited for through five attempts.
    """
    wait = Wait((0, _attempt(1, PORT)), (21, _attempt(2, PORT)))

    with pytest.raises(SyncError, match="answered two attempts alike") as raised:
        wait.run()

    assert "could not be synced at the first attempt" in wait.log.lines[0]
    assert PORT in raised.value.message
    assert "argocd app terminate-op shop" in raised.value.hint
    assert wait.seconds == pytest.approx(21, abs=1)


def test_a_webhook_that_refuses_is_tried_to_the_end() -> None:
    """
    A webhook that comes back lets the third attempt through.
    """
    wait = Wait(
        (0, _attempt(1, WEBHOOK)),
        (10, _attempt(2, WEBHOOK)),
        (30, _attempt(3, WEBHOOK)),
        (70, _attempt(3, WEBHOOK, phase="Failed")),
    )

    with pytest.raises(SyncError, match="could not apply 9d0f7e3") as raised:
        wait.run()

    assert "connection refused" in raised.value.message
    assert wait.seconds == pytest.approx(70, abs=2)


def test_an_operation_that_waits_for_its_next_attempt_is_not_over() -> None:
    """
    `Running` with an end is between two attempts, and the next one may succeed.
    """
    wait = Wait((0, _attempt(1, WEBHOOK)), (12, application(operation=DONE)))

    wait.run()

    assert wait.seconds < 16


def test_an_old_failed_operation_is_not_ours() -> None:
    """
    The failure of another revision, which is still shown, does not fail our commit.
    """
    failed = Operation(
        phase="Failed", revision=OLDER, started_at=BEFORE, finished_at=BEFORE, message="no"
    )
    wait = Wait((0, application(operation=failed)))

    wait.run()

    assert wait.seconds < 5


LEFT = replace(DEPLOYMENT, kind="ConfigMap", name="old", sync="OutOfSync", requires_pruning=True)
DIFFERENT = replace(DEPLOYMENT, sync="OutOfSync")


@pytest.mark.parametrize(
    ("changes", "words", "after"),
    [
        pytest.param(
            {"resources": (LEFT,), "automated": True}, "no ConfigMap/old any more", 30, id="pruning"
        ),
        pytest.param(
            {"resources": (LEFT,), "prunes": True, "operation": DONE},
            "no ConfigMap/old any more",
            30,
            id="pruning that is forbidden for the resource",
        ),
        pytest.param(
            {"resources": (DIFFERENT,), "operation": DONE},
            "although the sync succeeded: Deployment/shop is OutOfSync",
            90,
            id="still different",
        ),
    ],
)
def test_what_stays_out_of_sync_fails_early(
    changes: dict[str, object], words: str, after: float
) -> None:
    """
    Where Argo CD has nothing left to do, nobody waits for the deadline.
    """
    wait = Wait(*(_at(second, sync="OutOfSync", **changes) for second in range(0, 200, 15)))

    with pytest.raises(SyncError, match=words) as raised:
        wait.run()

    assert raised.value.hint
    assert 15 <= wait.seconds <= after + 5


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"resources": (LEFT,), "prunes": True}, id="it is pruned by and by"),
        pytest.param({"resources": (DIFFERENT,)}, id="a sync will begin"),
        pytest.param(
            {"resources": (DIFFERENT,), "operation": DONE, "self_heals": True}, id="healed again"
        ),
        pytest.param({"resources": (LEFT, DIFFERENT)}, id="not only pruning"),
    ],
)
def test_what_argocd_will_still_do_is_waited_for(changes: dict[str, object]) -> None:
    """
    An Application that is OutOfSync for a while has not failed.
    """
    script = [_at(second, sync="OutOfSync", **changes) for second in range(0, 180, 15)]
    wait = Wait(*script, (180, application()))

    wait.run()

    assert wait.seconds == pytest.approx(182, abs=4)


WINDOW = "deny `0 22 * * *` for 8h"


def test_a_closed_sync_window_is_named() -> None:
    """
    Auto-sync says nothing of the window that keeps it from syncing.
    """
    wait = Wait((0, application(sync="OutOfSync")))
    wait.argocd.window = WINDOW

    with pytest.raises(ApplicationError, match="A sync window keeps Argo CD") as raised:
        wait.run()

    assert WINDOW in raised.value.message
    assert wait.seconds == pytest.approx(71, abs=3)


def test_a_sync_window_that_opens_is_forgotten() -> None:
    """
    What was in the way a moment ago fails nobody.
    """

    class Opening(ScriptedArgoCD):
        def closed_window(self, application: Application) -> str:
            assert application.name
            return WINDOW if wait.seconds < 40 else ""

    wait = Wait((0, application(sync="OutOfSync")))
    wait.argocd = Opening(wait.clock, [(0, application(sync="OutOfSync")), (120, application())])

    wait.run()

    assert wait.seconds < 125


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (ArgoCDUnavailableError("Argo CD answers 502.", hint=""), WaitTimeoutError),
        (CancelledError("Stopped.", hint=""), CancelledError),
    ],
)
def test_windows_that_cannot_be_asked_for_change_nothing(
    refusal: ActionError, expected: type[ActionError]
) -> None:
    """
    A closer look that fails leaves the wait as it was; only cancellation ends it.
    """
    wait = Wait((0, application(sync="OutOfSync")))
    wait.argocd.refusal = refusal

    with pytest.raises(expected):
        wait.run()


def test_an_operation_that_a_window_stopped_is_named() -> None:
    """
    A window that closes in the middle leaves the operation Running for hours.
    """
    stopped = Operation(
        phase="Running",
        revision=OURS,
        started_at=BEFORE,
        message="Sync operation blocked by sync window",
    )
    wait = Wait((0, application(sync="OutOfSync", operation=stopped)))

    with pytest.raises(ApplicationError, match="A sync window keeps Argo CD"):
        wait.run()

    assert wait.seconds == pytest.approx(60, abs=2)


def test_degraded_names_the_pods_and_their_last_words() -> None:
    """
    The reason is in the log of the job, not only in the cluster.
    """
    bad = replace(DEPLOYMENT, health="Degraded", message="too slow")
    wait = Wait((0, application(health="Degraded", resources=(bad,))))
    wait.argocd.nodes, wait.argocd.log = NODES, ("panic: no database",)

    with pytest.raises(DegradedError) as raised:
        wait.run()

    assert raised.value.message.splitlines() == [
        "shop is Synced at 9d0f7e3 and Degraded: Deployment/shop is Degraded: too slow.",
        "Pod/shop-1 is ImagePullBackOff",
        "  | panic: no database",
    ]
    assert raised.value.partial


def _degraded_before(*, touched: bool) -> DegradedError:
    operation = replace(DONE, touched=(CART,) if touched else (DEPLOYMENT,))
    wait = Wait(
        (0, application(revision=OLDER, health="Degraded", resources=(DEPLOYMENT, CART))),
        (5, application(health="Degraded", resources=(DEPLOYMENT, CART), operation=operation)),
    )
    with pytest.raises(DegradedError) as raised:
        wait.run()
    return raised.value


def test_what_was_degraded_before_is_said_to_have_been() -> None:
    """
    A commit is not blamed for what was broken and what it did not touch.
    """
    before, ours = _degraded_before(touched=False), _degraded_before(touched=True)

    assert "Deployment/cart: Degraded before this commit already" in before.message
    assert "argocd-resources" in before.hint
    assert "before this commit" not in ours.message


def test_a_slow_rollout_says_after_a_minute_what_it_waits_for() -> None:
    """
    An image that cannot be pulled is named long before the Deployment gives up.
    """
    slow = replace(DEPLOYMENT, health="Progressing", message="1 out of 2 new replicas")
    wait = Wait((0, application(health="Progressing", resources=(slow,))))
    wait.argocd.nodes = NODES

    with pytest.raises(WaitTimeoutError) as raised:
        wait.run()

    assert wait.log.lines.count("shop: Pod/shop-1 is ImagePullBackOff") == 1
    (told,) = [line for line in wait.log.lines if "Progressing for a minute" in line]
    assert "progressDeadlineSeconds" in told
    assert raised.value.message.endswith("Pod/shop-1 is ImagePullBackOff")


def test_health_that_the_document_does_not_hold_is_looked_for_in_the_pods() -> None:
    """
    From Argo CD 3.0 on a document may say Degraded without saying of what.
    """
    wait = Wait((0, application(health="Degraded", resources=(DEPLOYMENT,))))
    wait.argocd.nodes = NODES

    with pytest.raises(DegradedError, match="Pod/shop-1 is ImagePullBackOff"):
        wait.run()


def test_degraded_for_a_moment_is_borne() -> None:
    """
    A new Ingress or autoscaler is Degraded until its controller has seen it.
    """
    wait = Wait((0, application(health="Degraded")), (40, application()))

    wait.run()

    assert wait.seconds == pytest.approx(41, abs=2)


@pytest.mark.parametrize(
    ("type_", "message", "kind", "words"),
    [
        ("InvalidSpecError", "namespace x is not permitted", ApplicationError, "refuses the spec"),
        ("UnknownError", "cannot reach the cluster", ApplicationError, "cannot compare shop"),
        (
            "ComparisonError",
            "rpc error: desc = `kustomize build` failed exit status 1: Error: no such field",
            ComparisonError,
            "cannot render shop: no such field",
        ),
    ],
)
def test_conditions_fail_in_their_own_words(
    type_: str, message: str, kind: type[ActionError], words: str
) -> None:
    """
    A manifest that is broken, a spec that is refused and a cluster that is away are told apart.
    """
    conditions = (Condition(type_, message),)
    wait = Wait(
        *(_at(second, sync="Unknown", conditions=conditions) for second in range(0, 200, 20))
    )

    with pytest.raises(kind, match=words):
        wait.run()


def test_a_status_that_can_no_longer_be_written_is_told() -> None:
    """
    An Application that has grown too large stays as it was last written, for ever.
    """
    message = "Application status exceeds the Kubernetes resource size limit, and may be stale"
    wait = Wait((0, application(conditions=(Condition("UnknownError", message),))))

    with pytest.raises(ApplicationError, match="cannot write the status of shop"):
        wait.run()

    assert wait.seconds == pytest.approx(120, abs=2)


def test_a_resource_that_two_applications_own_is_told_and_no_failure() -> None:
    """
    Argo CD leaves it out of the sync status, so that Synced may not be true of it.
    """
    message = "Deployment/shop is part of applications shop and cart"
    wait = Wait((0, application(conditions=(Condition("SharedResourceWarning", message),))))

    wait.run()

    assert f"shop: {message}" in wait.log.lines


def test_a_parent_of_applications_says_that_it_does_not_wait_for_them() -> None:
    """
    A parent is Healthy whatever its children are.
    """
    child = Resource(group="argoproj.io", kind="Application", name="cart")
    told = Wait((0, application(resources=(child,))))
    counted = Wait((0, application(resources=(replace(child, health="Healthy"),))))

    told.run()
    counted.run()

    assert any("Name them in `argocd-applications`" in line for line in told.log.lines)
    assert not any("argocd-applications" in line for line in counted.log.lines)


def test_a_rollback_by_hand_is_named() -> None:
    """
    After `argocd app rollback` auto-sync is off, and our commit is shown but not applied.
    """
    back = replace(DONE, revision=OLDER)
    wait = Wait((0, application(sync="OutOfSync", automated=False, operation=back)))

    with pytest.raises(ApplicationError, match=r"Its last sync was at 4be1c2a") as raised:
        wait.run()

    assert "argocd-sync: if-needed" in raised.value.hint


def test_synced_from_a_local_folder_is_not_synced() -> None:
    """
    `argocd app sync --local` leaves a branch's name where the revision should be.
    """
    wait = Wait((0, application(revision="main")))

    with pytest.raises(WaitTimeoutError, match="compares with 'main', not with a commit"):
        wait.run()
