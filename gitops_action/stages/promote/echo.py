"""Our own promotion, back as the commit of a run: there is nothing to build.

A push with another token than the workflow's, or the merge of a pull request, starts the workflow
again; each such run would promote an image of its own, and so start the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, CancelledError
from gitops_action.kustomization import FILE_NAMES, ImageRequest, Snapshot, plan_edits
from gitops_action.model.image import UNKNOWN_DIGEST, ImageReference
from gitops_action.stages.promote.request import Ending, PromoteRequest, PromoteResult

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from gitops_action.kustomization import FileEdit
    from gitops_action.model.source import CommitSha
    from gitops_action.stages.promote.guard import Guard


class Repository(Snapshot, Protocol):
    def head(self, branch: str) -> CommitSha: ...

    def changed_paths(self, base: CommitSha, head: CommitSha) -> frozenset[PurePosixPath] | None:
        """The files that differ between two commits; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Echo:
    """The image that is asked for already, and where."""

    image: ImageReference
    result: PromoteResult


def find_echo(
    request: PromoteRequest, image: ImageReference, *, repository: Repository, guard: Guard
) -> Echo | None:
    """Find out whether only kustomizations have changed since the deployed image's commit.

    None also where that cannot be known: then the run goes its way, and says what is wrong.
    """
    try:
        head = repository.head(request.branch)
        edits = plan_edits(
            request.kustomizations,
            requests=[
                ImageRequest(
                    replace(image, digest=image.digest or UNKNOWN_DIGEST),
                    request.entry,
                    request.pin,
                )
            ],
            tree=repository,
            head=head,
        )
        sources = {guard.source_of(file.edit.previous, head) for file in edits}
        known = {source for source in sources if source}
        if request.source is None or len(known) < len(sources):
            return None
        files = {file.path for file in edits}
        for source in known:
            changed = repository.changed_paths(source, request.source)
            # Another step of the workflow may have promoted another kustomization.
            if not changed or not all(path in files or path.name in FILE_NAMES for path in changed):
                return None
        return _echo(edits, head)
    except CancelledError:
        raise
    except ActionError:
        return None


def _echo(edits: tuple[FileEdit, ...], head: CommitSha) -> Echo | None:
    asked = ImageReference.parse(edits[0].edit.previous)
    if isinstance(asked, ImageReference):
        result = PromoteResult(
            revision=head,
            ending=Ending.UNCHANGED,
            previous=str(asked),
            diff="",
            files=tuple(file.path for file in edits),
        )
        return Echo(asked, result)
    return None
