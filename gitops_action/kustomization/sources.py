"""Which files of a commit Kustomize reads when it renders a kustomization.

The references are followed one level at a time, and each level is read in one go: reading a blob
means asking the server for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gitops_action.kustomization.document import FILE_NAMES
from gitops_action.kustomization.links import join
from gitops_action.kustomization.tree import Tree
from gitops_action.model.rendering import Sources
from gitops_action.model.source import CommitSha

_LINK = "120000"
_MOST_LINKS = 40  # as Linux has it
_LONGEST_PATH = 4096

# Kustomize's fields, in lower case because it compares them so: lists of paths, and structures in
# which some keys hold paths.
_CONFIGURED = frozenset({"generators", "transformers", "validators"})
_LISTS = _CONFIGURED | {
    *("resources", "bases", "components", "crds", "configurations", "patchesstrategicmerge"),
}
_STRUCTURES = frozenset(
    {
        *("patches", "patchesjson6902", "replacements", "openapi"),
        *("configmapgenerator", "secretgenerator"),
    }
)
_PATHS = frozenset({"path", "paths", "files", "env", "envs"})
# What Go asks without a proxy, and IPv6 addresses: no proxy that is not there keeps Kustomize from
# these.
_LOOPBACK = re.compile(r"https?://(?:[^/?#]*@)?(?:localhost|127\.|\[)", re.IGNORECASE)


class Snapshot(Tree, Protocol):
    """The files of a commit, many at once."""

    def modes(self, head: CommitSha, paths: Collection[str]) -> Mapping[str, str]:
        """Map the path of files and links to their modes as git writes them, such as `100644`.

        At least the links on the way to `paths`, `paths`, and what is in those that are folders.
        """

    def contents(self, head: CommitSha, paths: Collection[str]) -> Mapping[str, bytes]:
        """Read files that are there; of a symbolic link what is written in it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The sources of some folders, and of which files each of them is made."""

    sources: Sources
    uses: Mapping[PurePosixPath, frozenset[PurePosixPath]]


# A file, and the folder from which its references start; None for one that has none.
_Read = tuple[str, str | None]
# A place in the repository, None for one outside; the words for it; whether they configure.
_Reference = tuple[str | None, str, bool]


def gather(tree: Snapshot, head: CommitSha, folders: Iterable[PurePosixPath]) -> Gathered:
    """Follow every local reference from the kustomizations in `folders`.

    What a reference does not find is left out: Kustomize says it better.
    """
    return _Gathering(tree, head).run(folders)


class _Gathering:
    def __init__(self, tree: Snapshot, head: CommitSha) -> None:
        self._tree = tree
        self._head = head
        self._modes: dict[str, str] = {}
        self._files: dict[str, bytes] = {}
        self._links: dict[str, str] = {}
        self._outside = set[str]()
        self._below: dict[_Read, set[_Read]] = {}

    def run(self, folders: Iterable[PurePosixPath]) -> Gathered:
        places = {folder: "/".join(folder.parts) for folder in folders}
        self._look(places.values())
        roots = {folder: self._roots(place) for folder, place in places.items()}
        level: set[_Read] = set().union(*roots.values())
        while level:
            self._files |= self._tree.contents(
                self._head, {path for path, _ in level} - self._files.keys()
            )
            named = {read: self._named(*read) for read in level}
            self._look({place for one in named.values() for place, _, _ in one if place})
            for read, references in named.items():
                self._below[read] = set(self._follow(read[1], references))
            level = set().union(*(self._below[read] for read in level)) - self._below.keys()
        sources = Sources(
            {PurePosixPath(path): content for path, content in self._files.items()},
            {PurePosixPath(path): target for path, target in self._links.items()},
            tuple(sorted(self._outside)),
        )
        return Gathered(sources, {folder: self._reached(root) for folder, root in roots.items()})

    def _look(self, paths: Collection[str]) -> None:
        """Find out what is there, of many places in one go."""
        self._modes |= self._tree.modes(self._head, paths)

    def _roots(self, folder: str) -> set[_Read]:
        return {(file, folder) for file in self._kustomizations(folder)}

    def _named(self, path: str, folder: str | None) -> list[_Reference]:
        if folder is None:
            return []
        return [
            (_place(folder, reference), reference, configured)
            for reference, configured in _references(self._files[path])
            if len(reference) <= _LONGEST_PATH
        ]

    def _follow(self, folder: str | None, references: Iterable[_Reference]) -> Iterator[_Read]:
        for place, reference, configured in references:
            resolved = None if place is None else self._resolved(place)
            if place is None:
                self._outside.add(reference)
            elif resolved is not None and resolved in self._modes:
                yield resolved, folder if configured else None
            elif resolved is not None:
                yield from self._roots(resolved)

    def _kustomizations(self, folder: str) -> Iterator[str]:
        """The folder's kustomization; where there are several, Kustomize shall see them all."""
        for name in FILE_NAMES:
            file = self._resolved(_below(folder, name))
            if file is not None and file in self._modes:
                yield file

    def _resolved(self, path: str) -> str | None:
        """Follow the symbolic links on the way; None where one leads out, or in a circle."""
        for _ in range(_MOST_LINKS):
            parts = path.split("/")
            ways = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
            link = next((way for way in ways if self._modes.get(way) == _LINK), None)
            if link is None:
                return path
            written = self._links.get(link) or self._read(link)
            target = _joined(_parent(link), written)
            if target is None:
                return None
            self._links[link] = written
            path = f"{target}{path[len(link) :]}".lstrip("/")
            self._look([path])
        return None

    def _read(self, link: str) -> str:
        return self._tree.contents(self._head, [link])[link].decode(errors="replace")

    def _reached(self, roots: Iterable[_Read]) -> frozenset[PurePosixPath]:
        seen, waiting = set[_Read](), [*roots]
        while waiting:
            read = waiting.pop()
            if read not in seen:
                seen.add(read)
                waiting += self._below[read]
        return frozenset(PurePosixPath(path) for path, _ in seen)


