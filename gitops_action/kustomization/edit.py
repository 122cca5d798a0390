"""Text in, text out: one entry of `images` asks for another image, and nothing else changes."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_action.errors import EntryError
from gitops_action.kustomization.document import Document, parse, refuse
from gitops_action.kustomization.entries import append_entry
from gitops_action.kustomization.fields import set_fields
from gitops_action.kustomization.proof import prove, prove_settled
from gitops_action.kustomization.splices import Splice, apply

if TYPE_CHECKING:
    from gitops_action.kustomization.document import Entry
    from gitops_action.model.image import ImageReference

_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """The text that asks for the image, and what the entry `entry` asked for before.

    `previous` is an image reference such as `ghcr.io/acme/shop:abc`, empty where the entry was not
    there or named neither tag nor digest.
    """

    text: str
    entry: str
    previous: str
    changed: bool
    notices: tuple[str, ...] = ()


def set_image(text: str, *, image: ImageReference, entry: str = "") -> Edit:
    """Make the entry ask for the image's tag.

    The entry is the one whose `name` is `entry` (added where there is none), or, without `entry`,
    the one whose `name` or `newName` is the image's repository.

    Raises EntryError where no entry or several could be meant, KustomizationError where the text
    cannot be edited safely, ProofError where the edit would change anything else.
    """
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    before = parse(text.removeprefix(mark))
    plan = _plan(before, image, entry)
    edited = apply(before.text, plan.splices)
    if plan.splices:
        after = prove(before, edited, plan.splices, position=plan.position, wanted=plan.wanted)
        prove_settled(_plan(after, image, entry).splices)
    return Edit(
        text=mark + edited,
        entry=plan.name,
        previous=_asked_for(plan.target),
        changed=bool(plan.splices),
        notices=plan.notices,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    name: str
    target: Entry | None
    position: int
    wanted: dict[str, str | None]
    splices: tuple[Splice, ...]
    notices: tuple[str, ...]


def _plan(document: Document, image: ImageReference, name: str) -> _Plan:
    position = _position(document, image.repository.name, name)
    if position is None:
        return _plan_new_entry(document, image, name)
    repository, target = image.repository.name, document.entries[position]
    wanted: dict[str, str | None] = {"digest": None}
    notices = []
    pulled = target.text("newName") or target.text("name")
    if not target.text("newName") and pulled != repository:
        wanted["newName"] = repository
    elif pulled != repository:
        notices.append(
            f"The entry `{target.text('name')}` keeps its `newName`: the cluster pulls "
            f"{pulled}:{image.tag}, and not {image.tagged}."
        )
    wanted["newTag"] = image.tag
    if target.text("digest"):
        notices.append(
            f"The `digest` of the entry `{target.text('name')}` was removed: it would have kept "
            "the old image running."
        )
    return _Plan(
        name=target.text("name"),
        target=target,
        position=position,
        wanted=wanted,
        splices=set_fields(document, target, wanted),
        notices=tuple(notices),
    )


def _plan_new_entry(document: Document, image: ImageReference, name: str) -> _Plan:
    fields = {"name": name, "newName": image.repository.name, "newTag": image.tag}
    if name == image.repository.name:
        del fields["newName"]
    notice = f"`images` had no entry `{name}`; it was added.{_near(name, _names(document))}"
    return _Plan(
        name=name,
        target=None,
        position=len(document.entries),
        wanted=dict(fields),
        splices=append_entry(document, fields),
        notices=(notice,),
    )


def _position(document: Document, repository: str, name: str) -> int | None:
    """Find the entry to change; None where it is to be added."""
    entries = document.entries
    if name:
        found = [place for place, entry in enumerate(entries) if entry.text("name") == name]
    else:
        found = [
            place
            for place, entry in enumerate(entries)
            if repository in (entry.text("name"), entry.text("newName"))
        ]
    names = {entries[place].text("name") for place in found}
    if len(found) > 1 and len(names) == 1:
        refuse(
            f"Two entries of `images` have the name `{names.pop()}`, on lines "
            f"{' and '.join(str(entries[place].line) for place in found)}.",
            hint="Remove one of them: Kustomize would apply both, one after the other.",
            line=entries[found[-1]].line,
        )
    if len(found) == 1 or (name and not found):
        return found[0] if found else None
    raise _undecided(document, repository, found)


def _undecided(document: Document, repository: str, found: list[int]) -> EntryError:
    listed = "; ".join(_described(entry) for entry in document.entries) or "none at all"
    if found:
        return EntryError(
            f"Several entries of `images` could be meant by {repository}: {listed}.",
            hint=f"Name one of them: `kustomize-name: {document.entries[found[0]].text('name')}`.",
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


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f" Did you mean `{near[0]}`?" if near else ""


def _asked_for(entry: Entry | None) -> str:
    if entry is None or not (entry.text("newTag") or entry.text("digest")):
        return ""
    tag = f":{entry.text('newTag')}" if entry.text("newTag") else ""
    digest = f"@{entry.text('digest')}" if entry.text("digest") else ""
    return f"{entry.text('newName') or entry.text('name')}{tag}{digest}"
