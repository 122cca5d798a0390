"""Text in, text out: entries of `images` ask for other images, and nothing else changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_action.errors import EntryError
from gitops_action.kustomization.choice import choose, did_you_mean
from gitops_action.kustomization.document import Document, parse
from gitops_action.kustomization.entries import append_entries
from gitops_action.kustomization.fields import set_fields
from gitops_action.kustomization.overrides import warnings_about
from gitops_action.kustomization.proof import prove, prove_settled
from gitops_action.kustomization.splices import Splice, apply
from gitops_action.model.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gitops_action.kustomization.document import Entry
    from gitops_action.model.image import ImageReference

_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """The image that an entry of `images` shall ask for.

    The entry is the one whose `name` is `entry` (added where there is none), or, without `entry`,
    the one whose `name` or `newName` is the image's repository. A pin with a digest needs the
    image's digest.
    """

    image: ImageReference
    entry: str = ""
    pin: Pin = Pin.TAG

    def __post_init__(self) -> None:
        if self.pin.has_digest and self.image.digest is None:
            msg = f"{self.image} cannot be pinned by a digest that is not known"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """What the entry with the `name` `entry` asked for before and asks for now.

    Both are image references such as `ghcr.io/acme/shop:abc`; `old` is empty where the entry was
    not there, or named neither tag nor digest.
    """

    entry: str
    old: str
    new: str

    @property
    def changed(self) -> bool:
        return self.old != self.new


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """The text that asks for the images; `images` are in the order of the requests.

    A notice tells what a reader might not expect, a warning what may keep the images from running
    or Kustomize from reading the file.
    """

    text: str
    images: tuple[ImageChange, ...]
    changed: bool
    notices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def previous(self) -> str:
        """What the first entry asked for before."""
        return self.images[0].old if self.images else ""


def set_image(text: str, *, image: ImageReference, entry: str = "", pin: Pin = Pin.TAG) -> Edit:
    """Make one entry ask for the image, as `set_images` does."""
    return set_images(text, (ImageRequest(image, entry, pin),))


def set_images(text: str, requests: Iterable[ImageRequest]) -> Edit:
    """Make an entry ask for each image, in one edit with one proof.

    Raises EntryError where no entry or several could be meant, or one by two images;
    KustomizationError where the text cannot be edited safely, ProofError where the edit would
    change anything else.
    """
    asked = tuple(requests)
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    before = parse(text.removeprefix(mark))
    plan = _plan(before, asked)
    edited = apply(before.text, plan.splices)
    if plan.splices:
        after = prove(before, edited, plan.splices, wanted=plan.wanted)
        prove_settled(_plan(after, asked).splices)
    return Edit(
        text=mark + edited,
        images=plan.images,
        changed=bool(plan.splices),
        notices=plan.notices,
        warnings=warnings_about(before, {change.entry for change in plan.images}),
    )


Wanted = dict[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    wanted: dict[int, Wanted]
    splices: tuple[Splice, ...]
    images: tuple[ImageChange, ...]
    notices: tuple[str, ...]


def _plan(document: Document, requests: tuple[ImageRequest, ...]) -> _Plan:
    wanted: dict[int, Wanted] = {}
    new: dict[str, dict[str, str]] = {}
    images, notices = list[ImageChange](), list[str]()
    for request in requests:
        places = choose(document, request.image.repository.name, request.entry)
        target = document.entries[places[0]] if places else None
        fields = _wanted(request, target)
        if target is None:
            known: Wanted | None = dict(new[request.entry]) if request.entry in new else None
            new[request.entry] = {name: value for name, value in fields.items() if value}
            fields = dict(new[request.entry])
        else:
            known = wanted.get(places[0])
            wanted |= dict.fromkeys(places, fields)
        if known is not None and known != fields:
            raise _contradiction(request)
        images.append(_change(request, target, fields))
        notices += _notices(document, request, target) if known is None else []
    splices = [
        splice
        for place, fields in wanted.items()
        for splice in set_fields(document, document.entries[place], fields)
    ]
    if new:
        splices += append_entries(document, list(new.values()))
        wanted |= {
            len(document.entries) + place: dict(fields) for place, fields in enumerate(new.values())
        }
    return _Plan(
        wanted=wanted, splices=tuple(splices), images=tuple(images), notices=tuple(notices)
    )


def _wanted(request: ImageRequest, target: Entry | None) -> Wanted:
    image, repository = request.image, request.image.repository.name
    fields: Wanted = {} if target else {"name": request.entry}
    name = target.text("name") if target else request.entry
    if name != repository and not (target and target.text("newName")):
        fields["newName"] = repository
    fields["newTag"] = image.tag if request.pin.has_tag else None
    fields["digest"] = str(image.digest) if request.pin.has_digest else None
    return fields


def _change(request: ImageRequest, target: Entry | None, fields: Wanted) -> ImageChange:
    old = {name: target.text(name) for name in _SHOWN} if target else {}
    new = {**old, **fields}
    entry = target.text("name") if target else request.entry
    asked = bool(old.get("newTag") or old.get("digest"))
    return ImageChange(
        entry=entry, old=_reference(entry, old) if asked else "", new=_reference(entry, new)
    )


_SHOWN = ("newName", "newTag", "digest")


def _reference(entry: str, fields: Mapping[str, str | None]) -> str:
    tag = f":{fields['newTag']}" if fields.get("newTag") else ""
    digest = f"@{fields['digest']}" if fields.get("digest") else ""
    return f"{fields.get('newName') or entry}{tag}{digest}"


def _notices(document: Document, request: ImageRequest, target: Entry | None) -> list[str]:
    if target is None:
        near = did_you_mean(document, request.entry)
        return [f"`images` had no entry `{request.entry}`; it was added.{near}"]
    notices = []
    name, repository = target.text("name"), request.image.repository.name
    pulled = target.text("newName")
    if pulled and pulled != repository:
        tagged = f"{pulled}:{request.image.tag}"
        notices.append(
            f"The entry `{name}` keeps its `newName`: the cluster pulls {tagged}, and not "
            f"{request.image.tagged}."
        )
    if target.text("digest") and not request.pin.has_digest:
        notices.append(
            f"The `digest` of the entry `{name}` was removed: it would have kept the old image "
            "running."
        )
    if target.text("newTag") and not request.pin.has_tag:
        notices.append(f"The `newTag` of the entry `{name}` was removed: the digest alone counts.")
    return notices


def _contradiction(request: ImageRequest) -> EntryError:
    return EntryError(
        f"Two images are to be set in one entry of `images`; {request.image} is the second.",
        hint="Name the entry of each image in `kustomize-name`.",
    )
