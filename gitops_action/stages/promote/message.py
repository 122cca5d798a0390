"""The commit message: a subject, and trailers that lead back to source, run and image."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops_action.model.image import ImageReference
    from gitops_action.stages.promote.request import PromoteRequest


def commit_message(request: PromoteRequest, image: ImageReference, *, downgraded: str = "") -> str:
    """Compose the message for `git interpret-trailers`; `downgraded` is the newer image before."""
    trailers = {
        **request.trailers,
        "Source-Commit": str(request.source or ""),
        "Image": str(image),
        "Downgrade-From": downgraded,
    }
    lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items() if value]
    return "\n".join([" ".join(request.subject.split()), "", *lines, ""])
