"""Symbolic links of a commit, followed inside the repository and never out of it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import KustomizationError

if TYPE_CHECKING:
    from gitops_action.model.source import CommitSha

# As many as Linux follows.
_MOST_LINKS = 40


class Links(Protocol):
    """The symbolic links of a commit."""

    def link(self, head: CommitSha, path: PurePosixPath) -> tuple[PurePosixPath, str] | None:
        """Find the first symbolic link on the way to `path`, itself included, and what it says.

        None where there is none, or no such path.
        """


def follow(tree: Links, head: CommitSha, path: PurePosixPath) -> PurePosixPath:
    """Find where a path really leads; it need not exist.

    Raises KustomizationError where a link leads out of the repository, or in a circle.
    """
    real = path
    for _ in range(_MOST_LINKS):
        found = tree.link(head, real)
        if found is None:
            return real
        place, target = found
        inside = join(place.parent, target)
        if inside is None:
            raise KustomizationError(
                f"{path} cannot be edited: {place} is a symbolic link to {target}, which is "
                "outside the GitOps repository.",
                hint="Keep the kustomization in the repository, or name another one.",
            )
        real = inside / real.relative_to(place)
    raise KustomizationError(
        f"{path} cannot be edited: its symbolic links lead in a circle.",
        hint="Mend the links, or name the file itself.",
    )


def join(folder: PurePosixPath, reference: str) -> PurePosixPath | None:
    """Join without touching a disk; None where the reference leads out of the repository."""
    if reference.startswith("/"):
        return None
    parts: list[str] = []
    for part in (folder / reference).parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    return PurePosixPath(*parts)
