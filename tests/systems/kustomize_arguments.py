"""What an argument of `kustomize edit set image` asks for (its setimage.go, `parse`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitops_action.kustomization import ImageRequest
from gitops_action.kustomization.document import parse
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.pin import Pin

KEEP = "*"


@dataclass(frozen=True, slots=True)
class Argument:
    """`name=new_name:tag@digest`; a `*` keeps what the entry has."""

    name: str
    new_name: str
    tag: str
    digest: str


def read_argument(text: str) -> Argument:
    """Split as Kustomize does: at the first `=`, and after the last host at `:` and `@`."""
    key, equals, value = text.partition("=")
    if not equals:
        key, value = "", text
    slash = value.find("/")
    start = max(0, slash)
    tail = value[start:]
    found = re.search("[:@]", tail)
    name, rest = (value[: start + found.start()], tail[found.start() :]) if found else (value, "")
    tag, digest = "", ""
    if rest.startswith("@"):
        digest = rest[1:]
    elif rest:
        tag, _, digest = rest[1:].partition("@")
    if key:
        return Argument(key, name, tag, digest)
    return Argument(name, "", tag, digest)


def as_request(text: str, argument: Argument) -> ImageRequest:
    """Ask the same of our edit.

    Raises ValueError where nothing in our terms asks for it, KustomizationError where the text has
    a `*` to be filled from it and cannot be read.
    """
    there = (
        _fields(text, argument.name)
        if KEEP in (argument.new_name, argument.tag, argument.digest)
        else {}
    )
    new_name, tag, digest = (
        there.get(field, "") if value == KEEP else value
        for field, value in (
            ("newName", argument.new_name),
            ("newTag", argument.tag),
            ("digest", argument.digest),
        )
    )
    if not tag and not digest:
        raise ValueError("neither tag nor digest")
    pin = Pin.TAG_AND_DIGEST if tag and digest else Pin.TAG if tag else Pin.DIGEST
    image = ImageReference(
        Repository(new_name or argument.name), tag or "unused", Digest(digest) if digest else None
    )
    return ImageRequest(image, argument.name, pin)


def _fields(text: str, name: str) -> dict[str, str]:
    entries = parse(text.removeprefix("\ufeff")).entries
    found = next((entry for entry in entries if entry.text("name") == name), None)
    return {field: found.text(field) for field in found.fields} if found else {}
