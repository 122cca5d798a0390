"""Which files of a GitOps repository's commit are to be edited, and how they read afterwards."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, KustomizationError
from gitops_action.kustomization.document import FILE_NAMES
from gitops_action.kustomization.edit import Edit, ImageRequest, set_images
from gitops_action.kustomization.links import follow
from gitops_action.model.source import Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitops_action.model.source import CommitSha

_LONGEST_LIST = 20


class Tree(Protocol):
    """The files of a commit."""

    def read(self, head: CommitSha, path: PurePosixPath) -> bytes | None:
        """Read a file; None where there is none."""

    def link(self, head: CommitSha, path: PurePosixPath) -> tuple[PurePosixPath, str] | None:
        """Find the first symbolic link on the way to `path`, itself included, and what it says.

        None where there is none, or no such path.
        """

    def list(self, head: CommitSha, folder: PurePosixPath) -> tuple[str, ...]:
        """List a folder's names, those of folders with a slash; nothing where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEdit:
    """One kustomization before and after; paths are relative to the repository's root.

    `path` is where the file really is, `folders` are those whose kustomization it is: others than
    its own, or several, where symbolic links lead to it.
    """

    path: PurePosixPath
    folders: tuple[PurePosixPath, ...]
    before: str
    edit: Edit


def plan_edits(
    paths: Iterable[PurePosixPath],
    *,
    requests: Sequence[ImageRequest],
    tree: Tree,
    head: CommitSha,
) -> tuple[FileEdit, ...]:
    """Edit the kustomization at each path, a file or a folder, each file once.

    Raises KustomizationError, EntryError or ProofError with the file and its line in front.
    """
    files: dict[PurePosixPath, dict[PurePosixPath, None]] = {}
    for named in (_find(tree, head, path) for path in paths):
        files.setdefault(follow(tree, head, named), {})[named.parent] = None
    edits = []
    for file, folders in files.items():
        before = _decode(file, tree.read(head, file))
        try:
            edit = set_images(before, requests)
        except ActionError as error:
            raise _in_file(file, error) from error
        edits.append(FileEdit(path=file, folders=tuple(folders), before=before, edit=edit))
    return tuple(edits)


def locate(tree: Tree, head: CommitSha, path: PurePosixPath) -> PurePosixPath:
    """Find the kustomization that a path, a file or a folder, names.

    Raises KustomizationError where there is none, where there are two, or where a symbolic link
    leads out of the repository.
    """
    return follow(tree, head, _find(tree, head, path))


def _find(tree: Tree, head: CommitSha, path: PurePosixPath) -> PurePosixPath:
    """Find where Kustomize would: in which folder, and under which name, a link or not."""
    folder = follow(tree, head, path)
    names = tree.list(head, folder)
    if names:
        return folder / _only_kustomization(folder, names)
    path = follow(tree, head, path.parent) / path.name
    siblings = tree.list(head, path.parent)
    if path.name not in siblings:
        raise _missing(tree, head, path)
    if path.name not in FILE_NAMES:
        raise KustomizationError(
            f"{path} is not a kustomization: Kustomize reads {_listed(FILE_NAMES)} only.",
            hint="Name the folder of the kustomization, or that file.",
        )
    return path.parent / _only_kustomization(path.parent, siblings)


def _only_kustomization(folder: PurePosixPath, names: tuple[str, ...]) -> str:
    found = [name for name in FILE_NAMES if name in names]
    if len(found) == 1:
        return found[0]
    if found:
        raise KustomizationError(
            f"The folder {folder} has several kustomizations, {_listed(found)}: Kustomize refuses "
            "such a folder.",
            hint="Keep one of them.",
        )
    raise KustomizationError(
        f"The folder {folder} has no kustomization; it has {_listed(names)}.",
        hint=f"Name a folder that has a {FILE_NAMES[0]}.",
    )


def _missing(tree: Tree, head: CommitSha, path: PurePosixPath) -> KustomizationError:
    known, names = PurePosixPath(), tree.list(head, PurePosixPath())
    wanted = path.parts[0] if path.parts else ""
    for part in path.parts:
        wanted = part
        below = tree.list(head, known / part)
        if not below:
            break
        known, names = known / part, below
    near = difflib.get_close_matches(wanted, [name.rstrip("/") for name in names], 1)
    place = "The GitOps repository" if known == PurePosixPath() else f"The folder {known}"
    return KustomizationError(
        f"{path} is not in the GitOps repository. {place} has {_listed(names)}.",
        hint=(f"Did you mean {known / near[0]}? " if near else "")
        + "Paths in `kustomizations` start at the root of the GitOps repository.",
    )


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = [f"{len(shown) - _LONGEST_LIST} more"] if len(shown) > _LONGEST_LIST else []
    return ", ".join([*shown[:_LONGEST_LIST], *more]) or "no files"


def _decode(file: PurePosixPath, content: bytes | None) -> str:
    if content is None:
        raise KustomizationError(
            f"{file} is not a file.", hint="Name a kustomization, or a folder that has one."
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise KustomizationError(
            f"{file} is not UTF-8: byte {error.start} cannot be read.",
            hint="Save the file as UTF-8.",
            location=Location(file, content[: error.start].count(b"\n") + 1),
        ) from error


def _in_file(file: PurePosixPath, error: ActionError) -> ActionError:
    location = Location(file, error.location.line if error.location else None)
    return type(error)(f"{location}: {error.message}", hint=error.hint, location=location)
