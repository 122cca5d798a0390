"""A document beside the goal of a wait, and what can be found in it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops_action.errors import ActionError
    from gitops_action.model.argocd import Application, Operation
    from gitops_action.model.source import CommitSha
    from gitops_action.model.wait import WaitFor
    from gitops_action.stages.sync.lineage import Relation


class State(enum.StrEnum):
    REVISION = "revision"  # Argo CD has not seen our commit
    COMPARE = "compare"  # nothing can be said before the next comparison
    OPERATION = "operation"
    SYNC = "sync"
    RECONCILE = "reconcile"  # the comparison is older than the end of the operation
    HEALTH = "health"
    SETTLE = "settle"
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a wait is for; `settle_seconds` as in the request."""

    commit: CommitSha
    gitops_url: str
    wait_for: WaitFor
    settle_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a document says by itself; the failure counts after `grace` and `comparisons`."""

    state: State
    reason: str
    about: str = ""
    failure: ActionError | None = None
    grace: float = 0.0
    comparisons: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A document and how its revisions relate to our commit."""

    application: Application
    goal: Goal
    relation: Relation
    operation_covers: bool

    @property
    def finished(self) -> Operation | None:
        """The last operation, where it is over and changed something."""
        last = self.application.operation
        return last if last and last.finished_at and not last.dry_run else None

    @property
    def fresh(self) -> bool:
        """Whether the comparison began after the last operation ended.

        Both are whole seconds of one clock, so only `later` is proof, never `the same`.
        """
        reconciled = self.application.reconciled_at
        ended = self.finished.finished_at if self.finished else None
        return reconciled is not None and (ended is None or reconciled > ended)
