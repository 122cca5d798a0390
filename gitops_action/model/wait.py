"""What to wait for: nouns that the inputs and the sync stage share."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class WaitFor(enum.StrEnum):
    SYNCED = "synced"
    HEALTHY = "healthy"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ApplicationName:
    """An Application's name, and its namespace where it is not Argo CD's own."""

    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name
