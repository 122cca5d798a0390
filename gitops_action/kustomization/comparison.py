"""Two renderings of one folder: what the edit changed in them, and which images they use."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from gitops_action.errors import ProofError
from gitops_action.kustomization.sources import loaded

# No line of Kustomize's output begins so but the one between two documents.
_SEPARATOR = re.compile(r"^---\n", re.MULTILINE)
_CONTAINERS = frozenset({"containers", "initContainers", "ephemeralContainers"})
_NAMED_IMAGE = re.compile(
    r"^[ -]*(?:image|reference): [\"']?([A-Za-z0-9][^\s\"'{}]*)[\"']?$", re.MULTILINE
)
_SCHEMA = "kind: CustomResourceDefinition"
_HASHED_KINDS = ("ConfigMap/", "Secret/")
_HASHED = re.compile(r"(.+)-[a-z0-9]{10}")
_MOST_SHOWN = 5

_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    place: str
    path: _Path
    old: object
    new: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The proved difference: a unified diff, the references that came in, and what follows them.

    `derived` names values that hold a part of the reference, such as a tag that `replacements`
    copied into a label.
    """

    diff: str
    references: frozenset[str]
    derived: tuple[str, ...]


def compare(before: str, after: str, *, expected: Collection[str], folder: str) -> Comparison:
    """Show that nothing changed but images that became one of the `expected` references.

    Raises ProofError where anything else did.
    """
    if before == after:
        return Comparison(diff="", references=frozenset(), derived=())
    olds, news = _SEPARATOR.split(before), _SEPARATOR.split(after)
    if len(olds) != len(news):
        raise _unproved(folder, [f"{len(news)} resources in place of {len(olds)}"])
    pairs = [(old, new) for old, new in zip(olds, news, strict=True) if old != new]
    changes = [change for old, new in pairs for change in _document_changes(old, new)]
    images = [one for one in changes if isinstance(one.new, str) and one.new in expected]
    others = [one for one in changes if one not in images]
    parts = {pair for change in images for pair in _parts(str(change.old), str(change.new))}
    parts |= {pair for change in others for pair in _renamed(change)}
    odd = [change.place for change in others if not _follows(change, parts)]
    if odd:
        raise _unproved(folder, odd)
    return Comparison(
        diff="".join(_diff(old, new, folder) for old, new in pairs),
        references=frozenset(str(change.new) for change in images),
        derived=tuple(change.place for change in others),
    )


def runs(text: str, reference: str) -> bool:
    """Whether a container, or a volume made of an image, uses the reference."""
    return any(
        value == reference and _is_image(path)
        for document in _with(text, reference)
        for path, value in _scalars(document)
    )


def mentions(text: str, reference: str) -> bool:
    """Whether the reference is a value anywhere: Kustomize can be told of other fields."""
    return any(
        value == reference for document in _with(text, reference) for _, value in _scalars(document)
    )


def image_names(text: str) -> list[str]:
    """The names of all images in a rendering, without tag and digest."""
    return sorted(
        {
            _split(found)[0]
            for document in _SEPARATOR.split(text)
            if _SCHEMA not in document
            for found in _NAMED_IMAGE.findall(document)
        }
    )


def _with(text: str, reference: str) -> Iterator[Any]:
    for document in _SEPARATOR.split(text):
        if reference in document:
            yield from loaded(document)


def _document_changes(old: str, new: str) -> Iterator[_Change]:
    before, after = loaded(old), loaded(new)
    if not (before and after):
        yield _Change("a resource that cannot be read", (), old, new)
        return
    name = _name(after[0])
    for path, left, right in _changes(before[0], after[0], ()):
        yield _Change(f"{name}: {'.'.join(map(str, path)) or 'everything'}", path, left, right)


def _changes(old: object, new: object, path: _Path) -> Iterator[tuple[_Path, object, object]]:
    if isinstance(old, dict) and isinstance(new, dict) and list(old) == list(new):
        for key in old:
            yield from _changes(old[key], new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _changes(left, right, (*path, place))
    elif type(old) is not type(new) or old != new:
        yield path, old, new


def _scalars(value: object, path: _Path = ()) -> Iterator[tuple[_Path, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _scalars(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _scalars(inner, (*path, place))
    else:
        yield path, value


def _is_image(path: _Path) -> bool:
    match path:
        case (*_, str(listed), int(), "image") if listed in _CONTAINERS:
            return True
        case (*_, "volumes", int(), "image", "reference"):
            return True
        case _:
            return False


def _follows(change: _Change, parts: Collection[tuple[str, str]]) -> bool:
    """Whether a value became the new one by nothing but the new reference, or a part of it."""
    if not (isinstance(change.old, str) and isinstance(change.new, str)):
        return False
    return any(change.old.replace(old, new) == change.new for old, new in parts)


def _parts(old: str, new: str) -> Iterator[tuple[str, str]]:
    yield old, new
    for left, right in zip(_split(old), _split(new), strict=True):
        if left and right and left != right:
            yield left, right


def _renamed(change: _Change) -> Iterator[tuple[str, str]]:
    """The new name of a ConfigMap or Secret whose content follows: its end is the content's hash.

    The content is looked at as any other change.
    """
    if change.path == ("metadata", "name") and change.place.startswith(_HASHED_KINDS):
        old, new = (_HASHED.fullmatch(str(name)) for name in (change.old, change.new))
        if old and new and old[1] == new[1]:
            yield str(change.old), str(change.new)


def _split(reference: str) -> tuple[str, str, str]:
    """Name, tag and digest; the colon before a port is none of a tag."""
    named, _, digest = reference.partition("@")
    folder, slash, last = named.rpartition("/")
    name, _, tag = last.partition(":")
    return folder + slash + name, tag, digest


def _name(document: object) -> str:
    if not isinstance(document, dict):
        return "a resource"
    metadata = document.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return f"{document.get('kind', 'resource')}/{name}"


def _diff(old: str, new: str, folder: str) -> str:
    after = next(iter(loaded(new)), None)
    name = f"{folder} {_name(after)}"
    if not isinstance(after, dict) or after.get("kind") == "Secret":
        return f"--- a/{name}\n+++ b/{name}\n (not shown: it may hold secrets)\n"
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        f"a/{name}",
        f"b/{name}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _unproved(folder: str, places: list[str]) -> ProofError:
    more = f", and {len(places) - _MOST_SHOWN} more" if len(places) > _MOST_SHOWN else ""
    return ProofError(
        f"The edit would change more than the image in what {folder} renders: "
        f"{', '.join(places[:_MOST_SHOWN])}{more}. Nothing was committed.",
        hint="Compare `kustomize build` before and after the edit: something else in the "
        "kustomization depends on the image's entry.",
    )
