"""A kustomization's text, and where in it each entry of `images` stands.

ruamel.yaml gives the nodes and their positions; what Kustomize would read differently than a
reader expects is refused here, with its line.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_action.errors import KustomizationError
from gitops_action.kustomization.scalars import is_absent, is_string
from gitops_action.model.source import Location

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_TEXT_FIELDS = ("name", "newName", "newTag", "digest")
_DEEPEST = 100
_FLUX = "kustomize.toolkit.fluxcd.io"


@dataclass(frozen=True, slots=True)
class Field:
    """A key and its value; a value that is an alias stands elsewhere in the text."""

    key: ScalarNode
    value: Node

    @property
    def is_alias(self) -> bool:
        """Whether the value stands at an anchor before its key."""
        return bool(self.value.start_mark.index < self.key.end_mark.index)

    @property
    def text(self) -> str:
        """The value as a string; empty where it is null."""
        node = self.value
        return "" if not isinstance(node, ScalarNode) or _is_null(node) else str(node.value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of `images`; `fields` are in the order of the text, under Kustomize's own names."""

    node: MappingNode
    fields: Mapping[str, Field]

    @property
    def line(self) -> int:
        """Where the entry begins, from 1."""
        return line_of(self.node)

    def text(self, name: str) -> str:
        """The field's value, empty where the field is absent or null."""
        return self.fields[name].text if name in self.fields else ""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed kustomization; `later` are the documents after it, which Kustomize ignores."""

    text: str
    root: MappingNode
    images: Field | None
    entries: tuple[Entry, ...]
    later: tuple[Node, ...]


def parse(text: str) -> Document:
    """Find the entries of `images` in a text without byte order mark.

    Raises KustomizationError, with its line, for whatever cannot be edited safely.
    """
    documents = _compose(text)
    if not documents or not isinstance(documents[0], MappingNode) or not documents[0].value:
        refuse(
            "The kustomization is empty, or its first document is not a mapping.",
            hint="Add at least `resources:` with one file to it.",
            line=line_of(documents[0]) if documents else 1,
        )
    root, later = documents[0], documents[1:]
    for document in (root, *later):
        _refuse_duplicate_keys(document)
    fields = _fields(root)
    _refuse_other_kinds(fields)
    for document in later:
        if isinstance(document, MappingNode) and "images" in _fields(document):
            refuse(
                "A second YAML document has `images`; Kustomize reads only the first document.",
                hint="Keep one document in the file.",
                line=line_of(document),
            )
    images = fields.get("images")
    return Document(text, root, images, tuple(_entries(text, images)), tuple(later))


def refuse(message: str, *, hint: str, line: int) -> NoReturn:
    """Raise KustomizationError; whoever knows the file puts its path in front."""
    raise KustomizationError(message, hint=hint, location=Location(PurePosixPath(), line))


def line_of(node: Node) -> int:
    """Where the node begins, from 1."""
    return int(node.start_mark.line) + 1


def has_explicit_tag(text: str, node: Node) -> bool:
    """Whether a tag such as `!!str`, and not the characters, decides what the value is."""
    return text[node.start_mark.index : node.end_mark.index].startswith("!")


def _compose(text: str) -> list[Node]:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    yaml.max_depth = _DEEPEST
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a reused anchor is a matter of the proof
            return list(yaml.compose_all(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise _invalid(problem, mark.line + 1 if mark else 1) from error
    except (YAMLError, RecursionError, ValueError, AttributeError) as error:
        # ruamel.yaml answers some broken texts with plain Python errors.
        raise _invalid(str(error).partition("\n")[0], 1) from error


def _invalid(problem: str, line: int) -> KustomizationError:
    hint = "Mend the line; `kustomize build` shows the same error."
    if "'\\t'" in problem:
        hint = "Replace the tabulator by spaces: YAML does not allow it there."
    return KustomizationError(
        f"The kustomization is not valid YAML: {problem}.",
        hint=hint,
        location=Location(PurePosixPath(), line),
    )


def _fields(mapping: MappingNode) -> dict[str, Field]:
    """Name the fields as Kustomize does, which compares keys without regard to case."""
    known = {name.lower(): name for name in (*_TEXT_FIELDS, "images", "imageTags", "apiVersion")}
    named: dict[str, Field] = {}
    for key, value in mapping.value:
        if not isinstance(key, ScalarNode):
            refuse("A key is a collection.", hint="Write it as plain text.", line=line_of(mapping))
        name = known.get(str(key.value).lower(), str(key.value))
        if name in named:
            refuse(
                f"The key `{name}` is there twice, on lines {line_of(named[name].key)} "
                f"and {line_of(key)}.",
                hint="Remove one of them: Kustomize would silently take the last.",
                line=line_of(key),
            )
        named[name] = Field(key, value)
    return named


def _refuse_duplicate_keys(document: Node) -> None:
    for mapping in _mappings(document):
        seen: set[str] = set()
        for key, _ in mapping.value:
            if isinstance(key, ScalarNode):
                if key.value in seen:
                    refuse(
                        f"The key `{key.value}` is there twice in one mapping.",
                        hint="Remove one of them: Kustomize would silently take the last.",
                        line=line_of(key),
                    )
                seen.add(key.value)


def _mappings(document: Node) -> Iterator[MappingNode]:
    waiting, seen = [document], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            yield node
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, SequenceNode):
            waiting += node.value


def _refuse_other_kinds(fields: Mapping[str, Field]) -> None:
    api_version = fields.get("apiVersion")
    if api_version and api_version.text.startswith(_FLUX):
        refuse(
            "This is Flux's own Kustomization, not a file that Kustomize reads.",
            hint="Name the folder at which its `spec.path` points.",
            line=line_of(api_version.key),
        )
    for name, hint in (
        ("imageTags", "Run `kustomize edit fix`, which turns `imageTags` into `images`."),
        ("<<", "Write the merged keys out: `images` could hide behind the merge key."),
    ):
        if name in fields:
            refuse(
                f"`{name}` at the top of a kustomization cannot be edited safely.",
                hint=hint,
                line=line_of(fields[name].key),
            )


def _entries(text: str, images: Field | None) -> Iterator[Entry]:
    if images is None or _is_null(images.value):
        return
    listed = images.value
    if images.is_alias or not isinstance(listed, SequenceNode):
        refuse(
            "`images` is not a list.",
            hint="Write it as a list: `images:`, then lines such as `- name: shop`.",
            line=line_of(images.key),
        )
    for item in listed.value:
        if not isinstance(item, MappingNode):
            refuse(
                "An item of `images` is not a mapping.",
                hint="Write each item as `- name: shop` with `newTag:` below it.",
                line=line_of(item),
            )
        entry = Entry(item, _fields(item))
        _refuse_other_types(text, entry)
        yield entry


def _refuse_other_types(text: str, entry: Entry) -> None:
    for name in _TEXT_FIELDS:
        if name in entry.fields and not _is_text(text, entry.fields[name].value):
            node = entry.fields[name].value
            shown = f"`{node.value}`" if isinstance(node, ScalarNode) else "a collection"
            refuse(
                f"`{name}` is {shown}, which YAML does not read as a string.",
                hint=f'Put it in quotes: `{name}: "…"`. Kustomize refuses the file as it is.',
                line=line_of(node),
            )


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.style and is_absent(str(node.value))


def _is_text(text: str, node: Node) -> bool:
    if not isinstance(node, ScalarNode):
        return False
    if has_explicit_tag(text, node):
        return str(node.tag).endswith(":str")
    return bool(node.style) or _is_null(node) or is_string(str(node.value))
