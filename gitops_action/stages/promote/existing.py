"""An image that an earlier job pushed: exactly that one is promoted, and it knows its commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import RegistryError
from gitops_action.model.image import ImageReference
from gitops_action.model.source import CommitSha, is_commit_sha

if TYPE_CHECKING:
    from gitops_action.model.image import Digest
    from gitops_action.model.pin import Pin
    from gitops_action.stages.promote.guard import Images
    from gitops_action.stages.promote.request import PromoteRequest


class Registry(Protocol):
    def digest(self, reference: ImageReference) -> Digest | None:
        """Ask which image the tag names, or whether the digest is there; None where it is not."""


def already_published(image: ImageReference, pin: Pin, registry: Registry) -> ImageReference:
    """Ask for the image: a kustomization never names a missing one.

    Raises RegistryError where it is not there, or where the tag names another image than the
    digest and the kustomization would name the tag.
    """
    exact = ImageReference(image.repository, "", image.digest) if image.digest else image
    digest = registry.digest(exact)
    if digest is None:
        raise RegistryError(
            f"{exact} is not in the registry, and this step does not build it.",
            hint="Let `stages` include `build publish`, or push the image in an earlier step.",
        )
    if image.digest and image.tag and not pin.has_digest:
        named = registry.digest(replace(image, digest=None))
        if named != image.digest:
            raise RegistryError(
                f"The tag of {image} names {named or 'no image'} by now, and the kustomization "
                "would name the tag.",
                hint="Set `pin: tag+digest`, or leave the tag or the digest out of `image`.",
            )
    return replace(image, digest=digest)


def source_of(image: ImageReference, request: PromoteRequest, images: Images) -> CommitSha | None:
    """The commit that the image is made from: its label, its tag, or the one of this run."""
    labelled = images.revision(ImageReference(image.repository, "", image.digest))
    if labelled is None and is_commit_sha(image.tag):
        return CommitSha(image.tag)
    return labelled or request.source