def _place(folder: str, reference: str) -> str | None:
    return None if _LOOPBACK.match(reference) else _joined(folder, reference)


def _references(content: bytes) -> Iterator[tuple[str, bool]]:
    """Find the paths in a text, and whether each names the configuration of a plugin."""
    for document in loaded(content.decode("utf-8-sig", errors="replace")):
        if not isinstance(document, dict):
            continue
        yield from ((path, False) for path in _in_structure(document, top=True))
        for key, value in document.items():
            name = str(key).lower()
            if name in _LISTS and isinstance(value, list):
                yield from _in_list(value, configured=name in _CONFIGURED)
            elif name in _STRUCTURES:
                yield from ((path, False) for path in _in_structure(value))


def _in_list(items: list[Any], *, configured: bool) -> Iterator[tuple[str, bool]]:
    for item in items:
        if isinstance(item, str) and "\n" not in item.strip():
            yield item.strip(), configured
        elif isinstance(item, str) and configured:
            yield from _references(item.encode())


def _in_structure(value: object, *, top: bool = False) -> Iterator[str]:
    """The paths in a structure; at the `top` of a document those of its own keys only.

    Each part is looked at once: aliases can name one again and again, or the one they stand in.
    """
    waiting, seen = [value], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            for key, inner in part.items():
                if str(key).lower() in _PATHS:
                    yield from _paths(inner)
                elif not top:
                    waiting.append(inner)
        elif isinstance(part, list):
            waiting += part


def _paths(value: object) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield item
            if "=" in item:  # `files` may say under which key
                yield item.partition("=")[2]


def loaded(text: str) -> list[Any]:
    """The values of a text's documents; nothing where it is not YAML."""
    # libyaml takes no `:` in a flow sequence, Kustomize does.
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    try:
        return list(yaml.load_all(text))
    except (YAMLError, ValueError, RecursionError, AttributeError):
        return []


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _joined(folder: str, reference: str) -> str | None:
    inside = join(PurePosixPath(folder), reference)
    return None if inside is None else "/".join(inside.parts)
