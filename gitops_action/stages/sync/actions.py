"""What a wait does besides looking: it has Argo CD sync, or ends an operation that blocks."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from gitops_action.model.wait import SyncMode
from gitops_action.stages.sync.view import State

if TYPE_CHECKING:
    from gitops_action.stages.sync.memory import Memory
    from gitops_action.stages.sync.view import Finding, View

# Auto-sync that has done nothing for so long does not come (argoproj/argo-cd#21902, #27875).
_STALL_SECONDS = 90.0
_FAILED = {"Failed", "Error"}
_AFTER_SYNCED = {State.HEALTH, State.IMAGE, State.READY}
_MOST_SYNCS = 3  # that Argo CD does not take
# A request without an answer may still arrive: its nonce is looked for this long.
_DOUBT_SECONDS = 5.0


class Action(enum.Enum):
    SYNC = enum.auto()
    UNBLOCK = enum.auto()


def decide(view: View, memory: Memory, finding: Finding, now: float) -> Action | None:
    """Choose what to do about what was found."""
    if view.may_unblock:
        return Action.UNBLOCK
    if memory.syncs >= _MOST_SYNCS or now - memory.asked_at < _DOUBT_SECONDS:
        return None
    if view.application.revision in memory.synced:
        return None
    if _ended_by_us(view, memory) or _nobody_syncs(view, memory, finding, now):
        return Action.SYNC
    if view.goal.mode is SyncMode.ALWAYS and finding.state in _AFTER_SYNCED:
        return None if memory.operated else Action.SYNC
    return None


def is_being_repaired(view: View, memory: Memory, now: float) -> bool:
    """Whether the failure of the last operation is ours to mend, and may be mended yet."""
    return _ended_by_us(view, memory) and now - memory.asked_at < _DOUBT_SECONDS


def _ended_by_us(view: View, memory: Memory) -> bool:
    """Whether ending the older operation met ours instead: auto-sync never tries it again."""
    last = view.application.operation
    return bool(
        memory.unblocked
        and last
        and last.phase in _FAILED
        and view.operation_covers
        and not view.application.operation_requested
        and "terminat" in last.message.lower()
    )


def _nobody_syncs(view: View, memory: Memory, finding: Finding, now: float) -> bool:
    if view.goal.mode is SyncMode.NEVER or finding.state is not State.SYNC:
        return False
    # A progressive ApplicationSet has an order of its own. A failed sync is a failure.
    if view.application.of_application_set or (finding.failure and finding.about != "manual"):
        return False
    return not view.application.automated or now - memory.since >= _STALL_SECONDS
