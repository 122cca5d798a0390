"""How a wait ends: where every Application stood, and what the deadline found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ComparisonError, DegradedError, SyncError, WaitTimeoutError
from gitops_action.stages.sync.request import ApplicationResult, ResourceStatus, SyncResult
from gitops_action.stages.sync.view import State
from gitops_action.stages.sync.words import duration, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.model.argocd import Application
    from gitops_action.stages.sync.watch import Watch

_WHEN_LATE = {
    State.REVISION: "Argo CD has not taken the commit: look at the connection to the GitOps"
    " repository (Settings, Repositories), and at the branch that the Application follows.",
    State.COMPARE: "Argo CD could not compare: look at the Application's conditions, and at the"
    " log of argocd-repo-server.",
    State.OPERATION: "The operation does not end: look at its message, its hooks and sync windows;"
    " `argocd app terminate-op {name}` ends it.",
    State.SYNC: "Argo CD knows the commit and does not apply it: look at sync windows, at resources"
    " that need pruning (`spec: {{syncPolicy: {{automated: {{prune: true}}}}}}`), and at the log"
    " of argocd-application-controller.",
    State.RECONCILE: "Nothing reconciles: look whether argocd-application-controller runs.",
    State.HEALTH: "The commit is applied and does not become healthy: look at the events of what is"
    " named, or give it more time with `wait-timeout`.",
    State.IMAGE: "Argo CD did not compare once more: look whether argocd-application-controller"
    " runs.",
    State.SETTLE: "It was Healthy at last, not long enough: give it more time with `wait-timeout`.",
}
_LONG_QUEUED = 30.0
# What may be our own commit's doing; Argo CD that cannot be asked, or a cancellation, never is.
ROLLOUT_FAILURES = (SyncError, ComparisonError, DegradedError, WaitTimeoutError)
_NEVER_SEEN = "Look at the address in `argocd-server`, and whether the runner may reach it."


class Pages(Protocol):
    def page(self, application: Application) -> str:
        """The address of the Application's page."""


def too_late(waiting: Sequence[Watch], begun: float, now: float) -> WaitTimeoutError:
    """Say what the deadline found, of every Application that was still waited for."""
    first = waiting[0]
    hint = _NEVER_SEEN
    if first.verdict:
        hint = _WHEN_LATE[State.RECONCILE if _stands_still(first, now) else first.verdict.state]
    return WaitTimeoutError(
        " ".join(_last_seen(watch, now - begun, now) for watch in waiting),
        hint=hint.format(name=first.name),
    )


def _stands_still(watch: Watch, now: float) -> bool:
    """Whether Argo CD answers, and its controller does nothing."""
    return watch.queued_seconds(now) >= _LONG_QUEUED and not watch.refused_now


def _last_seen(watch: Watch, seconds: float, now: float) -> str:
    document, verdict, goal = watch.application, watch.verdict, watch.goal
    if document is None or verdict is None:
        return f"{watch.name} was not seen in {duration(seconds)}: {watch.reason}"
    status = document.sync or "of unknown sync status"
    expected = "Synced"
    if verdict.state in {State.HEALTH, State.SETTLE}:
        status, expected = f"{status} and {document.health or 'of unknown health'}", "Healthy"
    text = (
        f"{watch.name} is {status} at {short(document.revision)} after {duration(seconds)};"
        f" expected {expected} at {goal.commit.short}."
    )
    if _stands_still(watch, now):
        return (
            f"{text} Nothing reconciles: a refresh has been waiting for its turn for"
            f" {duration(watch.queued_seconds(now))}."
        )
    if verdict.state is State.REVISION and not watch.refused_now:
        return text
    return f"{text} Last seen: {watch.reason.rstrip('.')}."


def result(watches: Sequence[Watch], pages: Pages, *, failed: bool = False) -> SyncResult:
    """Where everything stands; `failed` is whether what ended the wait may be a failed rollout."""
    verdicts = [watch.verdict for watch in watches if watch.verdict]
    # Of several Applications all that are not done must have failed by our commit's doing.
    undone = [one for one in verdicts if not one.state.done]
    blamed = [one for one in undone if one.failure] or undone
    return SyncResult(
        tuple(_one_result(watch, pages) for watch in watches),
        superseded=any(one.state is State.SUPERSEDED for one in verdicts),
        rollout_failed=failed
        and len(verdicts) == len(watches)
        and bool(blamed)
        and all(one.rollout_failed for one in blamed)
        and not any(watch.refused_now for watch in watches),
    )


def _one_result(watch: Watch, pages: Pages) -> ApplicationResult:
    document = watch.application
    return ApplicationResult(
        name=watch.name,
        revision=document.revision if document else "",
        sync=document.sync if document else "",
        health=document.health if document else "",
        url=pages.page(document) if document else "",
        reason=watch.reason,
        resources=tuple(
            ResourceStatus(
                kind=resource.kind,
                name=resource.name,
                sync=resource.sync,
                health=resource.health,
                message=resource.message,
            )
            for resource in (document.resources if document else ())
        ),
    )
