"""The wait itself: ask, judge, say what changed, sleep, until every Application is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, WaitTimeoutError
from gitops_action.model.wait import WaitFor
from gitops_action.stages.sync.lineage import Lineage
from gitops_action.stages.sync.request import ApplicationResult, ResourceStatus, SyncResult
from gitops_action.stages.sync.view import Goal, State
from gitops_action.stages.sync.watch import Watch
from gitops_action.stages.sync.words import duration, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.model.argocd import Application
    from gitops_action.model.log import Log
    from gitops_action.model.source import CommitSha
    from gitops_action.stages.sync.lineage import Ancestry
    from gitops_action.stages.sync.request import SyncRequest

_ASK_SECONDS = 10.0
# A refresh that takes longer has been asked for all the same; several must not add up.
_REFRESH_SECONDS = 5.0
_REFRESH_SECONDS_OF_ALL = 10.0
_HEARTBEAT_SECONDS = 55.0  # with the pause of a poll less than a minute
_SHORTEST_SLEEP = 0.05
# (until this many seconds into the wait, seconds between polls)
_POLLS = ((60.0, 1.0), (300.0, 2.0), (float("inf"), 5.0))

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
    State.SETTLE: "It was Healthy at last, not long enough: give it more time with `wait-timeout`.",
}
_NEVER_SEEN = "Look at the address in `argocd-server`, and whether the runner may reach it."


class ArgoCD(Protocol):
    def application(
        self, name: str, namespace: str = "", *, refresh: bool = False, timeout: float = 10.0
    ) -> Application: ...

    def page(self, application: Application) -> str:
        """The address of the Application's page."""


class Clock(Protocol):
    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


def sync(  # noqa: PLR0913  four collaborators beside what is asked
    request: SyncRequest,
    commit: CommitSha,
    *,
    argocd: ArgoCD,
    ancestry: Ancestry,
    clock: Clock,
    log: Log,
) -> SyncResult:
    """Wait until every Application has `commit`, or a descendant, deployed as `wait_for` asks.

    Raises WaitTimeoutError at the deadline; SyncError, ComparisonError, DegradedError and
    ApplicationError for what cannot come any more; and the errors of `argocd` once they last.
    Every error carries the SyncResult so far.
    """
    if request.wait_for is WaitFor.NOTHING:
        return SyncResult(())
    goal = Goal(
        commit=commit,
        gitops_url=request.gitops_url,
        wait_for=request.wait_for,
        settle_seconds=request.settle_seconds,
    )
    relation = Lineage(commit, ancestry, clock.monotonic).relation
    watches = [Watch(name, goal, relation) for name in request.applications]
    try:
        _wait(request, watches, argocd=argocd, clock=clock, log=log)
    except ActionError as error:
        error.partial = _result(watches, argocd)
        raise
    return _result(watches, argocd)


def _wait(
    request: SyncRequest, watches: Sequence[Watch], *, argocd: ArgoCD, clock: Clock, log: Log
) -> None:
    begun = clock.monotonic()
    deadline = begun + request.timeout_seconds
    refresh_seconds = min(_REFRESH_SECONDS, max(1.0, _REFRESH_SECONDS_OF_ALL / len(watches)))
    voice = _Voice(log, begun)
    waiting = list(watches)
    while waiting:
        for watch in waiting:
            _ask(watch, argocd, clock, deadline, refresh_seconds)
            voice.say_changes(watch, clock.monotonic())
            if watch.failure:
                raise watch.failure
        waiting = [watch for watch in waiting if not watch.done]
        now = clock.monotonic()
        if waiting and now >= deadline:
            raise _too_late(waiting, now - begun)
        voice.say_alive(waiting, now)
        poll = next(seconds for until, seconds in _POLLS if now - begun < until)
        wake = min([now + poll, deadline, *(watch.wants_at for watch in waiting)])
        if waiting:
            clock.sleep(max(_SHORTEST_SLEEP, wake - now))


class _Voice:
    """Says what changes, and after a minute of silence that the wait goes on."""

    def __init__(self, log: Log, begun: float) -> None:
        self._log = log
        self._begun = self._said_at = begun
        self._said: dict[Watch, str] = {}

    def say_changes(self, watch: Watch, now: float) -> None:
        if watch.reason and watch.reason != self._said.get(watch):
            self._said[watch] = watch.reason
            self._said_at = now
            self._log.say(f"{watch.name}: {watch.reason}")

    def say_alive(self, waiting: Sequence[Watch], now: float) -> None:
        if now - self._said_at >= _HEARTBEAT_SECONDS:
            self._said_at = now
            for watch in waiting:
                self._log.say(f"{watch.name}: {watch.reason} ({duration(now - self._begun)})")


def _ask(
    watch: Watch, argocd: ArgoCD, clock: Clock, deadline: float, refresh_seconds: float
) -> None:
    """Ask for one document and let `watch` make of it, or of the refusal, what it can."""
    now = clock.monotonic()
    refresh = watch.wants_refresh(now)
    # At the deadline itself there is one last look.
    seconds = min(refresh_seconds if refresh else _ASK_SECONDS, max(1.0, deadline - now))
    try:
        application = argocd.application(
            watch.name.name, watch.name.namespace, refresh=refresh, timeout=seconds
        )
    except ActionError as error:
        watch.refused(error, clock.monotonic(), refresh=refresh)
    else:
        watch.saw(application, clock.monotonic(), refresh=refresh)


def _too_late(waiting: Sequence[Watch], seconds: float) -> WaitTimeoutError:
    first = waiting[0]
    hint = _WHEN_LATE[first.verdict.state] if first.verdict else _NEVER_SEEN
    return WaitTimeoutError(
        " ".join(_last_seen(watch, seconds) for watch in waiting),
        hint=hint.format(name=first.name),
    )


def _last_seen(watch: Watch, seconds: float) -> str:
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
    if verdict.state is State.REVISION and not watch.refused_now:
        return text
    return f"{text} Last seen: {watch.reason.rstrip('.')}."


def _result(watches: Sequence[Watch], argocd: ArgoCD) -> SyncResult:
    return SyncResult(tuple(_one_result(watch, argocd) for watch in watches))


def _one_result(watch: Watch, argocd: ArgoCD) -> ApplicationResult:
    document = watch.application
    return ApplicationResult(
        name=watch.name,
        revision=document.revision if document else "",
        sync=document.sync if document else "",
        health=document.health if document else "",
        url=argocd.page(document) if document else "",
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
