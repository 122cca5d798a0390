"""A commit's files through git's plumbing: no index, no worktree, no filter, byte for byte.

The cost follows the depth of a path and not the size of the repository, and neither
`.gitattributes` nor `core.autocrlf` can change what is read or written.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gitops_action.adapters.git.command import Answer, Git
from gitops_action.errors import GitOpsError, KustomizationError
from gitops_action.model.source import CommitSha

_FILE = b"100644"
_FOLDER = b"040000"
_LINK = b"120000"


@dataclass(frozen=True, slots=True)
class _Item:
    """What a tree says about a name: `kind` is blob, tree or commit (a submodule)."""

    mode: bytes
    kind: str
    sha: bytes


class Trees:
    """Reads and writes the trees of the clone at `place`, and keeps what it has read.

    A tree never changes: after a lost race only those that others wrote are read.
    """

    def __init__(self, git: Git, place: Path) -> None:
        self._git = git
        self._place = place
        self._known: dict[str, dict[bytes, _Item]] = {}

    def blob(self, head: CommitSha, path: PurePosixPath) -> str | None:
        """The SHA of a file's content; None where there is no file.

        Raises KustomizationError where the path leads through a symbolic link or a submodule.
        """
        item = self._find(head, path)
        return item.sha.decode() if item and item.kind == "blob" else None

    def names(self, head: CommitSha, folder: PurePosixPath) -> tuple[str, ...]:
        """A folder's names, those of folders with a slash; raises as `blob` does."""
        tree = str(head)
        if folder.parts:
            item = self._find(head, folder)
            if item is None or item.kind != "tree":
                return ()
            tree = item.sha.decode()
        return tuple(
            os.fsdecode(name) + ("/" if item.kind == "tree" else "")
            for name, item in self._items(tree).items()
        )

    def modes(self, head: CommitSha, paths: Collection[str]) -> dict[str, str]:
        """The modes of all files and links in the folders on the way to these paths.

        A path that is a folder is one of them.
        """
        folders = {"": str(head)}
        for path in paths:
            for name, item in self._way(head, PurePosixPath(path)):
                if item and item.kind == "tree":
                    folders[name] = item.sha.decode()
        return {
            os.fsdecode(name) if not folder else f"{folder}/{os.fsdecode(name)}": item.mode.decode()
            for folder, tree in folders.items()
            for name, item in self._items(tree).items()
            if item.kind == "blob"
        }

    def sha(self, head: CommitSha, path: str) -> str:
        """The SHA of a file that is there, or of what a link says."""
        item = self._way(head, PurePosixPath(path))[-1][1]
        assert item  # noqa: S101  for the type checker: `modes` said that it is there
        return item.sha.decode()

    def link(self, head: CommitSha, path: PurePosixPath) -> tuple[PurePosixPath, str] | None:
        """The first symbolic link on the way to `path`, and the SHA of what it says."""
        for name, item in self._way(head, path):
            if item and item.mode == _LINK:
                return PurePosixPath(name), item.sha.decode()
        return None

    def changed(self, tree: str, files: Mapping[PurePosixPath, bytes]) -> str:
        """Make the tree that differs in these files' contents; modes are kept.

        `tree` is empty for a folder that is not there yet.
        """
        items = dict(self._items(tree))
        below: dict[str, dict[PurePosixPath, bytes]] = {}
        for path, content in files.items():
            first, *rest = path.parts
            below.setdefault(first, {})[PurePosixPath(*rest)] = content
        for name, contents in below.items():
            key = os.fsencode(name)
            there = items.get(key)
            if list(contents) == [PurePosixPath()]:
                mode = there.mode if there else _FILE
                items[key] = _Item(mode, "blob", self._write(contents[PurePosixPath()]))
            else:
                sha = self.changed(there.sha.decode() if there else "", contents)
                items[key] = _Item(_FOLDER, "tree", sha.encode())
        lines = [
            b"%s %s %s\t%s\0" % (item.mode, item.kind.encode(), item.sha, name)
            for name, item in items.items()
        ]
        # Blobs that nobody needs are on the server only.
        return self._text("mktree", "-z", "--missing", stdin=b"".join(lines))

    def _find(self, head: CommitSha, path: PurePosixPath) -> _Item | None:
        found = None
        for name, item in self._way(head, path):
            found = item
            if item and (item.mode == _LINK or item.kind == "commit"):
                what = "a submodule" if item.kind == "commit" else "a symbolic link"
                raise KustomizationError(
                    f"{path} cannot be edited: {name} is {what}.",
                    hint="Name the place that it leads to in `kustomizations`.",
                )
        return found

    def _way(self, head: CommitSha, path: PurePosixPath) -> list[tuple[str, _Item | None]]:
        if not path.parts or path.is_absolute() or ".." in path.parts:
            return []
        way: list[tuple[str, _Item | None]] = []
        folder = str(head)
        for place in (*list(path.parents)[-2::-1], path):
            item = self._items(folder).get(os.fsencode(place.name))
            way.append((str(place), item))
            folder = item.sha.decode() if item and item.kind == "tree" else ""
        return way

    def _items(self, tree: str) -> dict[bytes, _Item]:
        """What stands in a tree, or in the root of a commit; nothing where `tree` is empty."""
        if not tree:
            return {}
        if tree not in self._known:
            self._known[tree] = _parsed(self._run("ls-tree", "-z", tree).stdout)
        return self._known[tree]

    def _write(self, content: bytes) -> bytes:
        return self._text("hash-object", "-w", "--stdin", stdin=content).encode()

    def _text(self, *argv: str, stdin: bytes) -> str:
        return self._run(*argv, stdin=stdin).text

    def _run(self, *argv: str, stdin: bytes | None = None) -> Answer:
        answer = self._git.run(*argv, cwd=self._place, stdin=stdin)
        if not answer.succeeded:
            raise GitOpsError(
                f"git could not work in its private clone: {answer.stderr.strip()}",
                hint="Look at the runner's disk space, and run the job again.",
            )
        return answer


def _parsed(listing: bytes) -> dict[bytes, _Item]:
    items = {}
    for line in listing.split(b"\0")[:-1]:
        properties, _, name = line.partition(b"\t")
        mode, kind, sha = properties.split(b" ")
        items[name] = _Item(mode, kind.decode(), sha)
    return items
