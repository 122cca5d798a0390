"""What a closer look at an Application finds, in memory: live resources, logs, sync windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops_action.errors import ActionError
    from gitops_action.model.argocd import Application
    from gitops_action.model.argocd_tree import Node


class MemoryPods:
    """Every pod said `log` last; `refusal` and `log_refusal` are raised where they are set."""

    nodes: tuple[Node, ...] = ()
    window = ""
    refusal: ActionError | None = None
    log_refusal: ActionError | None = None
    log: tuple[str, ...] = ()

    def tree(self, application: Application) -> tuple[Node, ...]:
        assert application.name
        if self.refusal:
            raise self.refusal
        return self.nodes

    def last_log_lines(self, application: Application, pod: Node) -> tuple[str, ...]:
        assert application.name
        assert pod.kind == "Pod"
        if self.log_refusal:
            raise self.log_refusal
        return self.log

    def closed_window(self, application: Application) -> str:
        assert application.name
        if self.refusal:
            raise self.refusal
        return self.window
