"""What a wait remembers of the documents that it has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_action.stages.sync.attempts import NONE_YET, Attempts

if TYPE_CHECKING:
    from datetime import datetime

    from gitops_action.model.argocd import Application


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What earlier documents said that still matters; the times are of the runner's own clock.

    `kind` names what lasts since `since`; `reconciled` are the comparisons that were seen in it.
    `first_operation` is when the operation of the first document began, `operated` that another
    one brought our commit since. `synced` are the revisions at which Argo CD took our request for
    a sync; `syncs` is how often it was asked since, and `asked_at` when. `unblocked` means
    that we ended an operation. `before` is the last document about a commit before ours.
    `attempts` are those of an operation of ours, `window` is the sync window in the way when it was
    last asked for. `idle` means that no workload that runs all the time has pods.
    """

    uid: str = ""
    kind: str = ""
    since: float = 0.0
    documents: int = 0
    reconciled: frozenset[datetime] = frozenset()
    covered_at: datetime | None = None
    first_operation: datetime | None = None
    operated: bool = False
    synced: frozenset[str] = frozenset()
    syncs: int = 0
    asked_at: float = float("-inf")
    unblocked: bool = False
    before: Application | None = None
    attempts: Attempts = NONE_YET
    window: str = ""
    idle: bool = False
