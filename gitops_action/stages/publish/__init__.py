"""Stage 3: the image is in the registry, under each of its tags, and was seen there."""

from gitops_action.stages.publish.moving import SourceHistory
from gitops_action.stages.publish.publish import (
    Clock,
    PublishRequest,
    PublishResult,
    Pusher,
    Registry,
    publish,
)

__all__ = [
    "Clock",
    "PublishRequest",
    "PublishResult",
    "Pusher",
    "Registry",
    "SourceHistory",
    "publish",
]
