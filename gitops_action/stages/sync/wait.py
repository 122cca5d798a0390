"""The wait itself: ask, judge, act, say what changed, sleep, until every Application is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, ApplicationError, ArgoCDUnavailableError
from gitops_action.model.wait import WaitFor
from gitops_action.stages.sync.actions import Action
from gitops_action.stages.sync.closer import Closer, Look
from gitops_action.stages.sync.ending import ROLLOUT_FAILURES, Pages, result, too_late
from gitops_action.stages.sync.kinds import changed_kinds, may_settle_late
from gitops_action.stages.sync.lineage import Branches, Lineage
from gitops_action.stages.sync.promotion import Files, Promotion, Sources
from gitops_action.stages.sync.request import SyncResult
from gitops_action.stages.sync.view import Goal
from gitops_action.stages.sync.voice import Voice
from gitops_action.stages.sync.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.model.argocd import Application
    from gitops_action.model.log import Log
    from gitops_action.model.wait import ApplicationName
    from gitops_action.stages.sync.request import Promoted, SyncRequest

_ASK_SECONDS = 10.0
# A refresh that takes longer has been asked for all the same; several must not add up.
_REFRESH_SECONDS = 5.0
_REFRESH_SECONDS_OF_ALL = 10.0
_SHORTEST_SLEEP = 0.05
_LAST_LOOK_SECONDS = 1.0
_OLD_SECONDS = 5.0
# (until this many seconds into the wait, seconds between polls)
_POLLS = ((60.0, 1.0), (300.0, 2.0), (float("inf"), 5.0))
_SELECT_PAUSES = (1.0, 2.0, 4.0)


class ArgoCD(Closer, Pages, Protocol):
    def application(  # noqa: PLR0913  a question has this many sides
        self,
        name: str,
        namespace: str = "",
        *,
        project: str = "",
        refresh: bool = False,
        hard: bool = False,
        timeout: float = 10.0,
    ) -> Application: ...

    def select(self, selector: str = "", *, project: str = "") -> tuple[ApplicationName, ...]:
        """Every Application whose labels fit."""

    def sync(self, name: str, namespace: str = "", *, project: str = "", nonce: str) -> bool:
        """Have Argo CD sync; False where an operation is under way.

        After ArgoCDUnavailableError the operation may have begun: its `nonce` tells.
        """

    def terminate(self, name: str, namespace: str = "", *, project: str = "") -> bool:
        """End the operation that is under way; False where none is."""


class History(Branches, Files, Protocol):
    """The commits of the GitOps branch, and the files in them."""


class Clock(Protocol):
    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


def sync(  # noqa: PLR0913  four collaborators beside what is asked
    request: SyncRequest,
    promoted: Promoted,
    *,
    argocd: ArgoCD,
    ancestry: History,
    clock: Clock,
    log: Log,
    sources: Sources | None = None,
) -> SyncResult:
    """Wait until every Application has what was promoted, or a descendant of it that asks for it.

    `sources` tells a newer image in our place from an older one.
    Raises WaitTimeoutError at the deadline; SyncError, ComparisonError, DegradedError,
    RolledBackError, OtherImageError and ApplicationError for what cannot come any more; and the
    errors of `argocd` once they last. Every error carries the SyncResult so far.
    """
    if request.wait_for is WaitFor.NOTHING:
        return SyncResult(())
    promotion = Promotion(promoted, ancestry, sources)
    goal = _goal(request, promoted, promotion.references)
    lineage = Lineage(promoted.commit, ancestry, clock.monotonic, promotion, request.branch)
    names = _names(request, argocd, clock)
    watches = [Watch(name, goal, lineage) for name in names]
    try:
        _Loop(request, argocd, clock, log).run(watches)
    except ActionError as error:
        error.partial = result(watches, argocd, failed=isinstance(error, ROLLOUT_FAILURES))
        raise
    return result(watches, argocd)


def _goal(request: SyncRequest, promoted: Promoted, images: tuple[str, ...]) -> Goal:
    kinds = changed_kinds(promoted.rendered_diff)
    return Goal(
        commit=promoted.commit,
        gitops_url=request.gitops_url,
        wait_for=request.wait_for,
        settle_seconds=request.settle_seconds if may_settle_late(kinds) else 0.0,
        branch=request.branch,
        resources=request.resources,
        mode=request.mode,
        unblock=request.unblock,
        reverts=request.reverts,
        images=images,
        kinds=kinds,
        run=request.run,
    )


def _names(request: SyncRequest, argocd: ArgoCD, clock: Clock) -> tuple[ApplicationName, ...]:
    if not request.selector:
        return request.applications
    found = _select(request, argocd, clock)
    if not found:
        raise ApplicationError(
            f"No Application that the token sees has the labels {request.selector}.",
            hint="Look at `argocd app list --selector`, and at the rights of the account.",
        )
    return tuple(dict.fromkeys((*request.applications, *found)))


def _select(request: SyncRequest, argocd: ArgoCD, clock: Clock) -> tuple[ApplicationName, ...]:
    for pause in _SELECT_PAUSES:
        try:
            return argocd.select(request.selector, project=request.project)
        except ArgoCDUnavailableError:
            clock.sleep(pause)
    return argocd.select(request.selector, project=request.project)


class _Loop:
    def __init__(self, request: SyncRequest, argocd: ArgoCD, clock: Clock, log: Log) -> None:
        self._project = request.project
        self._argocd = argocd
        self._clock = clock
        self._begun = clock.monotonic()
        self._deadline = self._begun + request.timeout_seconds
        self._voice = Voice(log, self._begun)
        self._asked_at: dict[Watch, float] = {}
        self._look = Look(argocd, self._voice)

    def run(self, watches: Sequence[Watch]) -> None:
        share = _REFRESH_SECONDS_OF_ALL / len(watches)
        refresh_seconds = min(_REFRESH_SECONDS, max(1.0, share))
        waiting = list(watches)
        while waiting:
            for watch in waiting:
                self._ask(watch, refresh_seconds)
                if watch.failure:
                    raise self._look.explained(watch.failure, [watch])
                self._act(watch)
                self._look.closer(watch, self._clock.monotonic())
            waiting = [watch for watch in waiting if not watch.done] or self._undone(watches)
            now = self._clock.monotonic()
            if waiting and now >= self._deadline:
                late = too_late(waiting, self._begun, now)
                raise self._look.explained(late, waiting)
            self._voice.say_alive(waiting, now)
            poll = next(seconds for until, seconds in _POLLS if now - self._begun < until)
            wake = min([now + poll, self._deadline, *(watch.wants_at for watch in waiting)])
            if waiting:
                self._clock.sleep(max(_SHORTEST_SLEEP, wake - now))

    def _undone(self, watches: Sequence[Watch]) -> list[Watch]:
        """Look once more at those that were done long before the last one."""
        for watch in watches:
            if self._clock.monotonic() - self._asked_at[watch] >= _OLD_SECONDS:
                self._ask(watch, _REFRESH_SECONDS)
        return [watch for watch in watches if not watch.done]

    def _ask(self, watch: Watch, refresh_seconds: float) -> None:
        """Ask for one document and let `watch` make of it, or of the refusal, what it can."""
        now = self._clock.monotonic()
        if not watch.may_ask(now) and now < self._deadline:
            return
        self._asked_at[watch] = now
        refresh = watch.wants_refresh(now)
        if now >= self._deadline + _LAST_LOOK_SECONDS:
            return  # the others' last looks have taken all of it
        # At the deadline itself there is one last look.
        left = max(_LAST_LOOK_SECONDS, self._deadline - now)
        try:
            application = self._argocd.application(
                watch.name.name,
                watch.name.namespace,
                project=self._project,
                refresh=refresh,
                hard=refresh and watch.wants_hard_refresh,
                timeout=min(refresh_seconds if refresh else _ASK_SECONDS, left),
            )
        except ActionError as error:
            watch.refused(error, self._clock.monotonic(), refresh=refresh)
        else:
            watch.saw(application, self._clock.monotonic(), refresh=refresh)
        self._voice.say_changes(watch, self._clock.monotonic())

    def _act(self, watch: Watch) -> None:
        if not watch.may_ask(self._clock.monotonic()):
            return
        if watch.action is Action.SYNC:
            self._sync(watch)
        elif watch.action is Action.UNBLOCK:
            # Read again just before: an attempt may have begun, and hooks may run.
            self._ask(watch, _REFRESH_SECONDS)
            if watch.action is Action.UNBLOCK:
                self._unblock(watch)

    def _sync(self, watch: Watch) -> None:
        name, now = watch.name, self._clock.monotonic()
        self._voice.say(watch, "asking Argo CD to sync", now)
        nonce = watch.nonce
        watch.asked_for_sync(now)
        try:
            taken = self._argocd.sync(name.name, name.namespace, project=self._project, nonce=nonce)
        except ArgoCDUnavailableError as error:
            self._voice.say(watch, error.message, now)
        else:
            if taken:
                watch.sync_taken()

    def _unblock(self, watch: Watch) -> None:
        name = watch.name
        watch.unblocked()
        try:
            ended = self._argocd.terminate(name.name, name.namespace, project=self._project)
        except ArgoCDUnavailableError as error:
            self._voice.say(watch, error.message, self._clock.monotonic())
        else:
            what = "ended the older operation" if ended else "the older operation ended by itself"
            self._voice.say(watch, what, self._clock.monotonic())
