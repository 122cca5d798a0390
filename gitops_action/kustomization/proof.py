"""The proof that an edit changed what it should, and nothing else. It runs in every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_action.errors import KustomizationError, ProofError
from gitops_action.kustomization.document import Document, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitops_action.kustomization.document import Entry
    from gitops_action.kustomization.splices import Splice


def prove(
    before: Document,
    edited: str,
    splices: Iterable[Splice],
    *,
    position: int,
    wanted: Mapping[str, str | None],
) -> Document:
    """Show that only entry `position` differs, only in `wanted`; return the parsed result.

    Raises ProofError where anything outside the splices changed, or means something else now.
    """
    _prove_characters(before.text, edited, splices)
    try:
        after = parse(edited)
    except KustomizationError as error:
        raise _unproved(f"the edited text cannot be read: {error.message}") from error
    _prove_other_fields(before, after)
    expected = [*before.entries]
    for place, entry in enumerate(after.entries):
        old = expected[place] if place < len(expected) else None
        _prove_entry(old, entry, wanted if place == position else {})
    if len(after.entries) != max(len(before.entries), position + 1):
        raise _unproved("the number of entries is not the expected one")
    return after


def prove_settled(splices: tuple[Splice, ...]) -> None:
    """Raise ProofError where the same edit of its own result would change it again."""
    if splices:
        raise _unproved("the same edit would change the file once more")


def _unproved(what: str) -> ProofError:
    return ProofError(
        f"The edit was not proved, and nothing was committed: {what}.",
        hint="Set the tag by hand once, and report the file's shape as a bug of this action.",
    )


def _prove_characters(before: str, edited: str, splices: Iterable[Splice]) -> None:
    old = new = 0
    for splice in sorted(splices, key=lambda splice: (splice.start, splice.end)):
        kept = splice.start - old
        inserted = edited[new + kept : new + kept + len(splice.text)]
        if kept < 0 or edited[new : new + kept] != before[old : splice.start]:
            raise _unproved("characters outside the edit changed")
        if inserted != splice.text:
            raise _unproved("the edit is not the planned one")
        old, new = splice.end, new + kept + len(splice.text)
    if edited[new:] != before[old:]:
        raise _unproved("characters after the edit changed")


def _prove_other_fields(before: Document, after: Document) -> None:
    old = [
        pair
        for pair in before.root.value
        if before.images is None or pair[0] is not before.images.key
    ]
    new = [
        pair for pair in after.root.value if after.images is None or pair[0] is not after.images.key
    ]
    pairs = [
        (a, b)
        for left, right in zip(old, new, strict=False)
        for a, b in zip(left, right, strict=True)
    ]
    later = zip(before.later, after.later, strict=False)
    lengths = len(old) == len(new) and len(before.later) == len(after.later)
    if not lengths or not _same([*pairs, *later]):
        raise _unproved("another field of the kustomization would change")


def _prove_entry(before: Entry | None, after: Entry, wanted: Mapping[str, str | None]) -> None:
    fields = before.fields if before else {}
    for name in {*fields, *after.fields, *wanted}:
        if name in wanted:
            proved = after.text(name) == (wanted[name] or "")
        else:
            proved = (
                name in fields
                and name in after.fields
                and _same([(fields[name].value, after.fields[name].value)])
            )
        if not proved:
            raise _unproved(f"`{name}` of an entry would not be what it should be")


def _same(pairs: list[tuple[Node, Node]]) -> bool:
    """Compare trees; aliases make them graphs, so that each pair is looked at once."""
    waiting, seen = list(pairs), set[tuple[int, int]]()
    while waiting:
        old, new = waiting.pop()
        if (id(old), id(new)) in seen:
            continue
        seen.add((id(old), id(new)))
        if type(old) is not type(new):
            return False
        if isinstance(old, ScalarNode) and isinstance(new, ScalarNode):
            if (old.tag, old.value, bool(old.style)) != (new.tag, new.value, bool(new.style)):
                return False
        else:
            left, right = _children(old), _children(new)
            if len(left) != len(right):
                return False
            waiting += zip(left, right, strict=True)
    return True


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []
