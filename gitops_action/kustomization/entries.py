"""The splices that add entries to `images`, in the style of the list that is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitops_action.kustomization.nodes import Collection, Mapping, Sequence, Unread, is_flow
from gitops_action.kustomization.refusal import refuse
from gitops_action.kustomization.splices import (
    Splice,
    after_colon,
    end_of_entry,
    end_of_field,
    end_of_line,
    insert,
    line_break,
    pair,
    quote_of_keys,
)

if TYPE_CHECKING:
    from collections import abc

    from gitops_action.kustomization.document import Document, Entry, Field

    New = abc.Sequence[abc.Mapping[str, str]]

_COMMENT_LINE = re.compile(r"(?:\r\n|\n|\r)( *)#[^\r\n]*")


def append_entries(document: Document, new: New) -> tuple[Splice, ...]:
    """Add entries after the last one, or `images` at the end of the first document."""
    if document.entries:
        return (_after_last(document, new),)
    if document.images is None:
        return (_new_list(document, new),)
    return _fill_empty_list(document, document.images, new)


def _after_last(document: Document, new: New) -> Splice:
    text, last = document.text, document.entries[-1]
    images = document.fields["images"]
    listed = images.value
    if listed.anchor or listed.tag:
        refuse(
            "The list `images` has an anchor or a tag.",
            hint="Remove it, or add the entry by hand.",
            line=images.key.line,
        )
    end, quote = end_of_entry(text, last), quote_of_keys(last)
    if is_flow(listed):
        separator = ", "
        if listed.line != last.line:
            separator = "," + line_break(text) + " " * last.node.column
        return insert(end, "".join(separator + _flow_entry(fields, quote) for fields in new))
    end = end_of_line(text, end)
    # A comment that is indented deeper than the dash belongs to the entry above it.
    while (comment := _COMMENT_LINE.match(text, end)) and len(comment[1]) > listed.column:
        end = comment.end()
    eol, gap = line_break(text, end_of_entry(text, last)), _gap(text, last)
    lines = [
        line
        for fields in new
        for line in _item(
            [_flow_entry(fields, quote)] if last.node.flow else _pairs(fields, quote),
            indent=listed.column,
            gap=gap,
        )
    ]
    return insert(end, "".join(eol + line for line in lines))


def _gap(text: str, entry: Entry) -> int:
    """How many blanks stand between the dash and the entry."""
    start = entry.node.start
    blanks = start - text.rindex("-", 0, start) - 1
    return blanks if text[start - blanks : start] == " " * blanks else 1


def _item(lines: list[str], *, indent: int, gap: int) -> list[str]:
    first, *rest = lines
    margin = " " * (indent + 1 + gap)
    return [" " * indent + "-" + " " * gap + first, *(margin + line for line in rest)]


def _new_list(document: Document, new: New) -> Splice:
    text, root = document.text, document.root
    key, value = root.pairs[-1]
    if root.flow:
        quote = next(iter(document.fields.values())).key.style or None
        name = f"{quote}images{quote}" if quote else "images"
        separator = ", "
        if root.line != key.line:
            separator = "," + line_break(text) + " " * key.column
        return insert(value.end, f"{separator}{name}: [{_flow_entries(new, quote)}]")
    # Everything up to here is the document's, trailing comments and blank lines included; a second
    # document or the end of the text comes next.
    end, eol = root.end, line_break(text)
    lines = [" " * root.column + "images:", *_block_items(document, new)]
    if text[end - 1] in "\r\n":
        return insert(end, "".join(line + eol for line in lines))
    return insert(end, "".join(eol + line for line in lines))


def _fill_empty_list(document: Document, images: Field, new: New) -> tuple[Splice, ...]:
    text, node = document.text, images.value
    colon, end = after_colon(text, images.key), end_of_field(text, images)
    quote = images.key.style or None
    is_list = isinstance(node, Sequence)
    if is_list and (document.root.flow or text[node.start + 1 : end - 1]):
        return (insert(node.start + 1, _flow_entries(new, quote)),)
    if document.root.flow:
        return (Splice(colon, end, f" [{_flow_entries(new, quote)}]"),)
    line_end = end_of_line(text, end)
    lines = "".join(line_break(text, end) + line for line in _block_items(document, new))
    return (Splice(colon, end, ""), insert(line_end, lines))


def _block_items(document: Document, new: New) -> list[str]:
    column = _dash_column(document.root)
    return [line for fields in new for line in _item(_pairs(fields, None), indent=column, gap=1)]


def _dash_column(root: Mapping) -> int:
    """Where the file's other lists have their dashes; Kustomize's own style is not to indent."""
    for _, value in root.pairs:
        is_list = isinstance(value, Sequence) or (isinstance(value, Unread) and value.listed)
        if is_list and isinstance(value, Collection) and not value.flow:
            return value.column
    return root.column


def _pairs(fields: abc.Mapping[str, str], quote: str | None) -> list[str]:
    return [pair(name, value, quote=quote, flow=False) for name, value in fields.items()]


def _flow_entries(new: New, quote: str | None) -> str:
    return ", ".join(_flow_entry(fields, quote) for fields in new)


def _flow_entry(fields: abc.Mapping[str, str], quote: str | None) -> str:
    pairs = (pair(name, value, quote=quote, flow=True) for name, value in fields.items())
    return "{" + ", ".join(pairs) + "}"
