"""Our image must be what runs: Synced can be true of manifests that name another one.

`status.summary.images` holds the images of the pods that live, the old ones included while a
rollout goes on. Finished pods of a CronJob keep an older image until its next run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.errors import OtherImageError
from gitops_action.model.wait import WaitFor
from gitops_action.stages.sync.view import Finding, State
from gitops_action.stages.sync.words import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.errors import ActionError
    from gitops_action.model.argocd_tree import Node
    from gitops_action.stages.sync.view import View

_GRACE_SECONDS = 5.0
# What has pods as long as it is there, and what has pods now and then.
_LASTING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "Pod"})
_PASSING = frozenset({"CronJob", "Job"})


def is_idle(nodes: Sequence[Node]) -> bool:
    """Whether all pods among the live resources are of what runs now and then: Jobs, finished."""
    pods = [node for node in nodes if node.kind == "Pod"]
    kinds = {node.uid: node.kind for node in nodes}
    return bool(pods) and all(
        pod.parents and {kinds.get(owner) for owner in pod.parents} <= _PASSING for pod in pods
    )


def other_image(view: View) -> Finding | None:
    """Find that another image than ours runs."""
    if _runs(view) or not _must_run(view):
        return None
    error = _error(view)
    return Finding(
        state=State.IMAGE,
        reason=f"{error.message} Looking once more.",
        failure=error,
        grace=_GRACE_SECONDS,
        comparisons=2,  # the one that said so, and one that forgot all manifests
    )


def no_pods(view: View) -> str:
    """Say that our image was not seen to run, where that proves nothing."""
    if _runs(view) or _must_run(view):
        return ""
    return (
        f"{view.application.name} has no pod of {view.goal.images[0]}: no workload of it runs all"
        " the time, so that only the manifests are known to ask for it."
    )


def _runs(view: View) -> bool:
    wanted = view.goal.images
    if not wanted or view.goal.wait_for is WaitFor.SYNCED:
        return True
    return bool(set(wanted) & set(view.application.images))


def _must_run(view: View) -> bool:
    """Whether a workload with our image would have pods, so that another image is in its place."""
    return _kept_running(view) and bool((_in_its_place(view) and not view.idle) or _overrides(view))


def _kept_running(view: View) -> bool:
    if view.goal.kinds is not None:
        return bool(view.goal.kinds & _LASTING)
    there = {one.kind for one in view.application.resources}
    return bool(there & _LASTING) and not there & _PASSING


def _in_its_place(view: View) -> list[str]:
    names = {_name(one) for one in view.goal.images}
    return [one for one in view.application.images if _name(one) in names]


def _overrides(view: View) -> list[str]:
    """The Application's own overrides of an image of ours: `shop=ghcr.io/acme/shop:1`."""
    names = {_name(one) for one in view.goal.images}
    last = {name.rpartition("/")[2] for name in names}
    return [
        one
        for one in view.application.source.images
        if {_name(part) for part in one.split("=")} & (names | last)
    ]


def _name(reference: str) -> str:
    named = reference.partition("@")[0]
    folder, slash, last = named.rpartition("/")
    return folder + slash + last.partition(":")[0]


def _error(view: View) -> ActionError:
    application, wanted = view.application, view.goal.images[0]
    runs = ", ".join(_in_its_place(view) or application.images) or "no image at all"
    message = (
        f"{application.name} is Synced at {short(application.revision)} and does not run"
        f" {wanted}; it runs {runs}."
    )
    if overrides := _overrides(view):
        return OtherImageError(
            f"{message} The Application overrides the image itself: {', '.join(overrides)}.",
            hint="Remove the override (`spec.source.kustomize.images`):"
            f" `argocd app unset {application.name} --kustomize-image NAME`.",
        )
    return OtherImageError(
        message,
        hint="Look whether the Application's `path` and `targetRevision` lead to the kustomization"
        " that was promoted, and whether another tool sets the image in the cluster.",
    )
