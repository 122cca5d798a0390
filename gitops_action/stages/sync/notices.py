"""What people should know at once, though the wait goes on."""

from __future__ import annotations

from gitops_action.model.wait import WaitFor
from gitops_action.stages.sync.image import no_pods
from gitops_action.stages.sync.view import Finding, State, View
from gitops_action.stages.sync.words import one_line, short

_SHOWN = 5


def notice(view: View, finding: Finding) -> str:
    """Say it; empty where there is nothing to say. It does not change while it stays true."""
    if view.blocked:
        return _blocked(view)
    if view.waits_for_retry and view.operation_covers:
        return _failing(view)
    if finding.state is State.READY:
        return no_pods(view) or _parent(view)
    return ""


def _parent(view: View) -> str:
    """Argo CD counts no Application's health as part of another one's, unless it is told to."""
    resources = view.application.resources
    children = [one.name for one in resources if one.kind == "Application" and not one.health]
    if not children or view.goal.wait_for is WaitFor.SYNCED:
        return ""
    return (
        f"{view.application.name} is made of Applications ({', '.join(children[:_SHOWN])}), whose"
        " health is not part of its own: name them in `argocd-applications` to wait for them."
    )


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
