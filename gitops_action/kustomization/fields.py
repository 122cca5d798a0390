"""The splices that make one entry of `images` ask for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ruamel.yaml.nodes import ScalarNode

from gitops_action.kustomization.document import has_explicit_tag, line_of, refuse
from gitops_action.kustomization.scalars import written
from gitops_action.kustomization.splices import (
    Splice,
    after_colon,
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


def set_fields(
    document: Document, entry: Entry, wanted: Mapping[str, str | None]
) -> tuple[Splice, ...]:
    """Splice what differs from `wanted`; None is for a field that must go.

    Raises KustomizationError where the entry's values are shared through anchors.
    """
    text, flow = document.text, is_flow(entry.node)
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
    if removed and "newTag" in added:
        # The digest's line becomes the tag's: one changed line.
        field = removed.pop()
        tag = pair("newTag", added.pop("newTag"), quote=quote_of_keys(entry), flow=flow)
        splices.append(Splice(field.key.start_mark.index, end_of_field(text, field), tag))
    splices += [_remove(text, entry, field) for field in removed]
    if added:
        splices.append(_add(text, entry, added))
    if splices:
        _refuse_shared_values(text, entry)
    return tuple(splices)


def _set_value(text: str, field: Field, value: str, *, flow: bool) -> Splice:
    node = field.value
    quoted = isinstance(node, ScalarNode) and node.style in ("'", '"')
    quote = text[node.start_mark.index] if quoted else None
    new = written(value, quote=quote, flow=flow)
    end = end_of_field(text, field)
    colon = after_colon(text, field.key)
    if end == colon:
        return insert(colon, f" {new}")
    return Splice(node.start_mark.index, end, new)


def _add(text: str, entry: Entry, added: Mapping[str, str]) -> Splice:
    """Put the fields where Kustomize would: `newName` after `name`, `newTag` after both."""
    before = entry.fields.get("newName") or entry.fields["name"]
    flow, quote = is_flow(entry.node), quote_of_keys(entry)
    pairs = [pair(name, value, quote=quote, flow=flow) for name, value in added.items()]
    end = end_of_field(text, before)
    if flow:
        return insert(end, "".join(f", {new}" for new in pairs))
    end = end_of_line(text, end)
    indent = line_break(text, end) + " " * before.key.start_mark.column
    return insert(end, "".join(indent + new for new in pairs))


def _remove(text: str, entry: Entry, field: Field) -> Splice:
    fields = list(entry.fields.values())
    place = fields.index(field)
    start, end = int(field.key.start_mark.index), end_of_field(text, field)
    if is_flow(entry.node):
        if place:
            return Splice(end_of_field(text, fields[place - 1]), end, "")
        return Splice(start, fields[1].key.start_mark.index, "")
    end = end_of_line(text, end)
    if place:
        head = text[:start].rstrip(" ")
        break_length = 2 if head.endswith("\r\n") else 1
        return Splice(len(head) - break_length, end, "")
    # The dash stays, and what comes next moves up to it: the next key, or a comment above it.
    rest = text[end:]
    return Splice(start, end + len(rest) - len(rest.lstrip()), "")


def _refuse_shared_values(text: str, entry: Entry) -> None:
    nodes = [entry.node, *(part for pair in entry.node.value for part in pair)]
    shared = (
        any(node.anchor is not None for node in nodes)
        or any(field.is_alias for field in entry.fields.values())
        or "<<" in entry.fields
    )
    if shared:
        refuse(
            "The entry shares its values with others, through an anchor, an alias or a merge key.",
            hint="Write the entry's values out: a new tag there would change the others as well.",
            line=entry.line,
        )
    for node in nodes:
        if has_explicit_tag(text, node):
            refuse(
                "The entry has an explicit YAML tag.",
                hint="Remove the tag, and put the value in quotes.",
                line=line_of(node),
            )
