"""A document beside the goal of a wait, and what can be found in it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_action.model.wait import ResourcePattern, SyncMode, WaitFor
from gitops_action.stages.sync.lineage import Relation

if TYPE_CHECKING:
    from gitops_action.errors import ActionError
    from gitops_action.model.argocd import Application, Operation, Resource
    from gitops_action.model.source import CommitSha

_ALSO_GOOD = {WaitFor.SUSPENDED: "Suspended"}


class State(enum.StrEnum):
    REVISION = "revision"  # Argo CD has not seen our commit
    COMPARE = "compare"  # nothing can be said before the next comparison
    OPERATION = "operation"
    SYNC = "sync"
    RECONCILE = "reconcile"  # the comparison is older than the end of the operation
    HEALTH = "health"
    IMAGE = "image"  # all is well, and another image than ours runs
    SETTLE = "settle"
    READY = "ready"
    SUPERSEDED = "superseded"

    @property
    def done(self) -> bool:
        return self in {State.READY, State.SUPERSEDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a wait is for; the fields are the request's.

    `images` are the references that the promoted kustomizations render, of which one has to run;
    `kinds` are those of the resources that our commit changed, None where they are not known.
    """

    commit: CommitSha
    gitops_url: str
    wait_for: WaitFor
    settle_seconds: float
    branch: str = ""
    resources: tuple[ResourcePattern, ...] = ()
    mode: SyncMode = SyncMode.NEVER
    unblock: bool = False
    reverts: CommitSha | None = None
    images: tuple[str, ...] = ()
    kinds: frozenset[str] | None = None
    run: str = ""

    def nonce(self, revision: str) -> str:
        """What our request for a sync is known by in documents, one for each revision."""
        return f"{self.run} {self.commit.short} at {revision}".strip()

    @property
    def healths(self) -> frozenset[str]:
        """The health statuses that are good enough."""
        return frozenset({"Healthy", _ALSO_GOOD.get(self.wait_for, "Healthy")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a document says by itself; the failure counts after `grace` and `comparisons`.

    `about` tells findings of one state apart that begin the grace anew.
    """

    state: State
    reason: str
    about: str = ""
    failure: ActionError | None = None
    grace: float = 0.0
    comparisons: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A document and how its revisions relate to our commit.

    `before` is the last document that was about a commit before ours, where one was seen;
    `replacement` is what the kustomizations ask for at the revision in place of our image.
    `repeated` is what the API server answered to two attempts alike, `window` the sync window that
    is in the way; `idle` means that no workload that runs all the time has pods.
    """

    application: Application
    goal: Goal
    relation: Relation
    operation_covers: bool
    operation_relation: Relation = Relation.UNRESOLVED
    before: Application | None = None
    replacement: str = ""
    repeated: str = ""
    window: str = ""
    idle: bool = False

    @property
    def finished(self) -> Operation | None:
        """The last operation, where it is over and changed something."""
        last = self.application.operation
        return last if last and last.finished_at and not last.dry_run else None

    @property
    def waits_for_retry(self) -> bool:
        """Whether the operation is between two attempts, so that nothing of it runs."""
        last = self.application.operation
        return bool(
            last
            and last.phase == "Running"
            and last.finished_at
            and self.application.operation_requested
        )

    @property
    def blocked(self) -> bool:
        """Whether an operation of a commit before ours is tried again and again."""
        return self.waits_for_retry and self.operation_relation is Relation.BEHIND

    @property
    def may_unblock(self) -> bool:
        """Whether the operation that blocks may be ended."""
        last, goal = self.application.operation, self.goal
        ours = bool(last and goal.reverts and last.revision == goal.reverts.value)
        return self.blocked and (goal.unblock or ours)

    @property
    def fresh(self) -> bool:
        """Whether the comparison began after the last operation ended.

        Both are whole seconds of one clock, so only `later` is proof, never `the same`.
        """
        reconciled = self.application.reconciled_at
        ended = self.finished.finished_at if self.finished else None
        return reconciled is not None and (ended is None or reconciled > ended)

    def was_degraded_before(self, resource: Resource) -> bool:
        """Whether it was Degraded before our commit came, which did not touch it since."""
        if self.before is None:
            return False
        last = self.application.operation
        touched = last.touched if last and self.operation_covers else ()
        return resource.key not in {one.key for one in touched} and any(
            one.health == "Degraded" and one.key == resource.key for one in self.before.resources
        )
