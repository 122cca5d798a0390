"""The splices that make one entry of `images` ask for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.kustomization.nodes import Scalar
from gitops_action.kustomization.refusal import refuse
from gitops_action.kustomization.scalars import written
from gitops_action.kustomization.splices import (
    Splice,
    after_colon,
    end_of_field,
    end_of_line,
    insert,
    line_break,
    pair,
    quote_of_keys,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitops_action.kustomization.document import Document, Entry, Field

_ORDER = ("name", "newName", "newTag", "digest")


def set_fields(
    document: Document, entry: Entry, wanted: Mapping[str, str | None]
) -> tuple[Splice, ...]:
    """Splice what differs from `wanted`; None is for a field that must go.

    The entry has a `name`, and `wanted` its fields in Kustomize's order.

    Raises KustomizationError where the entry's values are shared through anchors.
    """
    text, flow = document.text, entry.node.flow
    splices: list[Splice] = []
    added: dict[str, str] = {}
    removed: list[Field] = []
    for name, value in wanted.items():
        field = entry.fields.get(name)
        if value is None:
            removed += [field] if field and field.text else []
        elif field is None:
            added[name] = value
        elif field.text != value:
            splices.append(_set_value(text, field, value, flow=flow))
    if added or removed:
        _refuse_other_notations(text, entry)
    splices += _exchange(text, entry, added, removed)
    splices += [_remove(text, entry, field) for field in removed]
    splices += [_add(text, entry, name, value) for name, value in added.items()]
    if splices:
        _refuse_shared_values(entry)
    return tuple(splices)


def _exchange(
    text: str, entry: Entry, added: dict[str, str], removed: list[Field]
) -> Iterator[Splice]:
    """Make the digest's line the tag's, or the other way round: one changed line, not two."""
    for name in ("newTag", "digest"):
        if removed and name in added:
            field = removed.pop()
            new = pair(name, added.pop(name), quote=quote_of_keys(entry), flow=entry.node.flow)
            yield Splice(field.key.start, end_of_field(text, field), new)


def _set_value(text: str, field: Field, value: str, *, flow: bool) -> Splice:
    node = field.value
    quoted = isinstance(node, Scalar) and node.style in ("'", '"')
    quote = node.style if isinstance(node, Scalar) and quoted else None
    new = written(value, quote=quote, flow=flow)
    end = end_of_field(text, field)
    colon = after_colon(text, field.key)
    if end == colon:
        return insert(colon, f" {new}")
    return Splice(node.start, end, new)


def _add(text: str, entry: Entry, name: str, value: str) -> Splice:
    """Put a field where a reader looks for it: `name`, `newName`, `newTag`, `digest`."""
    earlier = [field for field in _ORDER[: _ORDER.index(name)] if field in entry.fields]
    before = entry.fields[earlier[-1]]
    flow = entry.node.flow
    new = pair(name, value, quote=quote_of_keys(entry), flow=flow)
    end = end_of_field(text, before)
    if flow:
        # A comma right behind a colon would belong to the key.
        gap = " " if text[end - 1] == ":" else ""
        return insert(end, f"{gap}, {new}")
    end = end_of_line(text, end)
    return insert(end, line_break(text, end) + " " * before.key.column + new)


def _remove(text: str, entry: Entry, field: Field) -> Splice:
    fields = list(entry.fields.values())
    place = fields.index(field)
    start, end = field.key.start, end_of_field(text, field)
    if entry.node.flow:
        if place:
            return Splice(end_of_field(text, fields[place - 1]), end, "")
        return Splice(start, fields[1].key.start, "")
    end = end_of_line(text, end)
    if place:
        head = text[:start].rstrip(" ")
        break_length = 2 if head.endswith("\r\n") else 1
        return Splice(len(head) - break_length, end, "")
    # The dash stays, and what comes next moves up to it: the next key, or a comment above it.
    rest = text[end:]
    return Splice(start, end + len(rest) - len(rest.lstrip()), "")


def _refuse_other_notations(text: str, entry: Entry) -> None:
    """No field can be put beside a pair without braces in brackets, nor between `?` and `:`."""
    node = entry.node
    explicit = any(text[key.start - 2 : key.start] == "? " for key, _ in node.pairs)
    if explicit or (node.flow and text[node.start] != "{"):
        refuse(
            "The entry is written as a pair without braces, or with `?` in front of its keys.",
            hint="Write it as `- name: shop`, with `newTag:` on a line below it.",
            line=entry.line,
        )


def _refuse_shared_values(entry: Entry) -> None:
    fields = entry.fields.values()
    if entry.node.anchor or any(field.is_shared for field in fields) or "<<" in entry.fields:
        refuse(
            "The entry shares its values with others, through an anchor, an alias or a merge key.",
            hint="Write the entry's values out: a new tag there would change the others as well.",
            line=entry.line,
        )
    for node in (entry.node, *(part for field in fields for part in (field.key, field.value))):
        if node.tag:
            refuse(
                "The entry has an explicit YAML tag.",
                hint="Remove the tag, and put the value in quotes.",
                line=node.line,
            )
