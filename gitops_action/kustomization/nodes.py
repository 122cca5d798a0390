"""What a YAML text says, and where: the sections that matter node by node, the others as a digest.

A kustomization can carry a megabyte of literals. Only a few sections are looked into, so that
memory follows those, and the proof compares the others by what a cryptographic hash saw.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A place in the text: characters from 0, `line` from 1, `column` from 0.

    `anchor` and `tag` are empty where there is none; both stand within the node's characters.
    """

    start: int
    end: int
    line: int
    column: int
    anchor: str
    tag: str


@dataclass(frozen=True, slots=True, eq=False)
class Scalar(Node):
    """A text; `style` is `'`, `"`, `|`, `>`, or empty for a plain one."""

    value: str
    style: str


@dataclass(frozen=True, slots=True, eq=False)
class Alias(Node):
    """A reference to the anchor `name`; `value` is None where a collection stands there."""

    name: str
    value: Scalar | None


@dataclass(frozen=True, slots=True, eq=False)
class Collection(Node):
    """What is in brackets and braces (`flow`), or in lines.

    The end of one in lines is the next token's start: comments and blank lines lie before it.
    """

    flow: bool


@dataclass(frozen=True, slots=True, eq=False)
class Sequence(Collection):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Mapping(Collection):
    pairs: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Unread(Collection):
    """A collection that nobody looks into; `content` is a hash of all that it means."""

    listed: bool
    content: bytes


def is_flow(node: Node) -> bool:
    """Whether a collection is written in brackets or braces."""
    return isinstance(node, Collection) and node.flow


def meaning(node: Node) -> object:
    """What the node says, whatever its quotes, its layout and its place: equal where it is equal.

    Plain and quoted texts differ: YAML may take a plain one for a number.
    """
    match node:
        case Scalar():
            own: object = (node.value, bool(node.style))
        case Alias():
            own = node.name
        case Sequence():
            own = tuple(meaning(item) for item in node.items)
        case Mapping():
            own = tuple((meaning(key), meaning(value)) for key, value in node.pairs)
        case _:
            own = node.content if isinstance(node, Unread) else None
    return type(node).__name__, node.anchor, node.tag, own
