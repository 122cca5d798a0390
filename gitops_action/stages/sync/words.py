"""How the sync stage says things: short revisions, resources, durations, foreign messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.model.argocd import Resource

_SHA = re.compile(r"[0-9a-f]{40,64}")
_SHORT = 7
_LONGEST_MESSAGE = 400
_SHOWN_RESOURCES = 5
_MINUTE, _HOUR = 60, 3600


def short(revision: str) -> str:
    """A revision as people say it; what is no SHA stays whole."""
    if _SHA.fullmatch(revision):
        return revision[:_SHORT]
    return revision or "no revision"


def one_line(message: str) -> str:
    """A foreign message on one line; of a long one the end, which is where the cause stands."""
    text = " ".join(message.split())
    return text if len(text) <= _LONGEST_MESSAGE else f"…{text[-_LONGEST_MESSAGE:]}"


def cause(message: str) -> str:
    """What a program said last of all: behind `Error:`, where it says that, else all of it."""
    return one_line(message.rpartition("Error: ")[2])


def listed(resources: Sequence[Resource]) -> str:
    """`Deployment/shop is Degraded: …; Service/shop is SyncFailed: …`."""
    parts = []
    for resource in resources[:_SHOWN_RESOURCES]:
        state = resource.health if resource.health not in {"", "Healthy"} else resource.sync
        message = f": {one_line(resource.message)}" if resource.message else ""
        parts.append(f"{resource} is {state}{message}")
    more = len(resources) - _SHOWN_RESOURCES
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def duration(seconds: float) -> str:
    """`45s`, `5m`, `5m 30s`, `1h 5m`."""
    whole = round(seconds)
    hours, minutes, rest = whole // _HOUR, whole % _HOUR // _MINUTE, whole % _MINUTE
    parts = [(hours, "h"), (minutes, "m"), (0 if hours else rest, "s")]
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
