"""What the documents of an Application mean for a wait: a pure function of document and memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitops_action.errors import ComparisonError, DegradedError, SyncError
from gitops_action.model.wait import SyncMode, WaitFor
from gitops_action.stages.sync.actions import Action, decide, is_being_repaired
from gitops_action.stages.sync.attempts import remember
from gitops_action.stages.sync.conditions import is_outside
from gitops_action.stages.sync.findings import find, replaced
from gitops_action.stages.sync.lineage import Lineage, Relation
from gitops_action.stages.sync.memory import Memory
from gitops_action.stages.sync.narrow import narrow
from gitops_action.stages.sync.notices import notice
from gitops_action.stages.sync.view import Finding, Goal, State, View

if TYPE_CHECKING:
    from gitops_action.errors import ActionError
    from gitops_action.model.argocd import Application, Operation

_CONFIRMED = 2  # documents: the second one confirms the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a document means.

    `application` is the document as far as the wait needs it. `reason` is for people; `failure` is
    there once waiting on makes no sense, `action` where something has to be done, `notice` where
    something has to be known. `rollout_failed` tells that our own rollout failed, or would have if
    the wait ended now.
    """

    application: Application
    state: State
    reason: str
    memory: Memory
    failure: ActionError | None = None
    action: Action | None = None
    notice: str = ""
    rollout_failed: bool = False


def judge(
    application: Application, memory: Memory, *, goal: Goal, lineage: Lineage, now: float
) -> Verdict:
    """Say what `application` means; the verdict's memory belongs to the next call."""
    application = narrow(application, goal, lineage.relation)
    ours = lineage.relation(application.revision)
    memory = _begin(memory, application, ours)
    covers = _operation_covers(application.operation, memory, lineage)
    if covers:
        memory = replace(memory, attempts=remember(memory.attempts, application.operation))
    view = View(
        application=application,
        goal=goal,
        relation=ours,
        operation_covers=covers,
        operation_relation=_operation_relation(application.operation, lineage),
        before=memory.before,
        replacement=lineage.replacement(application.revision),
        repeated=memory.attempts.repeated,
        window=memory.window,
        idle=memory.idle,
    )
    finding = find(view)
    memory = _remember(memory, finding, view, now)
    action = decide(view, memory, finding, now)
    mends = action is Action.SYNC or is_being_repaired(view, memory, now)
    failure = None if mends else finding.failure
    if now - memory.since < finding.grace or len(memory.reconciled) < finding.comparisons:
        failure = None
    if failure and (overtaken := _overtaken(view, failure, lineage)):
        finding, failure = overtaken, overtaken.failure
    state = finding.state
    if state is State.READY and (action or not _settled(view, memory, now)):
        state = State.SETTLE
    return Verdict(
        application=application,
        state=state,
        reason=finding.reason,
        memory=memory,
        failure=failure,
        action=action,
        notice=notice(view, finding, now - memory.since),
        rollout_failed=_rollout_failed(view, state, failure, lineage),
    )


def _begin(memory: Memory, application: Application, ours: Relation) -> Memory:
    if memory.uid != application.uid:
        last = application.operation
        memory = Memory(uid=application.uid, first_operation=last.started_at if last else None)
    if ours.covers and memory.covered_at is None:
        memory = replace(memory, covered_at=application.reconciled_at)
    if ours is Relation.BEHIND:
        memory = replace(memory, before=application)
    return memory


def _operation_relation(operation: Operation | None, lineage: Lineage) -> Relation:
    return lineage.relation(operation.revision) if operation else Relation.UNRESOLVED


def _operation_covers(operation: Operation | None, memory: Memory, lineage: Lineage) -> bool:
    if operation is None or operation.dry_run:
        return False
    if operation.revision:
        return lineage.relation(operation.revision).covers
    # An operation that names no revision takes the one that is being compared.
    started, covered = operation.started_at, memory.covered_at
    return started is not None and covered is not None and started >= covered


def _remember(memory: Memory, finding: Finding, view: View, now: float) -> Memory:
    application, kind = view.application, f"{finding.state} {finding.about}"
    if kind != memory.kind:
        memory = replace(memory, kind=kind, since=now, documents=0, reconciled=frozenset())
    seen = {application.reconciled_at} if application.reconciled_at else set()
    last = application.operation
    ours = view.operation_covers and last and last.started_at != memory.first_operation
    # A request that got no answer arrived all the same.
    nonces = {application.requested_nonce, last.nonce if last else ""}
    taken = {application.revision} if view.goal.nonce(application.revision) in nonces else set()
    return replace(
        memory,
        documents=memory.documents + 1,
        reconciled=memory.reconciled | frozenset(seen),
        operated=memory.operated or bool(ours),
        synced=memory.synced | frozenset(taken),
    )


def _settled(view: View, memory: Memory, now: float) -> bool:
    if view.goal.mode is SyncMode.ALWAYS and not memory.operated:
        return False
    if view.goal.wait_for is WaitFor.SYNCED:
        return True
    if memory.documents < _CONFIRMED:
        return False
    lasted = now - memory.since
    if (finished := view.finished) and finished.finished_at and view.application.reconciled_at:
        # Health that was read long after the operation, as where none was needed, has settled.
        lasted = max(
            lasted, (view.application.reconciled_at - finished.finished_at).total_seconds()
        )
        return lasted >= view.goal.settle_seconds
    return True


def _overtaken(view: View, failure: ActionError, lineage: Lineage) -> Finding | None:
    """What cannot be rendered names no commit: it may be one that has replaced our image."""
    if not isinstance(failure, ComparisonError) or not (newest := lineage.newest()):
        return None
    return replaced(
        replace(
            view,
            application=replace(view.application, revision=newest),
            relation=lineage.relation(newest),
            replacement=lineage.replacement(newest),
        )
    )


def _rollout_failed(
    view: View, state: State, failure: ActionError | None, lineage: Lineage
) -> bool:
    """Whether what went wrong is our own commit's doing, and putting the old image back helps."""
    before = view.before
    match failure:
        case None:
            return (
                state is State.HEALTH
                and view.application.health == "Progressing"
                and (before is None or before.health != "Progressing")
                and _applied_ours(view)
            )
        case SyncError():
            last = view.application.operation
            if last is None or last.phase == "Succeeded" or not _applied_ours(view):
                return False
            return "terminat" not in last.message.lower()
        case ComparisonError():
            return (
                before is not None
                and not any(one.type.endswith("Error") for one in before.conditions)
                and not any(is_outside(one.message) for one in view.application.conditions)
                and lineage.relation(lineage.newest() or view.goal.commit.value) is Relation.SAME
            )
        case DegradedError():
            return (before is None or before.health != "Degraded") and _applied_ours(view)
        case _:
            return False


def _applied_ours(view: View) -> bool:
    """Whether the last operation brought our very commit, and no descendant's changes with it."""
    if view.application.operation is None:
        return True
    return view.operation_covers and view.operation_relation is not Relation.CONTAINS
