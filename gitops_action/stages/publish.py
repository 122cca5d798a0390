"""Stage 3: the image is in the registry, under each of its tags, and was seen there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops_action.model.image import ImageReference, Repository


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
