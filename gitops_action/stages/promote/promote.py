"""Every kustomization asks for the image, unless one asks for a newer one."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gitops_action.kustomization import FileEdit, ImageRequest, Renderer, plan_edits
from gitops_action.stages.promote.landing import Clock, GitOpsRepository, Intent, land
from gitops_action.stages.promote.message import commit_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_action.model.image import ImageReference
    from gitops_action.model.log import Log
    from gitops_action.model.source import CommitSha
    from gitops_action.stages.promote.guard import Guard
    from gitops_action.stages.promote.proposal import GitHub
    from gitops_action.stages.promote.request import PromoteRequest, PromoteResult


def promote(  # noqa: PLR0913  the collaborators of a stage are named one by one
    request: PromoteRequest,
    image: ImageReference,
    *,
    repository: GitOpsRepository,
    github: GitHub | None = None,
    guard: Guard,
    renderer: Renderer,
    clock: Clock,
    log: Log,
    chance: Callable[[], float] = random.random,
) -> PromoteResult:
    """Commit and push the edit; `chance` gives numbers from 0 to 1, as `random.random` does.

    Raises KustomizationError, EntryError, ProofError and RenderError before anything is written,
    ConflictError when every race was lost until the deadline, and what the repository raises;
    GitOpsUnavailableError only when it was so until the deadline.
    """
    wanted = image.provisional if request.dry_run else image

    def edits(head: CommitSha) -> tuple[FileEdit, ...]:
        return plan_edits(
            request.kustomizations,
            requests=[ImageRequest(wanted, request.entry, request.pin)],
            tree=repository,
            head=head,
        )

    return land(
        request,
        Intent(
            edits=edits,
            judge=guard.judge,
            message=lambda judgement: commit_message(
                request, image, downgraded=judgement.older_than
            ),
        ),
        repository=repository,
        github=github,
        renderer=renderer,
        clock=clock,
        log=log,
        chance=chance,
    )
