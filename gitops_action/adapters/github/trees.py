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


@dataclass(frozen=True, slots=True)
class Item:
    """What a folder says about a name: `kind` is blob, tree or commit (a submodule)."""

    mode: str
    kind: str
    sha: str


class Trees:
    """Reads folders and files, and remembers them: a commit never changes."""

    def __init__(self, api: GitHubApi) -> None:
        self._api = api
        self._folders: dict[tuple[CommitSha, PurePosixPath], dict[str, Item]] = {}
        self._blobs: dict[str, bytes] = {}

    def load(self, head: CommitSha, paths: Iterable[PurePosixPath]) -> None:
        """Read the folders on the way to these paths, and the paths themselves, in one go."""
        wanted = dict.fromkeys(folder for path in paths for folder in (*path.parents, path))
        unknown = [folder for folder in wanted if self._may_be_folder(head, folder)]
        expressions = {folder: f"{head}:{_text(folder)}" for folder in unknown}
        found = self._objects("expression", expressions.values(), _FOLDER)
        for folder, expression in expressions.items():
            entries = (found.get(expression) or {}).get("entries") or ()
            self._folders[head, folder] = {
                os.fsdecode(base64.b64decode(one["nameRaw"])): Item(
                    f"{one['mode']:06o}", one["type"], one["oid"]
                )
                for one in entries
            }

    def folder(self, head: CommitSha, folder: PurePosixPath) -> Mapping[str, Item]:
        """The names in a folder; nothing where there is no such folder."""
        self.load(head, [folder])
        return self._folders.get((head, folder), {})

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
        return [
            (place, self._folders.get((head, place.parent), {}).get(place.name)) for place in places
        ]

    def modes(self, head: CommitSha, paths: Collection[str]) -> dict[str, str]:
        """The modes of all files and links in the folders on the way to these paths."""
        asked = [PurePosixPath(path) for path in paths]
        self.load(head, asked)
        folders = dict.fromkeys(folder for path in asked for folder in (*path.parents, path))
        return {
            _text(folder / name): item.mode
            for folder in folders
            for name, item in self._folders.get((head, folder), {}).items()
            if item.kind == "blob"
        }

    def blobs(self, shas: Collection[str]) -> Mapping[str, bytes]:
        """The contents of files."""
        missing = [sha for sha in dict.fromkeys(shas) if sha not in self._blobs]
        found = self._objects("oid", missing, _FILE)
        for sha in missing:
            text = (found.get(sha) or {}).get("text")
            content = text.encode() if isinstance(text, str) else b""
            # GitHub cuts long texts, and turns other encodings into UTF-8.
            self._blobs[sha] = content if _is_blob(sha, content) else self._whole(sha)
        return {sha: self._blobs[sha] for sha in shas}

    def _may_be_folder(self, head: CommitSha, folder: PurePosixPath) -> bool:
        if (head, folder) in self._folders:
            return False
        siblings = self._folders.get((head, folder.parent)) if folder.parts else None
        if siblings is None:
            return True
        item = siblings.get(folder.name)
        return item is not None and item.kind == "tree"

    def _objects(
        self, kind: str, values: Iterable[str], selection: str
    ) -> dict[str, Mapping[str, Any]]:
        """Read git's objects by `oid` or `expression`."""
        typed = "GitObjectID" if kind == "oid" else "String"
        found: dict[str, Mapping[str, Any]] = {}
        asked = list(values)
        for start in range(0, len(asked), _BATCH):
            batch = asked[start : start + _BATCH]
            names = {f"o{number}": value for number, value in enumerate(batch)}
            declared = "".join(f",${name}:{typed}!" for name in names)
            fields = "".join(f"{name}:object({kind}:${name}){{{selection}}}" for name in names)
            data = self._api.query(
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


def _is_blob(sha: str, content: bytes) -> bool:
    """Whether git names this content so."""
    algorithm = "sha1" if len(sha) == _SHA1_DIGITS else "sha256"
    named = hashlib.new(algorithm, b"blob %d\0" % len(content), usedforsecurity=False)
    named.update(content)
    return named.hexdigest() == sha


def _text(path: PurePosixPath) -> str:
    return "/".join(path.parts)
