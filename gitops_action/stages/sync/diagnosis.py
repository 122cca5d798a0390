"""Why resources are not healthy: their pods' reasons, and what these said last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, ArgoCDPermissionError, CancelledError
from gitops_action.stages.sync.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitops_action.model.argocd import Application, Resource
    from gitops_action.model.argocd_tree import Node

_PODS = 3
_FINE = {"Running", "Completed", "Succeeded"}
_LONGEST_LINE = 200


class Live(Protocol):
    def tree(self, application: Application) -> Sequence[Node]:
        """Every live resource of the Application."""

    def last_log_lines(self, application: Application, pod: Node) -> Sequence[str]:
        """The last lines of a pod's log; raises ArgoCDPermissionError."""


def diagnose(
    application: Application, resources: Sequence[Resource], *, live: Live
) -> tuple[str, ...]:
    """Lines about the pods of `resources` that are not well; nothing where they cannot be asked.

    A question that only explains must not fail the wait in another way: of the errors of `live`
    only CancelledError is raised.
    """
    try:
        nodes = live.tree(application)
    except CancelledError:
        raise
    except ActionError as error:
        return (f"Its pods could not be looked at: {error.message}",)
    pods = [node for node in _below(nodes, resources) if _is_ill(node)]
    # The newest trouble first: a pod that never started says more than one that is waited for.
    pods.sort(key=lambda pod: (pod.health != "Degraded", pod.reason in _FINE, pod.name))
    lines = [line for pod in pods[:_PODS] for line in _about(application, pod, live)]
    more = len(pods) - _PODS
    return (*lines, f"And {more} more pods are not well.") if more > 0 else tuple(lines)


def _about(application: Application, pod: Node, live: Live) -> Iterator[str]:
    restarts = f", {pod.restarts} restarts" if pod.restarts else ""
    message = f": {one_line(pod.message)}" if pod.message else ""
    yield f"{pod} is {pod.reason or pod.health}{restarts}{message}"
    try:
        lines = live.last_log_lines(application, pod)
    except CancelledError:
        raise
    except ArgoCDPermissionError as error:
        yield f"Its log was not read. {error.message} {error.hint}"
        return
    except ActionError:
        return  # a container that never ran has no log
    for line in lines:
        yield f"  | {' '.join(line.split())[:_LONGEST_LINE]}"


def _below(nodes: Sequence[Node], resources: Sequence[Resource]) -> Iterator[Node]:
    """The pods among `resources` and what they own."""
    wanted = {(one.kind, one.namespace, one.name) for one in resources}
    owners = {node.uid: node.parents for node in nodes}
    roots = {node.uid for node in nodes if (node.kind, node.namespace, node.name) in wanted}
    for node in nodes:
        if node.kind == "Pod" and roots & _ancestors(node.uid, owners):
            yield node


def _ancestors(uid: str, owners: dict[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    ask = [uid]
    while ask:
        one = ask.pop()
        if one not in found:
            found.add(one)
            ask += owners.get(one, ())
    return found


def _is_ill(pod: Node) -> bool:
    return pod.health not in {"", "Healthy"} or (bool(pod.reason) and pod.reason not in _FINE)
