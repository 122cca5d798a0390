"""Stage 3: the image is in the registry, under each of its tags, and was seen there.

The tag that never moves goes first: whoever follows a moving tag must find the image complete.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, RegistryError
from gitops_action.model.image import ImageReference
from gitops_action.model.log import Annotation, Level

if TYPE_CHECKING:
    from gitops_action.model.build import BuiltImage
    from gitops_action.model.image import Digest, Repository
    from gitops_action.model.log import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """Where the image goes; the first of `tags` is the one that a kustomization may name."""

    repository: Repository
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The pushed image as the registry names it, and every tag that names it."""

    image: ImageReference
    tags: tuple[str, ...]


class Pusher(Protocol):
    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Push under one tag; raises RegistryLoginError, RegistryError, CancelledError."""


class Registry(Protocol):
    def digest(self, reference: ImageReference) -> Digest | None:
        """Ask which image the tag names now; None where there is no such tag."""


def publish(
    request: PublishRequest, built: BuiltImage, *, pusher: Pusher, registry: Registry, log: Log
) -> PublishResult:
    """Push every tag in the order of the request, and read each one back from the registry.

    Raises RegistryLoginError, RegistryError, CancelledError; `partial` is a PublishResult with the
    tags that are in the registry, if there is one.
    """
    image = ImageReference(request.repository, request.tags[0])
    pushed: list[str] = []
    try:
        for tag in request.tags:
            with log.group(f"Pushing {request.repository}:{tag}"):
                digest = pusher.push(built, replace(image, tag=tag), log=log)
            seen = _read_back(replace(image, tag=tag), registry=registry)
            if seen != digest:
                _disagree(replace(image, tag=tag, digest=digest), seen, first=not pushed, log=log)
            image = replace(image, digest=image.digest or digest)
            pushed.append(tag)
            log.say(f"Pushed {request.repository}:{tag}")
    except ActionError as error:
        if pushed:
            error.partial = PublishResult(image, tuple(pushed))
        raise
    log.say(f"The registry has {image}.")
    return PublishResult(image, tuple(pushed))


def _read_back(reference: ImageReference, *, registry: Registry) -> Digest:
    seen = registry.digest(reference)
    if seen is None:
        raise RegistryError(
            f"{reference} was pushed, and the registry says that there is no such tag.",
            hint="Look at the registry's log; a mirror or a clean-up rule may be in the way.",
        )
    return seen


def _disagree(pushed: ImageReference, seen: Digest, *, first: bool, log: Log) -> None:
    """Fail where the tag is the one to promote; another one may move on at any moment."""
    said = f"{pushed.tagged} was pushed as {pushed.digest}, and the registry has {seen}"
    if first:
        raise RegistryError(
            f"{said}.",
            hint="Another job pushes the same tag: give every image its own, for example `sha`.",
        )
    log.annotate(Annotation(Level.WARNING, f"{said}: another job has moved it since."))
