"""How Argo CD applies our commit: the operation, and what still differs after it, or without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.model.wait import SyncMode
from gitops_action.stages.sync import failures
from gitops_action.stages.sync.view import Finding, State
from gitops_action.stages.sync.words import listed, one_line, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.model.argocd import Resource
    from gitops_action.stages.sync.view import View

_UNDER_WAY = {"Running", "Terminating"}
_FAILED = {"Failed", "Error"}
_BLOCKED_BY_WINDOW = "blocked by sync window"
# How long a state may last that could still mend itself, in seconds.
_WINDOW_GRACE = _MANUAL_GRACE = 60.0
_PRUNING_GRACE = 15.0
_STILL_DIFFERENT_GRACE = 90.0


def under_way(view: View) -> Finding | None:
    """Find that an operation is under way, and whether it can end well."""
    operation = view.application.operation
    if operation is None or operation.phase not in _UNDER_WAY:
        if not view.application.operation_requested:
            return None
        return Finding(state=State.OPERATION, reason="an operation is about to start")
    reason = f"operation {operation.phase} at {short(operation.revision)}"
    if operation.revision and not view.operation_covers:
        reason += f", which does not contain {view.goal.commit.short}"
    if operation.message:
        reason += f": {one_line(operation.message)}"
    if _BLOCKED_BY_WINDOW in operation.message:
        return Finding(
            state=State.OPERATION,
            reason=reason,
            about="window",
            failure=failures.window_closed(view.application, view.window or operation.message),
            grace=_WINDOW_GRACE,
        )
    if view.operation_covers and view.repeated:
        error = failures.keeps_failing(view.application, operation, view.repeated)
        return Finding(state=State.OPERATION, reason=reason, about="again", failure=error)
    return Finding(state=State.OPERATION, reason=reason)


def not_applied(view: View) -> Finding | None:
    """Find that the last operation was ours and failed."""
    operation = view.application.operation
    if view.operation_covers and operation and operation.phase in _FAILED:
        error = failures.not_applied(view.application, operation)
        return Finding(state=State.SYNC, reason=error.message, failure=error)
    return None


def refused(view: View) -> Finding | None:
    """Find that auto-sync gave up: it never tries a failed revision again by itself."""
    for condition in view.application.conditions:
        if condition.type == "SyncError" and (
            view.operation_covers or view.goal.commit.value in condition.message
        ):
            error = failures.refused(view.application, condition.message)
            return Finding(state=State.SYNC, reason=error.message, failure=error)
    return None


def out_of_sync(view: View) -> Finding | None:
    """Find what differs from our commit, and why it will stay so."""
    application = view.application
    if application.sync == "Synced":
        return None
    different = [one for one in application.resources if one.sync == "OutOfSync"]
    reason = f"OutOfSync at {short(application.revision)}"
    if different:
        reason += f" ({listed(different)})"
    for check in (_needs_pruning, _still_different):
        if found := check(view, reason, different):
            return found
    # A progressive ApplicationSet switches auto-sync off and syncs by itself, in its order.
    if application.of_application_set:
        return Finding(state=State.SYNC, reason=reason)
    if not application.automated:
        return Finding(
            state=State.SYNC,
            reason=f"{reason}; auto-sync is off",
            about="manual",
            failure=failures.manual(application, view)
            if view.goal.mode is SyncMode.NEVER
            else None,
            grace=_MANUAL_GRACE,
        )
    if view.window:
        return Finding(
            state=State.SYNC,
            reason=f"{reason}; a sync window keeps Argo CD from syncing: {view.window}",
            about="window",
            failure=failures.window_closed(application, view.window),
            grace=_WINDOW_GRACE,
        )
    return Finding(state=State.SYNC, reason=reason)


def _needs_pruning(view: View, reason: str, different: Sequence[Resource]) -> Finding | None:
    application = view.application
    if not different or not all(one.requires_pruning for one in different):
        return None
    # Where nothing but pruning is left to do and it is switched off, auto-sync does not even begin.
    waits_for_nobody = application.automated and not application.prunes
    if not waits_for_nobody and not _done(view):
        return None
    return Finding(
        state=State.SYNC,
        reason=f"{reason}, which needs pruning",
        about="pruning",
        failure=failures.needs_pruning(application, different),
        grace=_PRUNING_GRACE,
        comparisons=2,
    )


def _still_different(view: View, reason: str, different: Sequence[Resource]) -> Finding | None:
    if not _done(view) or view.application.self_heals:
        return None
    return Finding(
        state=State.SYNC,
        reason=f"{reason} after the sync",
        about="different",
        failure=failures.still_different(view.application, different),
        grace=_STILL_DIFFERENT_GRACE,
        comparisons=3,
    )


def _done(view: View) -> bool:
    """Whether exactly what is compared was applied, and compared with after that."""
    finished = view.finished
    return bool(
        finished
        and finished.phase == "Succeeded"
        and finished.revision == view.application.revision
        and view.fresh
    )
