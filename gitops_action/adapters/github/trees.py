"""A commit's files through GraphQL: only the folders on the way to what is asked for.

One request reads many folders or many files, so that the cost follows neither the history nor the
size of the repository.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from gitops_action.errors import GitOpsError, KustomizationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from gitops_action.adapters.github.api import GitHubApi
    from gitops_action.model.source import CommitSha

LINK = "120000"
_READ = "contents: read"
_SHA1_DIGITS = 40
# GitHub ends a query after 10 s; a folder or a small file takes it some milliseconds.
_BATCH = 100
_FOLDER = "...on Tree{entries{nameRaw mode type oid}}"
_FILE = "...on Blob{text}"
_KIND = "__typename"


@dataclass(frozen=True, slots=True)
class Item:
    """What a folder says about a name: `kind` is blob, tree or commit (a submodule)."""

    mode: str
    kind: str
    sha: str


_SOME_FOLDER = Item("040000", "tree", "")


class Trees:
    """Reads folders and files, and remembers them: a commit never changes."""

    def __init__(self, api: GitHubApi) -> None:
        self._api = api
        # Folders with what is in them, None for what is no folder; and folders that nobody listed.
        self._listed: dict[tuple[CommitSha, PurePosixPath], dict[str, Item] | None] = {}
        self._passed: set[tuple[CommitSha, PurePosixPath]] = set()
        self._blobs: dict[str, bytes] = {}

    def load(self, head: CommitSha, paths: Iterable[PurePosixPath]) -> None:
        """Find out what is at these paths, and what is in those that are folders, in one go.

        Of the folders on the way nothing is listed, for they can be wide.
        """
        unknown = [path for path in dict.fromkeys(paths) if not self._is_known(head, path)]
        passed = {
            folder for path in unknown for folder in path.parents if not self._at(head, folder)
        }
        self._fetch(head, unknown, passed)
        # What is no folder: the last folder on the way to it says what it is.
        lasts = {
            next((one for one in path.parents if self._is_folder(head, one)), PurePosixPath())
            for path in unknown
            if self._listed[head, path] is None
        }
        self._fetch(head, [one for one in lasts if (head, one) not in self._listed], ())

    def folder(self, head: CommitSha, folder: PurePosixPath) -> Mapping[str, Item]:
        """The names in a folder; nothing where there is no such folder."""
        self.load(head, [folder])
        return self._listed.get((head, folder)) or {}

    def item(self, head: CommitSha, path: PurePosixPath) -> Item | None:
        """What is at a path.

        Raises KustomizationError where the path leads through a symbolic link or a submodule.
        """
        found = None
        for place, found in self.way(head, path):
            if found and (found.mode == LINK or found.kind == "commit"):
                what = "a submodule" if found.kind == "commit" else "a symbolic link"
                raise KustomizationError(
                    f"{path} cannot be edited: {place} is {what}.",
                    hint="Name the place that it leads to in `kustomizations`.",
                )
        return found

    def way(self, head: CommitSha, path: PurePosixPath) -> list[tuple[PurePosixPath, Item | None]]:
        """The places from the root to a path, and what is at each."""
        self.load(head, [path])
        places = [*list(path.parents)[-2::-1], path] if path.parts else []
        return [(place, self._at(head, place)) for place in places]

    def is_there(self, head: CommitSha) -> bool:
        """Whether a commit that was asked about is one that GitHub has."""
        return self._at(head, PurePosixPath()) is not None

    def modes(self, head: CommitSha, paths: Collection[str]) -> dict[str, str]:
        """The modes of all files and links in folders seen so far, these paths among them."""
        self.load(head, [PurePosixPath(path) for path in paths])
        return {
            _text(folder / name): item.mode
            for (at, folder), items in self._listed.items()
            if at == head
            for name, item in (items or {}).items()
            if item.kind == "blob"
        }

    def blobs(self, shas: Collection[str]) -> Mapping[str, bytes]:
        """The contents of files."""
        missing = [sha for sha in dict.fromkeys(shas) if sha not in self._blobs]
        found = self._objects("oid", dict.fromkeys(missing, _FILE))
        for sha in missing:
            text = (found.get(sha) or {}).get("text")
            content = text.encode() if isinstance(text, str) else b""
            # GitHub cuts long texts, and turns other encodings into UTF-8.
            self._blobs[sha] = content if _is_blob(sha, content) else self._whole(sha)
        return {sha: self._blobs[sha] for sha in shas}

    def _at(self, head: CommitSha, path: PurePosixPath) -> Item | None:
        if (head, path) in self._passed or self._listed.get((head, path)) is not None:
            return _SOME_FOLDER
        siblings = self._listed.get((head, path.parent)) if path.parts else None
        return (siblings or {}).get(path.name)

    def _is_folder(self, head: CommitSha, path: PurePosixPath) -> bool:
        item = self._at(head, path)
        return not path.parts or (item is not None and item.kind == "tree")

    def _is_known(self, head: CommitSha, path: PurePosixPath) -> bool:
        # GitHub takes `..` for a place beside the repository.
        if (head, path) in self._listed or path.is_absolute() or ".." in path.parts:
            return True
        in_listed = path.parts and self._listed.get((head, path.parent)) is not None
        return bool(in_listed) and not self._is_folder(head, path)

    def _fetch(
        self, head: CommitSha, listed: Collection[PurePosixPath], passed: Collection[PurePosixPath]
    ) -> None:
        wanted = dict.fromkeys((f"{head}:{_text(one)}" for one in passed), _KIND)
        wanted |= dict.fromkeys((f"{head}:{_text(one)}" for one in listed), _FOLDER)
        found = self._objects("expression", wanted)
        for folder in passed:
            if found.get(f"{head}:{_text(folder)}", {}).get("__typename") == "Tree":
                self._passed.add((head, folder))
        for folder in listed:
            entries = found.get(f"{head}:{_text(folder)}", {}).get("entries")
            self._listed[head, folder] = None if entries is None else _items(entries)

    def _objects(self, kind: str, wanted: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
        """Read git's objects by `oid` or `expression`; `wanted` are the fields of each."""
        typed = "GitObjectID" if kind == "oid" else "String"
        found: dict[str, Mapping[str, Any]] = {}
        asked = list(wanted)
        for start in range(0, len(asked), _BATCH):
            names = {f"o{number}": one for number, one in enumerate(asked[start : start + _BATCH])}
            declared = "".join(f",${name}:{typed}!" for name in names)
            fields = "".join(
                f"{name}:object({kind}:${name}){{{wanted[one]}}}" for name, one in names.items()
            )
            data = self._api.ask(
                f"query($owner:String!,$name:String!{declared})"
                f"{{repository(owner:$owner,name:$name){{{fields}}}}}",
                names,
                permission=_READ,
            )
            if data.problems:
                raise self._api.refused(data, _READ)
            answered = data.values["repository"]
            found |= {value: answered[name] for name, value in names.items() if answered[name]}
        return found

    def _whole(self, sha: str) -> bytes:
        found = self._api.get(f"/git/blobs/{sha}", permission=_READ)
        content = base64.b64decode(found["content"]) if isinstance(found, dict) else b""
        if not _is_blob(sha, content):
            raise GitOpsError(
                f"GitHub gave something else than the file's content {sha}.",
                hint="Run the job again; look at githubstatus.com.",
            )
        return content


def _items(entries: Iterable[Mapping[str, Any]]) -> dict[str, Item]:
    return {
        os.fsdecode(base64.b64decode(one["nameRaw"])): Item(
            f"{one['mode']:06o}", one["type"], one["oid"]
        )
        for one in entries
    }


def _is_blob(sha: str, content: bytes) -> bool:
    """Whether git names this content so."""
    algorithm = "sha1" if len(sha) == _SHA1_DIGITS else "sha256"
    named = hashlib.new(algorithm, b"blob %d\0" % len(content), usedforsecurity=False)
    named.update(content)
    return named.hexdigest() == sha


def _text(path: PurePosixPath) -> str:
    return "/".join(path.parts)
