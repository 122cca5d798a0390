"""Our own promotion, back as the commit of a run: there is nothing to build.

A push with another token than the workflow's, or the merge of a pull request, starts the workflow
again; each such run would promote an image of its own, and so start the next one. A revert does so
too: the code whose rollout failed would be built, promoted and taken back again and again. And a
rollback would be undone by the run of its own commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, CancelledError
from gitops_action.kustomization import (
    FILE_NAMES,
    ImageRequest,
    Snapshot,
    only_images_differ,
    plan_edits,
)
from gitops_action.model.image import ImageReference
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

    def file(self, revision: CommitSha, path: PurePosixPath) -> bytes | None:
        """Read a file of any commit; None where there is none."""


@dataclass(frozen=True, slots=True)
class Echo:
    """The image that is asked for already, where, and why nothing is built."""

    image: ImageReference
    result: PromoteResult
    why: str


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
            requests=[ImageRequest(image.provisional, request.entry, request.pin)],
            tree=repository,
            head=head,
        )
        why = _why(request.source, head, edits, repository, guard) if request.source else ""
        return _echo(edits, head, why) if why else None
    except CancelledError:
        raise
    except ActionError:
        return None


def _why(
    ours: CommitSha,
    head: CommitSha,
    edits: tuple[FileEdit, ...],
    repository: Repository,
    guard: Guard,
) -> str:
    """Say why nothing is to be built; empty where something is."""
    sources = [guard.source_of(file.edit.previous, head) for file in edits]
    # The same commit again is verified again.
    if all(source and _without_code(source, ours, edits, repository) for source in sources):
        return f"since the commit of {edits[0].edit.previous} only kustomizations have changed"
    asked = {file.edit.previous for file in edits}
    if found := guard.taken_back(asked, head):
        promotion, source = found
        # Whoever changes more than images since then wants it to be tried again.
        if (
            _is_another(source, ours, edits, repository)
            and _without_code(promotion, ours, (), repository) is not None
        ):
            return f"the rollout of the same code failed and was taken back. {_way_out(source)}"
    replaced = guard.rolled_back(asked, head)
    if replaced and _is_another(replaced, ours, edits, repository):
        return f"an older image was asked for in place of the same code's. {_way_out(replaced)}"
    return ""


def _is_another(
    source: CommitSha, ours: CommitSha, edits: tuple[FileEdit, ...], repository: Repository
) -> bool:
    """Whether it is another commit of the same code."""
    return source != ours and _without_code(source, ours, edits, repository) is not None


def _way_out(source: CommitSha) -> str:
    return f"Push a change, or run the job of {source.short} again"


def _without_code(
    source: CommitSha, ours: CommitSha, edits: tuple[FileEdit, ...], repository: Repository
) -> frozenset[PurePosixPath] | None:
    """What has changed, where that is only what is edited here, and images elsewhere."""
    changed = repository.changed_paths(source, ours)
    files = {file.path for file in edits}
    if changed is not None and all(
        path in files or _only_images(path, source, ours, repository) for path in changed
    ):
        return changed
    return None


def _only_images(
    path: PurePosixPath, before: CommitSha, after: CommitSha, repository: Repository
) -> bool:
    """Whether another step of the workflow may have promoted; a test's data may have the name."""
    if path.name not in FILE_NAMES:
        return False
    old, new = repository.file(before, path), repository.file(after, path)
    try:
        return bool(old and new) and only_images_differ(
            (old or b"").decode(), (new or b"").decode()
        )
    except UnicodeDecodeError:
        return False


def _echo(edits: tuple[FileEdit, ...], head: CommitSha, why: str) -> Echo | None:
    asked = ImageReference.find(edits[0].edit.previous)
    if asked is None:
        return None
    result = PromoteResult(
        revision=head,
        ending=Ending.UNCHANGED,
        previous=str(asked),
        diff="",
        files=tuple(file.path for file in edits),
    )
    return Echo(asked, result, why)
