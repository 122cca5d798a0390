"""What people should know at once, though the wait goes on."""

from __future__ import annotations

from gitops_action.stages.sync.advice import advice
from gitops_action.stages.sync.image import no_pods
from gitops_action.stages.sync.view import Finding, State, View
from gitops_action.stages.sync.words import one_line, short

_LONG_SECONDS = 60.0


def notice(view: View, finding: Finding, lasted: float) -> str:
    """Say it; empty where there is nothing to say. It does not change while it stays true.

    `lasted` is for how many seconds the same has been found.
    """
    if view.blocked:
        return _blocked(view)
    if view.waits_for_retry and view.operation_covers:
        return _failing(view)
    if finding.state is State.READY:
        return no_pods(view) or _parent(view) or _shared(view)
    if finding.state is State.HEALTH and lasted >= _LONG_SECONDS:
        return _slow(view)
    return ""


def _blocked(view: View) -> str:
    operation, name = view.application.operation, view.application.name
    said = one_line(_without_retry(operation.message)) if operation else ""
    text = (
        f"{name} is blocked: Argo CD tries the older commit"
        f" {short(operation.revision if operation else '')} again and again, and takes"
        f" {view.goal.commit.short} only after it: {said}"
    )
    if view.may_unblock:
        why = "`argocd-unblock: true`" if view.goal.unblock else "it is the one that is taken back"
        return f"{text} It is ended now ({why})."
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


def _slow(view: View) -> str:
    """What a resource is known to wait for that has been Progressing for long."""
    slow = [one for one in view.application.resources if one.health == "Progressing"]
    if not slow:
        return ""
    names = ", ".join(str(one) for one in slow[:5])
    text = f"{view.application.name} has been Progressing for a minute: {names}. {advice(slow)}"
    return text.strip()


def _parent(view: View) -> str:
    """Argo CD does not count the health of the Applications that an Application is made of."""
    children = [one for one in view.application.resources if one.group == "argoproj.io"]
    names = [one.name for one in children if one.kind == "Application" and not one.health]
    if not names:
        return ""
    return (
        f"{view.application.name} is made of Applications whose health Argo CD does not count:"
        f" {', '.join(names[:5])}. Name them in `argocd-applications` to wait for them."
    )


def _shared(view: View) -> str:
    """What another Application owns, too, is left out of the sync status."""
    shared = [one for one in view.application.conditions if one.type == "SharedResourceWarning"]
    return f"{view.application.name}: {one_line(shared[0].message)}" if shared else ""
