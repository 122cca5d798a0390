"""The proof that an edit changed what it should, and nothing else. It runs in every run."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from gitops_action.errors import KustomizationError, ProofError
from gitops_action.kustomization.document import Document, parse
from gitops_action.kustomization.nodes import meaning
from gitops_action.kustomization.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitops_action.kustomization.document import Entry
    from gitops_action.kustomization.nodes import Node
    from gitops_action.kustomization.splices import Splice

_PIECE = 65_536


def prove(
    before: Document,
    edited: str,
    splices: Iterable[Splice],
    *,
    wanted: Mapping[int, Mapping[str, str | None]],
) -> Document:
    """Show that entries differ only in what is `wanted` of them; return the parsed result.

    `wanted` is by position; those behind the last entry are new.

    Raises KustomizationError where the text's missing last line break is in the way, ProofError
    where anything outside the splices changed, or means something else now.
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
        if (name := _unproved_field(old, entry, wanted.get(place, {}))) is not None:
            _refuse_missing_line_end(before)
            raise _unproved(f"`{name}` of an entry would not be what it should be")
    if len(after.entries) != max(len(before.entries), *(place + 1 for place in wanted)):
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
        if kept < 0 or not _equal(before, old, edited, new, kept):
            raise _unproved("characters outside the edit changed")
        if inserted != splice.text:
            raise _unproved("the edit is not the planned one")
        old, new = splice.end, new + kept + len(splice.text)
    left = len(before) - old
    if len(edited) - new != left or not _equal(before, old, edited, new, left):
        raise _unproved("characters after the edit changed")


def _equal(before: str, old: int, edited: str, new: int, length: int) -> bool:
    """Compare piece by piece: a copy of a large text takes four times its bytes."""
    return all(
        before[old + at : old + min(at + _PIECE, length)]
        == edited[new + at : new + min(at + _PIECE, length)]
        for at in range(0, length, _PIECE)
    )


def _prove_other_fields(before: Document, after: Document) -> None:
    if not _agree(before, after):
        _refuse_missing_line_end(before)
        raise _unproved("another field of the kustomization would change")


def only_images_differ(one: str, other: str) -> bool:
    """Whether two kustomizations mean the same but for their images.

    Raises KustomizationError where one of them cannot be read.
    """
    return _agree(parse(one.removeprefix("\ufeff")), parse(other.removeprefix("\ufeff")))


def _agree(one: Document, other: Document) -> bool:
    """Whether all but `images` means the same."""
    return all(
        left is not None and right is not None and meaning(left) == meaning(right)
        for left, right in zip_longest(_others(one), _others(other))
    )


def _others(document: Document) -> Iterator[Node]:
    images = document.images.key if document.images else None
    for key, value in document.root.pairs:
        if key is not images:
            yield from (key, value)
    yield from document.later


def _refuse_missing_line_end(before: Document) -> None:
    """A block of text at the end gets a line break as soon as anything comes behind it."""
    text = before.text
    if text.endswith(("\n", "\r")):
        return
    if meaning(parse(f"{text}\n").root) != meaning(before.root):
        refuse(
            "The last line has no line break at its end, and is part of a block of text: whatever "
            "is added below it changes that text.",
            hint="End the file with a line break, or the block's `|` with `|-`.",
            line=len(text.splitlines()),
        )


def _unproved_field(
    before: Entry | None, after: Entry, wanted: Mapping[str, str | None]
) -> str | None:
    fields = before.fields if before else {}
    for name in {*fields, *after.fields, *wanted}:
        if name in wanted:
            proved = after.text(name) == (wanted[name] or "")
        else:
            proved = (
                name in fields
                and name in after.fields
                and meaning(fields[name].value) == meaning(after.fields[name].value)
            )
        if not proved:
            return name
    return None
