"""Which entries of `images` an image means."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from gitops_action.errors import EntryError
from gitops_action.kustomization.document import IMAGE_FIELDS
from gitops_action.kustomization.refusal import refuse

if TYPE_CHECKING:
    from gitops_action.kustomization.document import Document, Entry

_LONGEST_LIST = 20


def choose(document: Document, repository: str, name: str) -> tuple[int, ...]:
    """Find the entries to change; none where one is to be added, several where they are equal.

    Raises EntryError where no entry or several could be meant, KustomizationError where two of one
    name disagree.
    """
    entries = document.entries
    found = [
        (place, entry)
        for place, entry in enumerate(entries)
        if (
            entry.text("name") == name
            if name
            else repository in (entry.text("name"), entry.text("newName"))
        )
    ]
    if not found and name:
        return ()
    names = {entry.text("name") for _, entry in found}
    if len(names) != 1:
        raise _undecided(document, repository, [entry for _, entry in found])
    first = found[0][1]
    if not first.text("name"):
        refuse(
            "The entry has no `name`: Kustomize would look for no image.",
            hint="Give it the `name` that the manifests use.",
            line=first.line,
        )
    _refuse_tagged_name(first)
    # One name can stand beside an entry that was found by its `newName`.
    same = [(at, entry) for at, entry in enumerate(entries) if entry.text("name") in names]
    for _, other in same[1:]:
        if any(first.text(field) != other.text(field) for field in IMAGE_FIELDS):
            refuse(
                f"Two entries of `images` have the name `{first.text('name')}` and disagree, on "
                f"lines {same[0][1].line} and {other.line}.",
                hint="Remove one of them: Kustomize would apply both, one after the other.",
                line=other.line,
            )
    return tuple(at for at, _ in same)


def _refuse_tagged_name(entry: Entry) -> None:
    new_name = entry.text("newName")
    if ":" in new_name.rpartition("/")[2] or "@" in new_name:
        refuse(
            f"The entry's `newName` is `{new_name}`: Kustomize would put the new tag behind the "
            "old one.",
            hint="Write the name alone there; `newTag` and `digest` are fields of their own.",
            line=entry.fields["newName"].key.line,
        )


def did_you_mean(document: Document, name: str) -> str:
    """Ask about a name that is nearly there; empty where none is."""
    near = difflib.get_close_matches(name, _names(document), 1)
    return f" Did you mean `{near[0]}`?" if near else ""


def _undecided(document: Document, repository: str, found: list[Entry]) -> EntryError:
    shown = [_described(entry) for entry in document.entries[:_LONGEST_LIST]]
    more = len(document.entries) - len(shown)
    listed = "; ".join([*shown, *([f"{more} more"] if more else [])]) or "none at all"
    if found:
        return EntryError(
            f"Several entries of `images` could be meant by {repository}: {listed}.",
            hint=f"Name one of them: `kustomize-name: {found[0].text('name')}`.",
        )
    names = _names(document)
    last = repository.rpartition("/")[2]
    likely = difflib.get_close_matches(last, names, 1, 0.5) or names or [last]
    return EntryError(
        f"No entry of `images` has the `name` or `newName` {repository}; there are: {listed}.",
        hint="Say how the manifests write the image's name; where no entry has that name, it is "
        f"added: `kustomize-name: {likely[0]}`.",
    )


def _described(entry: Entry) -> str:
    new_name = entry.text("newName")
    renamed = f" (newName {new_name})" if new_name else ""
    return f"{entry.text('name')}{renamed} on line {entry.line}"


def _names(document: Document) -> list[str]:
    return [entry.text("name") for entry in document.entries if entry.text("name")]
