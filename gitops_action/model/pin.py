"""How a kustomization names an image: by what can move, by what cannot, or by both."""

from __future__ import annotations

from enum import StrEnum


class Pin(StrEnum):
    """With a digest the content is fixed; a tag beside it is for people."""

    TAG = "tag"
    DIGEST = "digest"
    TAG_AND_DIGEST = "tag+digest"

    @property
    def has_tag(self) -> bool:
        return self is not Pin.DIGEST

    @property
    def has_digest(self) -> bool:
        return self is not Pin.TAG
