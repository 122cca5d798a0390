"""The old image, put back where the file still asks for ours."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from gitops_action.errors import KustomizationError
from gitops_action.kustomization import FileEdit, ImageChange, ImageRequest, Renderer, plan_edits
from gitops_action.model.image import ImageReference
from gitops_action.model.pin import Pin
from gitops_action.stages.promote.guard import Guard, Judgement
from gitops_action.stages.promote.landing import Clock, GitOpsRepository, Intent, land
from gitops_action.stages.promote.message import commit_message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import PurePosixPath

    from gitops_action.model.log import Log
    from gitops_action.model.source import CommitSha
    from gitops_action.stages.promote.proposal import GitHub
    from gitops_action.stages.promote.request import PromoteRequest, PromoteResult


def revert(  # noqa: PLR0913  the collaborators of a stage are named one by one
    request: PromoteRequest,
    promoted: PromoteResult,
    *,
    repository: GitOpsRepository,
    github: GitHub | None = None,
    guard: Guard,
    renderer: Renderer,
    clock: Clock,
    log: Log,
    chance: Callable[[], float] = random.random,
) -> PromoteResult:
    """Let every file that `promoted` changed ask for what it asked for before.

    Ends as superseded, with nothing written, where one of them asks for another image by now.
    Raises KustomizationError where there was no image before, and as `promote` does.
    """
    changes = dict(promoted.changes)
    olds = {path: before(path, change) for path, change in changes.items()}
    first = next(iter(olds.values())).image

    def edits(head: CommitSha) -> tuple[FileEdit, ...]:
        made: list[FileEdit] = []
        for path, old in olds.items():
            made += plan_edits((path,), requests=[old], tree=repository, head=head)
        return tuple(made)

    def judge(edits: tuple[FileEdit, ...], head: CommitSha) -> Judgement:
        for file in edits:
            asked = file.edit.previous
            if asked != changes[file.path].new:
                source = guard.source_of(asked, head) if asked else None
                made = f", made from {source.short}" if source else ""
                return Judgement(f"{file.path} asks for {asked or 'no image'} by now{made}")
            if file.edit.images[0].new != changes[file.path].old:
                raise _not_the_same(file)
        return Judgement()

    return land(
        # That an old image may follow a newer one is no leave to overwrite somebody else's.
        replace(request, allow_downgrade=False),
        Intent(
            edits=edits,
            judge=judge,
            message=lambda _: commit_message(
                replace(
                    request,
                    subject=f'Revert "{request.subject}"',
                    trailers={**request.trailers, "Reverts": str(promoted.revision)},
                    source=guard.source_of(str(first), promoted.revision),
                ),
                first,
            ),
        ),
        repository=repository,
        github=github,
        renderer=renderer,
        clock=clock,
        log=log,
        chance=chance,
    )


def before(path: PurePosixPath, change: ImageChange) -> ImageRequest:
    """Ask for what an entry asked for before it was changed."""
    old = ImageReference.find(change.old)
    if old is None:
        raise KustomizationError(
            f"{path} asked for no image before, so that none can be put back.",
            hint="Promote an image that works; the next failed rollout can go back to it.",
        )
    pin = Pin.TAG if old.digest is None else Pin.TAG_AND_DIGEST if old.tag else Pin.DIGEST
    return ImageRequest(old, change.entry, pin)


def _not_the_same(file: FileEdit) -> KustomizationError:
    return KustomizationError(
        f"{file.path} cannot be put back by its tag alone: the promotion added a `newName`.",
        hint="Revert the commit by hand: `git revert`. From then on the tag is enough.",
    )
