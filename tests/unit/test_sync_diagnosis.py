"""Why a rollout does not go on, in words: attempts, pods, and what is known to help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_action.errors import (
    ActionError,
    ArgoCDPermissionError,
    ArgoCDUnavailableError,
    CancelledError,
)
from gitops_action.model.argocd import Operation, Resource
from gitops_action.model.argocd_tree import Node
from gitops_action.stages.sync.advice import advice
from gitops_action.stages.sync.attempts import Attempts, remember
from gitops_action.stages.sync.diagnosis import diagnose
from gitops_action.stages.sync.words import cause
from tests.fakes.applications import BEFORE, LATER, OURS, application
from tests.fakes.pods import MemoryPods

PORT = 'Service "shop" is invalid: spec.ports[0].port: Invalid value: 8080000'


def _attempt(number: int, message: str, *, phase: str = "Running") -> Operation:
    resource = Resource(kind="Service", name="shop", sync="SyncFailed", message=message)
    return Operation(
        phase=phase,
        revision=OURS,
        started_at=BEFORE,
        finished_at=LATER,
        retries=number,
        failed=(resource,),
    )


def _remembered(*operations: Operation) -> Attempts:
    attempts = Attempts()
    for operation in operations:
        attempts = remember(attempts, operation)
    return attempts


def test_two_attempts_that_the_api_server_calls_invalid_are_enough() -> None:
    """
    The paths of Argo CD's temporary files, which change each time, do not hide the same answer.
    """
    first = _attempt(1, f'error when patching "/dev/shm/1": {PORT}')
    again = _attempt(2, f'error when patching "/dev/shm/22": {PORT}')

    assert _remembered(first, first).repeated == ""
    assert _remembered(first, again).repeated == PORT


@pytest.mark.parametrize(
    "message",
    [
        'admission webhook "x" denied the request: Service "shop" is invalid: no team',
        'failed calling webhook "x": connection refused',
        'no matches for kind "Rollout" in version "argoproj.io/v1alpha1"',
        "the server could not find the requested resource",
        "dial tcp: connection refused",
    ],
)
def test_what_may_mend_itself_is_tried_to_the_end(message: str) -> None:
    """
    A webhook that starts, or a definition that is installed beside us, is given its time.
    """
    attempts = _remembered(*(_attempt(number, message) for number in (1, 2, 3)))

    assert attempts.repeated == ""


def test_attempts_are_counted_by_operation() -> None:
    """
    What another commit was answered says nothing about ours.
    """
    theirs, ours = replace(_attempt(1, PORT), revision="other"), _attempt(1, PORT)
    running = replace(_attempt(1, PORT), finished_at=None)

    assert _remembered(theirs, ours).repeated == ""
    assert _remembered(running, ours).repeated == ""
    assert _remembered(ours, replace(_attempt(2, PORT), dry_run=True)).repeated == ""
    assert remember(Attempts(), None) == Attempts()


def test_an_attempt_that_was_not_seen_does_not_count() -> None:
    """
    Between two polls an attempt may come and go; the last one has no next to be waited for.
    """
    attempts = _remembered(
        _attempt(1, PORT), _attempt(4, "other"), _attempt(4, PORT, phase="Failed")
    )

    assert len(attempts.answers) == 5
    assert attempts.repeated == PORT


def _pods(
    *nodes: Node,
    log: tuple[str, ...] = (),
    refusal: ActionError | None = None,
    log_refusal: ActionError | None = None,
) -> MemoryPods:
    pods = MemoryPods()
    pods.nodes, pods.log, pods.refusal, pods.log_refusal = nodes, log, refusal, log_refusal
    return pods


BAD = (Resource(kind="Deployment", namespace="default", name="shop", health="Degraded"),)
DEPLOYMENT = Node(kind="Deployment", namespace="default", name="shop", uid="1")
REPLICAS = Node(kind="ReplicaSet", namespace="default", name="shop-a", uid="2", parents=("1",))
POD = Node(
    kind="Pod",
    namespace="default",
    name="shop-a-1",
    uid="3",
    parents=("2",),
    health="Degraded",
    reason="CrashLoopBackOff",
    message="back-off 40s restarting failed container",
    restarts=3,
)
WELL = replace(POD, uid="4", name="shop-a-2", health="Healthy", reason="Running")
STRANGER = replace(POD, uid="5", name="cart-1", parents=("9",))


def test_names_the_pods_below_what_is_degraded_and_what_they_said_last() -> None:
    """
    Pods that are well, and pods of other resources, are left out.
    """
    pods = _pods(DEPLOYMENT, REPLICAS, WELL, POD, STRANGER, log=("starting", "panic: no\tdb"))

    assert diagnose(application(), BAD, live=pods) == (
        "Pod/shop-a-1 is CrashLoopBackOff, 3 restarts: back-off 40s restarting failed container",
        "  | starting",
        "  | panic: no db",
    )


def test_of_many_pods_the_first_are_named() -> None:
    """
    A hundred replicas that crash alike do not fill the log.
    """
    many = (replace(POD, uid=f"p{number}", name=f"shop-{number}") for number in range(5))

    lines = diagnose(application(), BAD, live=_pods(DEPLOYMENT, REPLICAS, *many))

    assert [line.partition(" ")[0] for line in lines] == [
        "Pod/shop-0",
        "Pod/shop-1",
        "Pod/shop-2",
        "And",
    ]


def test_a_pod_that_was_never_started_has_its_reason() -> None:
    """
    An image that cannot be pulled is said even where there is no log to read.
    """
    pulling = replace(POD, health="Degraded", reason="ImagePullBackOff", message="", restarts=0)
    pods = _pods(DEPLOYMENT, REPLICAS, pulling, log_refusal=ArgoCDUnavailableError("x", hint=""))

    assert diagnose(application(), BAD, live=pods) == ("Pod/shop-a-1 is ImagePullBackOff",)


def test_a_log_that_may_not_be_read_names_the_right() -> None:
    """
    Who wants the lines next time knows what to ask for.
    """
    refusal = ArgoCDPermissionError("The account ci lacks `logs, get`.", hint="Add: `p, ci, …`.")

    lines = diagnose(application(), BAD, live=_pods(DEPLOYMENT, REPLICAS, POD, log_refusal=refusal))

    assert lines[1] == ("Its log was not read. The account ci lacks `logs, get`. Add: `p, ci, …`.")


def test_a_tree_that_cannot_be_had_is_said() -> None:
    """
    An explanation that fails never hides the failure that it explains.
    """
    refusal = ArgoCDUnavailableError("Argo CD answers 502.", hint="")

    assert diagnose(application(), BAD, live=_pods(refusal=refusal)) == (
        "Its pods could not be looked at: Argo CD answers 502.",
    )


@pytest.mark.parametrize("where", ["refusal", "log_refusal"])
def test_cancellation_ends_the_diagnosis(where: str) -> None:
    """
    A run that is stopped does not go on explaining.
    """
    stopped = CancelledError("Stopped.", hint="")
    pods = _pods(DEPLOYMENT, REPLICAS, POD)
    setattr(pods, where, stopped)

    with pytest.raises(CancelledError):
        diagnose(application(), BAD, live=pods)


def test_owners_in_a_circle_end() -> None:
    """
    A tree that is none does not hang the job.
    """
    pods = _pods(DEPLOYMENT, replace(REPLICAS, parents=("3",)), replace(POD, parents=("2",)))

    assert diagnose(application(), BAD, live=pods) == ()


def test_an_ingress_without_an_address_is_explained() -> None:
    """
    The most common endless Progressing comes with its fix.
    """
    ingress = Resource(kind="Ingress", name="shop", health="Progressing")
    unknown = Resource(kind="Widget", name="shop", health="Progressing")

    assert "publishedService" in advice((unknown, ingress))
    assert advice((unknown,)) == ""
    assert advice((replace(ingress, health="Healthy"),)) == ""
    assert advice((Resource(kind="Deployment", health="Progressing"),)).startswith("A Deployment")


def test_shows_the_last_words_of_kustomize() -> None:
    """
    What went wrong stands behind three wrappings and a command line.
    """
    message = (
        "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error:"
        " code = Unknown desc = `kustomize build <path>` failed exit status 1: # Warning: old\n"
        'Error: invalid Kustomization: json: unknown field "resourcez"'
    )

    assert cause(message) == 'invalid Kustomization: json: unknown field "resourcez"'
    assert cause("rpc error: no such repository") == "rpc error: no such repository"
