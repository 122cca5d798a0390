"""What people should know at once, though the wait goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.stages.sync.image import no_pods
from gitops_action.stages.sync.view import Finding, State, View
from gitops_action.stages.sync.words import one_line, short

if TYPE_CHECKING:
    pass


def notice(view: View, finding: Finding) -> str:
    """Say it; empty where there is nothing to say. It does not change while it stays true."""
    if view.blocked:
        return _blocked(view)
    if view.waits_for_retry and view.operation_covers:
        return _failing(view)
    if finding.state is State.READY:
        return no_pods(view)
    return ""


def _blocked(view: View) -> str:
    operation, name = view.application.operation, view.application.name
    said = one_line(_without_retry(operation.message)) if operation else ""
    text = (
        f"{name} is blocked: Argo CD tries the older commit"
        f" {short(operation.revision if operation else '')} again and again, and takes"
        f" {view.goal.commit.short} only after it: {said}"
    )
    if view.goal.unblock:
        return f"{text} It is ended now (`argocd-unblock: true`)."
    return f"{text} `argocd-unblock: true` ends it, as does `argocd app terminate-op {name}`."


def _failing(view: View) -> str:
    operation = view.application.operation
    return (
        f"{view.application.name} could not be synced at the first attempt, and Argo CD goes on"
        f" trying: {one_line(_without_retry(operation.message)) if operation else ''}"
    )


def _without_retry(message: str) -> str:
    """The message without what counts the attempts: `Retrying attempt #2 at 5:13AM.`."""
    return message.partition(" Retrying attempt #")[0]
