"""One Application under watch: its last verdict, when to refresh it, how long to bear refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitops_action.errors import (
    ActionError,
    ApplicationError,
    ArgoCDError,
    ArgoCDLoginError,
    ArgoCDPermissionError,
    ArgoCDTLSError,
    ArgoCDUnavailableError,
)
from gitops_action.stages.sync.memory import Memory
from gitops_action.stages.sync.verdict import Verdict, judge
from gitops_action.stages.sync.view import State

if TYPE_CHECKING:
    from gitops_action.model.argocd import Application
    from gitops_action.model.wait import ApplicationName
    from gitops_action.stages.sync.actions import Action
    from gitops_action.stages.sync.lineage import Lineage
    from gitops_action.stages.sync.view import Goal

# Seconds to the next refresh: after the state's start, then after each refresh; the last repeats.
_REFRESHES = {
    State.REVISION: (0.0, 5.0, 5.0, 10.0, 30.0),
    State.COMPARE: (0.0, 5.0, 10.0, 20.0, 40.0, 60.0),
    State.SYNC: (30.0,),
    # A server's second later the comparison can be told from the end of the operation.
    State.RECONCILE: (1.0, 2.0, 4.0, 8.0),
    State.HEALTH: (60.0,),
    State.IMAGE: (0.0, 5.0, 10.0, 30.0),
}
_BETWEEN_REFRESHES = 5.0
_QUEUED_SECONDS = 60.0
_CONFIRM_SECONDS = 0.25
# How long a refusal may last: before the Application was seen, and after (a server that restarts
# answers 401 and 403 for a while), in seconds.
_PATIENCE: dict[type[ActionError], tuple[float, float]] = {
    ArgoCDUnavailableError: (120.0, 120.0),
    ArgoCDLoginError: (3.0, 60.0),
    ArgoCDPermissionError: (10.0, 120.0),
    ApplicationError: (10.0, 120.0),
    ArgoCDError: (0.0, 10.0),
    ArgoCDTLSError: (0.0, 0.0),
}
_FEWEST_TRIES = 5
_LONGEST_PAUSE, _LONGEST_OWN_PAUSE = 30.0, 5.0


class Watch:
    """What is known of one Application; `verdict` and `application` are None until it was seen.

    `action` is what the last document asks for, and has not been done yet.
    """

    def __init__(self, name: ApplicationName, goal: Goal, lineage: Lineage) -> None:
        self.name = name
        self.goal = goal
        self.application: Application | None = None
        self.verdict: Verdict | None = None
        self.reason = ""
        self.failure: ActionError | None = None
        self.action: Action | None = None
        self._memory = Memory()
        self._lineage = lineage
        self._refreshed_at = float("-inf")
        self._refreshed_kind = ""
        self._refreshes = 0
        self._refused_since: float | None = None
        self._refusals = 0
        self._not_before = float("-inf")
        self._queued_since: float | None = None

    @property
    def refused_now(self) -> bool:
        return self._refused_since is not None

    @property
    def done(self) -> bool:
        return self.verdict is not None and self.verdict.state.done

    @property
    def wants_at(self) -> float:
        """When the next document is wanted at the latest, whatever the poll says."""
        wanted = self._refresh_at
        if self.verdict and self.verdict.state is State.SETTLE:
            wanted = self._memory.since + _CONFIRM_SECONDS * self._memory.documents
        return max(wanted, self._not_before)

    def queued_seconds(self, now: float) -> float:
        """How long a refresh has been waiting for its turn."""
        return now - self._queued_since if self._queued_since is not None else 0.0

    @property
    def nonce(self) -> str:
        """What our next request for a sync is known by."""
        return self.goal.nonce(self.application.revision if self.application else "")

    def may_ask(self, now: float) -> bool:
        """Whether a server that is too busy has had the time that it wanted."""
        return now >= self._not_before

    def wants_refresh(self, now: float) -> bool:
        return now >= self._refresh_at

    @property
    def wants_hard_refresh(self) -> bool:
        """Whether the next refresh shall also forget manifests: once, where they may be wrong."""
        state = self.verdict.state if self.verdict else None
        made = self._made(self._memory.kind)
        cached = state is State.COMPARE and "(cached)" in self.reason
        return (state is State.IMAGE and made == 0) or (cached and made == 1)

    def _made(self, kind: str) -> int:
        return self._refreshes if kind == self._refreshed_kind else 0

    @property
    def _refresh_at(self) -> float:
        if self.verdict is None or self.application is None or self.refused_now:
            return float("inf")
        state, memory = self.verdict.state, self._memory
        if state not in _REFRESHES:
            return float("inf")
        made = self._made(memory.kind)
        pause = _REFRESHES[state][min(made, len(_REFRESHES[state]) - 1)]
        due = (self._refreshed_at if made else memory.since) + pause
        if self.application.refresh_queued:
            return max(due, self._refreshed_at + _QUEUED_SECONDS)
        if state is State.RECONCILE:
            return due
        return max(due, self._refreshed_at + _BETWEEN_REFRESHES)

    def saw(self, application: Application, now: float, *, refresh: bool) -> None:
        """Take a document in."""
        self._note_refresh(now, refresh=refresh)
        self._refused_since, self._refusals = None, 0
        if not application.refresh_queued:
            self._queued_since = None
        elif self._queued_since is None:
            self._queued_since = now
        self.verdict = judge(
            application, self._memory, goal=self.goal, lineage=self._lineage, now=now
        )
        self.application = self.verdict.application
        self._memory, self.action = self.verdict.memory, self.verdict.action
        self.reason, self.failure = self.verdict.reason, self.verdict.failure

    def asked_for_sync(self, now: float) -> None:
        """Remember a request for a sync, whose answer is not known yet."""
        self._remember(syncs=self._memory.syncs + 1, asked_at=now)

    def sync_taken(self) -> None:
        """Remember that Argo CD took the request: at this revision it is not asked again."""
        at = {self.application.revision} if self.application else set()
        self._remember(synced=self._memory.synced | at, syncs=0)

    def unblocked(self) -> None:
        """Remember that we ended an operation."""
        self._remember(unblocked=True)

    def in_window(self, window: str) -> None:
        """Remember the sync window that is in the way; `""` for none."""
        self._remember(window=window)

    def idles(self) -> None:
        """Remember that no workload that runs all the time has pods."""
        self._remember(idle=True)

    def _remember(self, **changes: Any) -> None:  # noqa: ANN401  fields of a Memory
        self._memory = replace(self._memory, **changes)
        self.action = None

    def refused(self, error: ActionError, now: float, *, refresh: bool) -> None:
        """Take a refusal in: raise it where it is none of Argo CD's, or has lasted too long."""
        self._note_refresh(now, refresh=refresh)
        self.action = None
        if type(error) not in _PATIENCE:
            raise error
        if isinstance(error, ArgoCDUnavailableError):
            wanted = min(error.retry_after_seconds, _LONGEST_PAUSE)
            self._not_before = now + max(wanted, self._own_pause(now))
        if refresh and isinstance(error, ArgoCDUnavailableError):
            return  # it was asked for, and the next document tells
        if self._refused_since is None:
            self._refused_since = now
        self._refusals += 1
        self.reason = error.message
        patience = _PATIENCE[type(error)][self.application is not None]
        tries = _FEWEST_TRIES if isinstance(error, ArgoCDUnavailableError) else 1
        if now - self._refused_since >= patience and self._refusals >= tries:
            self.failure = error

    def _own_pause(self, now: float) -> float:
        """A fifth of the time that it has refused, so that the end of a restart is seen soon."""
        since = now if self._refused_since is None else self._refused_since
        return min(_LONGEST_OWN_PAUSE, (now - since) / 5)

    def _note_refresh(self, now: float, *, refresh: bool) -> None:
        if refresh and self.verdict:
            kind = self._memory.kind
            self._refreshes = self._refreshes + 1 if kind == self._refreshed_kind else 1
            self._refreshed_kind, self._refreshed_at = kind, now
