"""What the promoted kustomizations ask for at a commit, and which of two images is newer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, CancelledError
from gitops_action.kustomization import set_images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePosixPath

    from gitops_action.kustomization import ImageRequest
    from gitops_action.model.source import CommitSha
    from gitops_action.stages.sync.request import Promoted

NOTHING = "no image of ours any more"


class Files(Protocol):
    def file(self, revision: CommitSha, path: PurePosixPath) -> bytes | None:
        """Read a file of any commit of the branch; None where there is none.

        Raises GitOpsError where git does not answer.
        """


class Sources(Protocol):
    """Who knows from which commits images are made; it has been told of ours."""

    def is_newer(self, image: str, head: CommitSha) -> bool | None:
        """Whether `image` is made from a newer commit than ours; None where that is not known.

        `head` is a commit of the GitOps repository that asks for it.
        """


class Promotion:
    """What was promoted; every answer is about commits that have our commit in their history."""

    def __init__(self, promoted: Promoted, files: Files, sources: Sources | None) -> None:
        self._promoted = promoted
        self._files = files
        self._sources = sources

    @property
    def references(self) -> tuple[str, ...]:
        """What the kustomizations ask for at our own commit; nothing where it cannot be read."""
        request = self._promoted.image
        if request is None:
            return ()
        try:
            found = [self._change(path, self._promoted.commit, request) for path in self._paths]
        except CancelledError:
            raise
        except ActionError:
            return ()
        return tuple(dict.fromkeys(new for change in found if change for _, new in change))

    def asked_for(self, revision: CommitSha) -> str | None:
        """What `revision` asks for in place of our image: `""` where every file asks for ours.

        None where that could not be read.
        """
        request = self._promoted.image
        if request is None:
            return ""
        try:
            for path in self._paths:
                change = self._change(path, revision, request)
                if change is None:
                    return NOTHING
                for old, _ in change:
                    if not _is_ours(old, request):
                        return old or NOTHING
        except CancelledError:
            raise
        except ActionError:
            return None
        return ""

    def is_newer(self, image: str, revision: CommitSha) -> bool | None:
        """Whether `image`, for which `revision` asks, is newer; None where nobody knows."""
        try:
            return self._sources.is_newer(image, revision) if self._sources else None
        except CancelledError:
            raise
        except ActionError:
            return None

    @property
    def _paths(self) -> Iterator[PurePosixPath]:
        return iter(self._promoted.files)

    def _change(
        self, path: PurePosixPath, revision: CommitSha, request: ImageRequest
    ) -> list[tuple[str, str]] | None:
        """What the file asks for, and what it would ask for if we promoted again."""
        content = self._files.file(revision, path)
        if content is None:
            return None
        try:
            edit = set_images(content.decode(), (request,))
        except (ActionError, UnicodeDecodeError):
            return None
        return [(change.old, change.new) for change in edit.images]


def _is_ours(reference: str, request: ImageRequest) -> bool:
    """Whether the reference names our image, by its digest where it has one, else by its tag."""
    named, _, digest = reference.partition("@")
    if digest and request.image.digest:
        return digest == str(request.image.digest)
    return _tag(named) == request.image.tag


def _tag(reference: str) -> str:
    """The tag; the colon before a port is none of its own."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[2]
