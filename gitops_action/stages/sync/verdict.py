"""What the documents of an Application mean for a wait: a pure function and its memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitops_action.model.wait import WaitFor
from gitops_action.stages.sync.findings import find
from gitops_action.stages.sync.view import Finding, Goal, State, View

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gitops_action.errors import ActionError
    from gitops_action.model.argocd import Application, Operation
    from gitops_action.stages.sync.lineage import Relation

_CONFIRMED = 2  # documents: the second one confirms the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What earlier documents said that still matters; the times are of the runner's own clock.

    `kind` names what lasts since `since`; `reconciled` are the comparisons that were seen in it.
    """

    uid: str = ""
    kind: str = ""
    since: float = 0.0
    documents: int = 0
    reconciled: frozenset[datetime] = frozenset()
    covered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`reason` is for people; `failure` is there once waiting on makes no sense."""

    state: State
    reason: str
    memory: Memory
    failure: ActionError | None = None


def judge(
    application: Application,
    memory: Memory,
    *,
    goal: Goal,
    relation: Callable[[str], Relation],
    now: float,
) -> Verdict:
    """Say what `application` means; the verdict's memory belongs to the next call."""
    if memory.uid != application.uid:
        memory = Memory(uid=application.uid)
    ours = relation(application.revision)
    if ours.covers and memory.covered_at is None:
        memory = replace(memory, covered_at=application.reconciled_at)
    view = View(
        application=application,
        goal=goal,
        relation=ours,
        operation_covers=_operation_covers(application.operation, memory, relation),
    )
    finding = find(view)
    memory = _remember(memory, finding, application, now)
    failure = finding.failure
    if now - memory.since < finding.grace or len(memory.reconciled) < finding.comparisons:
        failure = None
    state = finding.state
    if state is State.READY and not _settled(view, memory, now):
        state = State.SETTLE
    return Verdict(state=state, reason=finding.reason, memory=memory, failure=failure)


def _operation_covers(
    operation: Operation | None, memory: Memory, relation: Callable[[str], Relation]
) -> bool:
    if operation is None or operation.dry_run:
        return False
    if operation.revision:
        return relation(operation.revision).covers
    # An operation that names no revision takes the one that is being compared.
    started, covered = operation.started_at, memory.covered_at
    return started is not None and covered is not None and started >= covered


def _remember(memory: Memory, finding: Finding, application: Application, now: float) -> Memory:
    kind = f"{finding.state} {finding.about}"
    if kind != memory.kind:
        memory = replace(memory, kind=kind, since=now, documents=0, reconciled=frozenset())
    seen = {application.reconciled_at} if application.reconciled_at else set()
    return replace(
        memory, documents=memory.documents + 1, reconciled=memory.reconciled | frozenset(seen)
    )


def _settled(view: View, memory: Memory, now: float) -> bool:
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
