"""The splices that add an entry to `images`, in the style of the list that is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from gitops_action.kustomization.document import has_explicit_tag, line_of, refuse
from gitops_action.kustomization.splices import (
    Splice,
    after_colon,
    end_of_entry,
    end_of_field,
    end_of_line,
    insert,
    is_flow,
    line_break,
    pair,
    quote_of_keys,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.kustomization.document import Document, Entry, Field

_COMMENT_LINE = re.compile(r"(?:\r\n|\n|\r)( *)#[^\r\n]*")


def append_entry(document: Document, fields: Mapping[str, str]) -> tuple[Splice, ...]:
    """Add an entry after the last one, or `images` at the end of the first document."""
    if document.entries:
        return (_after_last(document, fields),)
    if document.images is None:
        return (_new_list(document, fields),)
    return _fill_empty_list(document, document.images, fields)


def _after_last(document: Document, fields: Mapping[str, str]) -> Splice:
    text, last = document.text, document.entries[-1]
    assert document.images is not None  # noqa: S101  for the type checker: there are entries
    listed = document.images.value
    if listed.anchor is not None or has_explicit_tag(text, listed):
        refuse(
            "The list `images` has an anchor or a tag.",
            hint="Remove it, or add the entry by hand.",
            line=line_of(document.images.key),
        )
    end, quote = end_of_entry(text, last), quote_of_keys(last)
    if is_flow(listed):
        separator = ", "
        if listed.start_mark.line != last.node.start_mark.line:
            separator = "," + line_break(text) + " " * last.node.start_mark.column
        return insert(end, separator + _flow_entry(fields, quote))
    indent = int(listed.start_mark.column)
    end = end_of_line(text, end)
    # A comment that is indented deeper than the dash belongs to the entry above it.
    while (comment := _COMMENT_LINE.match(text, end)) and len(comment[1]) > indent:
        end = comment.end()
    entry = (
        [_flow_entry(fields, quote)]
        if is_flow(last.node)
        else [pair(name, value, quote=quote, flow=False) for name, value in fields.items()]
    )
    eol = line_break(text, end_of_entry(text, last))
    return insert(end, eol + eol.join(_item(entry, indent=indent, gap=_gap(text, last))))


def _gap(text: str, entry: Entry) -> int:
    """How many blanks stand between the dash and the entry."""
    start = int(entry.node.start_mark.index)
    blanks = start - text.rindex("-", 0, start) - 1
    return blanks if text[start - blanks : start] == " " * blanks else 1


def _item(lines: list[str], *, indent: int, gap: int) -> list[str]:
    first, *rest = lines
    margin = " " * (indent + 1 + gap)
    return [" " * indent + "-" + " " * gap + first, *(margin + line for line in rest)]


def _new_list(document: Document, fields: Mapping[str, str]) -> Splice:
    text, root = document.text, document.root
    key, value = root.value[-1]
    if is_flow(root):
        quote = str(key.style) if key.style else None
        name = f"{quote}images{quote}" if quote else "images"
        separator = ", "
        if root.start_mark.line != key.start_mark.line:
            separator = "," + line_break(text) + " " * key.start_mark.column
        end = value.end_mark.index
        return insert(end, f"{separator}{name}: [{_flow_entry(fields, quote)}]")
    # Everything up to here is the document's, trailing comments and blank lines included; a second
    # document or the end of the text comes next.
    end, eol = int(root.end_mark.index), line_break(text)
    lines = [" " * root.start_mark.column + "images:", *_block_item(document, fields)]
    if text[end - 1] in "\r\n":
        return insert(end, "".join(line + eol for line in lines))
    return insert(end, "".join(eol + line for line in lines))


def _fill_empty_list(
    document: Document, images: Field, fields: Mapping[str, str]
) -> tuple[Splice, ...]:
    text, node = document.text, images.value
    colon, end = after_colon(text, images.key), end_of_field(text, images)
    start = int(node.start_mark.index)
    quote = str(images.key.style) if images.key.style else None
    if isinstance(node, SequenceNode) and (is_flow(document.root) or text[start + 1 : end - 1]):
        return (insert(start + 1, _flow_entry(fields, quote)),)
    if is_flow(document.root):
        return (Splice(colon, end, f" [{_flow_entry(fields, quote)}]"),)
    line_end = end_of_line(text, end)
    lines = "".join(line_break(text, end) + line for line in _block_item(document, fields))
    return (Splice(colon, end, ""), insert(line_end, lines))


def _block_item(document: Document, fields: Mapping[str, str]) -> list[str]:
    pairs = [pair(name, value, quote=None, flow=False) for name, value in fields.items()]
    return _item(pairs, indent=_dash_column(document.root), gap=1)


def _dash_column(root: MappingNode) -> int:
    """Where the file's other lists have their dashes; Kustomize's own style is not to indent."""
    lists: list[Node] = [value for _, value in root.value if isinstance(value, SequenceNode)]
    columns = (int(value.start_mark.column) for value in lists if not is_flow(value))
    return next(columns, int(root.start_mark.column))


def _flow_entry(fields: Mapping[str, str], quote: str | None) -> str:
    return (
        "{"
        + ", ".join(pair(name, value, quote=quote, flow=True) for name, value in fields.items())
        + "}"
    )
