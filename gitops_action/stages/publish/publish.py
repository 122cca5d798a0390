"""Push once, then give the same digest its other tags.

The tag that never moves goes first: whoever follows a moving tag must find the image complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import (
    ActionError,
    RegistryError,
    RegistryUnavailableError,
    TagExistsError,
)
from gitops_action.model.build import BuiltImage
from gitops_action.model.image import ImageReference
from gitops_action.model.log import Annotation, Level
from gitops_action.stages.publish.moving import Images, Movement, SourceHistory

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_action.model.image import Digest, Repository
    from gitops_action.model.log import Log
    from gitops_action.model.source import CommitSha

# A registry restarts, or asks for fewer requests: what it has of an image is not sent again.
_PAUSES_SECONDS = (2.0, 10.0, 30.0)
_TAG_EXISTS = (
    "The same commit gives another image where earlier steps change the workspace, or the inputs "
    "of the build change. Give each image a tag of its own:\n\n"
    '    tags: "{sha-short}-{run-number}, latest"\n\n'
    "A name that shall move is `latest`, `branch`, or a text with `{branch}`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """Where the image goes; the first of `tags` is the one that a kustomization may name.

    `moving` are those of `tags` that may name another image already; `version` is the one that the
    run is for, empty where it is for none; `source` is the commit that the image is made from.
    `kept` are those that never move and may stay with an older build of the same commit.
    """

    repository: Repository
    tags: tuple[str, ...]
    moving: frozenset[str] = field(default_factory=frozenset)
    version: str = ""
    source: CommitSha | None = None
    kept: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The pushed image as the registry names it, and every tag that names it."""

    image: ImageReference
    tags: tuple[str, ...]


class Pusher(Protocol):
    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Push under one tag, and send nothing again that the registry has.

        Raises RegistryUnavailableError where another try may do, RegistryLoginError, RegistryError,
        CancelledError.
        """


class Registry(Pusher, Images, Protocol):
    """Pushes what it has already: a digest gets one more tag."""

    def digest(self, reference: ImageReference) -> Digest | None:
        """Ask which image the tag names now; None where there is no such tag."""

    def configuration(self, reference: ImageReference) -> Digest | None:
        """Ask for the digest of the image's configuration; None for several platforms."""


class Clock(Protocol):
    def sleep(self, seconds: float) -> None: ...


def publish(  # noqa: PLR0913  the systems that are asked are named one by one
    request: PublishRequest,
    built: BuiltImage,
    *,
    pusher: Pusher,
    registry: Registry,
    history: SourceHistory,
    clock: Clock,
    log: Log,
) -> PublishResult:
    """Push every tag in the order of the request, and read each one back from the registry.

    Raises TagExistsError, RegistryLoginError, RegistryError, CancelledError; `partial` is a
    PublishResult with the tags that are in the registry, if there is one.
    """
    image = ImageReference(request.repository, request.tags[0])
    movement = Movement(request.source, request.version, history=history, images=registry)
    pushed: list[str] = []
    try:
        for tag in request.tags:
            reference = replace(image, tag=tag, digest=None)
            land = partial(_land, built, reference, request, movement, pusher, registry, log)
            digest = _patiently(partial(land, first=not pushed), clock=clock, log=log)
            if digest is None:
                continue
            if not pushed:
                image = replace(image, tag=tag, digest=digest)
            pushed.append(tag)
            # What is in the registry need not be sent to it again.
            built, pusher = BuiltImage("registry", str(digest), (digest,)), registry
    except ActionError as error:
        if pushed:
            error.partial = PublishResult(image, tuple(pushed))
        raise
    if not pushed:
        raise TagExistsError(
            f"{built.digests[0] if built.digests else 'The image'} was built again, and every tag "
            f"stays with an older image: {', '.join(request.tags)}.",
            hint=_TAG_EXISTS,
        )
    log.say(f"The registry has {image}.")
    return PublishResult(image, tuple(pushed))


def _patiently(land: Callable[[], Digest | None], *, clock: Clock, log: Log) -> Digest | None:
    """Begin a tag again where the registry did not answer: what was pushed may be there."""
    for pause in _PAUSES_SECONDS:
        try:
            return land()
        except RegistryUnavailableError as error:
            log.say(f"Once more in {pause:.0f} s: {error.message}")
            clock.sleep(pause)
    return land()


def _land(  # noqa: PLR0913, PLR0917  all that a tag's way into the registry is made of
    built: BuiltImage,
    reference: ImageReference,
    request: PublishRequest,
    movement: Movement,
    pusher: Pusher,
    registry: Registry,
    log: Log,
    *,
    first: bool,
) -> Digest | None:
    """See to it that the tag names the image; None where it stays with another one."""
    there = registry.digest(reference)
    ours = there is not None and _is(built, there, reference, registry)
    if there and ours and not built.sbom:
        log.say(f"{reference} names this image already.")
        return there
    if there and not ours and _stays(reference, there, built, request, movement, log):
        return None
    with log.group(f"Pushing {reference}"):
        digest = pusher.push(built, reference, log=log)
    _check(replace(reference, digest=digest), registry, first=first, log=log)
    return digest


def _is(built: BuiltImage, there: Digest, reference: ImageReference, registry: Registry) -> bool:
    """Whether the tag names what was built; an engine knows its configuration, not its manifest."""
    if there in built.digests or built.builder == "registry":
        return there in built.digests
    exact = replace(reference, tag="", digest=there)
    return registry.configuration(exact) in built.digests


def _stays(  # noqa: PLR0913, PLR0917  all that the decision is made of
    reference: ImageReference,
    there: Digest,
    built: BuiltImage,
    request: PublishRequest,
    movement: Movement,
    log: Log,
) -> bool:
    """Whether a tag that names another image keeps it; raises TagExistsError where it must."""
    if reference.tag in request.kept:
        why = "it names an older build of this commit"
    elif reference.tag not in request.moving:
        ours = f"{built.digests[0]} was built" if built.digests else "another image was built"
        raise TagExistsError(
            f"{reference} is {there}, and {ours}: a tag that a kustomization may name never "
            "changes.",
            hint=_TAG_EXISTS,
        )
    else:
        why = movement.stays(reference)
    if why:
        stays = f"The tag `{reference.tag}` stays where it is: {why}."
        log.annotate(Annotation(Level.NOTICE, stays))
    return bool(why)


def _check(pushed: ImageReference, registry: Registry, *, first: bool, log: Log) -> None:
    """Read the tag back.

    Fails where the tag is the one to promote; another one may move on at any moment.
    """
    seen = registry.digest(replace(pushed, digest=None))
    if seen is None:
        raise RegistryError(
            f"{pushed.tagged} was pushed, and the registry says that there is no such tag.",
            hint="Look at the registry's log; a mirror or a clean-up rule may be in the way.",
        )
    if seen == pushed.digest:
        log.say(f"Pushed {pushed.tagged}")
        return
    said = f"{pushed.tagged} was pushed as {pushed.digest}, and the registry has {seen}"
    if first:
        raise RegistryError(
            f"{said}.",
            hint="Another job pushes the same tag: give every image its own, for example `sha`.",
        )
    log.annotate(Annotation(Level.WARNING, f"{said}: another job has moved it since."))
