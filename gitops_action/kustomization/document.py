"""A kustomization's text, and where in it each entry of `images` stands.

What Kustomize would read differently than a reader expects is refused here, with its line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_action.kustomization.compose import compose
from gitops_action.kustomization.nodes import Alias, Mapping, Node, Scalar, Sequence
from gitops_action.kustomization.refusal import refuse
from gitops_action.kustomization.scalars import is_absent, is_string

if TYPE_CHECKING:
    from collections import abc

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

IMAGE_FIELDS = ("name", "newName", "newTag", "digest", "tagSuffix")
_KIND = ("apiVersion", "kind")
_FLUX = "kustomize.toolkit.fluxcd.io"
_READ = frozenset(
    {
        *("images", "resources", "components", "bases"),
        *("patches", "patchesjson6902", "patchesstrategicmerge", "replacements"),
    }
)


@dataclass(frozen=True, slots=True)
class Field:
    """A key and its value."""

    key: Scalar
    value: Node

    @property
    def is_shared(self) -> bool:
        """Whether the value has an anchor, or is an alias of one."""
        return isinstance(self.value, Alias) or bool(self.value.anchor or self.key.anchor)

    @property
    def scalar(self) -> Scalar | None:
        """The text that the value is or stands for; None where that is a collection."""
        node = self.value.value if isinstance(self.value, Alias) else self.value
        return node if isinstance(node, Scalar) else None

    @property
    def text(self) -> str:
        """The value as a string; empty where it is null."""
        node = self.scalar
        return "" if node is None or _is_null(node) else node.value


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of `images`; `fields` are in the order of the text, under Kustomize's own names."""

    node: Mapping
    fields: abc.Mapping[str, Field]

    @property
    def line(self) -> int:
        """Where the entry begins, from 1."""
        return self.node.line

    def text(self, name: str) -> str:
        """The field's value, empty where the field is absent or null."""
        return self.fields[name].text if name in self.fields else ""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed kustomization; `later` are the documents after it, which Kustomize ignores."""

    text: str
    root: Mapping
    fields: abc.Mapping[str, Field]
    entries: tuple[Entry, ...]
    later: tuple[Node, ...]

    @property
    def images(self) -> Field | None:
        """The field `images`."""
        return self.fields.get("images")


def parse(text: str) -> Document:
    """Find the entries of `images` in a text without byte order mark.

    Raises KustomizationError, with its line, for whatever cannot be edited safely.
    """
    if text.startswith("\ufeff"):
        refuse(
            "The file has two byte order marks.",
            hint="Remove both: UTF-8 needs none.",
            line=1,
        )
    documents = compose(text, _READ)
    root = documents[0] if documents else None
    if not isinstance(root, Mapping) or not root.pairs:
        refuse(
            "The kustomization is empty, or its first document is not a mapping.",
            hint="Add at least `resources:` with one file to it.",
            line=root.line if root else 1,
        )
    fields = _fields(root)
    _refuse_other_kinds(fields)
    for document in documents[1:]:
        if isinstance(document, Mapping) and "images" in _fields(document):
            refuse(
                "A second YAML document has `images`; Kustomize reads only the first document.",
                hint="Keep one document in the file.",
                line=document.line,
            )
    entries = tuple(_entries(fields.get("images")))
    return Document(text, root, fields, entries, tuple(documents[1:]))


def _fields(mapping: Mapping) -> dict[str, Field]:
    """Name the fields as Kustomize does, which compares keys without regard to case."""
    known = {name.lower(): name for name in (*IMAGE_FIELDS, "images", "imageTags", *_KIND)}
    named: dict[str, Field] = {}
    for key, value in mapping.pairs:
        if not isinstance(key, Scalar):
            refuse(
                "A key is a collection or an alias.",
                hint="Write it as `key: value`.",
                line=mapping.line,
            )
        name = known.get(key.value.lower(), key.value)
        if name in named:
            refuse(
                f"The key `{name}` is there twice, on lines {named[name].key.line} and {key.line}.",
                hint="Remove one of them: Kustomize would silently take the last.",
                line=key.line,
            )
        named[name] = Field(key, value)
    return named


def _refuse_other_kinds(fields: abc.Mapping[str, Field]) -> None:
    api_version = fields.get("apiVersion")
    if api_version and api_version.text.startswith(_FLUX):
        refuse(
            "This is Flux's own Kustomization, not a file that Kustomize reads.",
            hint="Name the folder at which its `spec.path` points.",
            line=api_version.key.line,
        )
    for name, hint in (
        ("imageTags", "Run `kustomize edit fix`, which turns `imageTags` into `images`."),
        ("<<", "Write the merged keys out: `images` could hide behind the merge key."),
    ):
        if name in fields:
            refuse(
                f"`{name}` at the top of a kustomization cannot be edited safely.",
                hint=hint,
                line=fields[name].key.line,
            )


def _entries(images: Field | None) -> abc.Iterator[Entry]:
    if images is None or (isinstance(images.value, Scalar) and _is_null(images.value)):
        return
    if not isinstance(images.value, Sequence):
        refuse(
            "`images` is not a list.",
            hint="Write it as a list: `images:`, then lines such as `- name: shop`.",
            line=images.key.line,
        )
    for item in images.value.items:
        if not isinstance(item, Mapping):
            what = "stands for another one" if isinstance(item, Alias) else "is not a mapping"
            refuse(
                f"An item of `images` {what}.",
                hint="Write each item as `- name: shop` with `newTag:` below it.",
                line=item.line,
            )
        entry = Entry(item, _fields(item))
        if "<<" in entry.fields and not entry.text("name"):
            refuse(
                "The `name` of an entry could hide behind its merge key.",
                hint="Write the merged keys out.",
                line=entry.line,
            )
        _refuse_other_types(entry)
        yield entry


def _refuse_other_types(entry: Entry) -> None:
    for name in IMAGE_FIELDS:
        if name in entry.fields and not _is_text(entry.fields[name].scalar):
            node = entry.fields[name].scalar
            shown = f"`{node.value}`" if node else "a collection"
            refuse(
                f"`{name}` is {shown}, which YAML does not read as a string.",
                hint=f'Put it in quotes: `{name}: "…"`. Kustomize refuses the file as it is.',
                line=entry.fields[name].value.line,
            )


def _is_null(node: Scalar) -> bool:
    return not node.style and not node.tag and is_absent(node.value)


def _is_text(node: Scalar | None) -> bool:
    if node is None:
        return False
    if node.tag:
        return node.tag.endswith(":str")
    return bool(node.style) or _is_null(node) or is_string(node.value)
