"""Splices of a text, and the places in it where they go. Nothing is ever dumped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_action.kustomization.nodes import Alias, Node, Scalar, is_flow
from gitops_action.kustomization.refusal import refuse
from gitops_action.kustomization.scalars import written

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitops_action.kustomization.document import Entry, Field

_COLON = re.compile(r"\s*:")
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace the characters from `start` up to `end` by `text`."""

    start: int
    end: int
    text: str


def insert(position: int, text: str) -> Splice:
    """Put `text` in front of the character at `position`."""
    return Splice(position, position, text)


def apply(text: str, splices: Iterable[Splice]) -> str:
    """Make every splice; they do not overlap."""
    parts, position = list[str](), 0
    for splice in sorted(splices, key=lambda splice: (splice.start, splice.end)):
        parts += [text[position : splice.start], splice.text]
        position = splice.end
    return "".join([*parts, text[position:]])


def after_colon(text: str, key: Node) -> int:
    """Where the key's value may begin; raises KustomizationError for a key without a colon."""
    found = _COLON.match(text, key.end)
    if found is None:
        refuse(
            "A key of `images` has no colon after it.",
            hint="Write it as `key: value`.",
            line=key.line,
        )
    return found.end()


def end_of_field(text: str, field: Field) -> int:
    """Where the value ends, without blanks and comments after it."""
    return _end(text, field.key, field.value)


def end_of_entry(text: str, entry: Entry) -> int:
    """Where the last field ends, or the closing brace."""
    node = entry.node
    return node.end if node.flow else _end(text, *node.pairs[-1])


def end_of_line(text: str, position: int) -> int:
    """Where the line ends, in front of its line break."""
    found = _LINE_END.search(text, position)
    return found.start() if found else len(text)


def line_break(text: str, position: int = 0) -> str:
    """The line break that ends this line, or that the text uses."""
    found = _LINE_END.search(text, position) or _LINE_END.search(text)
    return found[0] if found else "\n"


def quote_of_keys(entry: Entry) -> str | None:
    """The quotes around the entry's keys, as in JSON."""
    return next((field.key.style for field in entry.fields.values()), "") or None


def pair(name: str, value: str, *, quote: str | None, flow: bool) -> str:
    """Write `name: value`, both in `quote` where there is one."""
    key = f"{quote}{name}{quote}" if quote else name
    return f"{key}: {written(value, quote=quote, flow=flow)}"


def _end(text: str, key: Node, value: Node) -> int:
    if isinstance(value, Alias) or is_flow(value):
        return value.end
    if isinstance(value, Scalar):
        if not value.style and value.start == value.end:  # nothing there
            return after_colon(text, key)
        if value.style not in ("|", ">"):
            return value.end
    # The mark of a block is the next token's; Kustomize refuses a collection there anyway.
    return value.start + len(text[value.start : value.end].rstrip())
