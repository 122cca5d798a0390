"""Stage 5: Argo CD reports the commit deployed."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """Which Applications to wait for, and how long; `gitops_url` is the repository they follow."""

    applications: tuple[ApplicationName, ...]
    gitops_url: str
    wait_for: WaitFor
    timeout_seconds: float
    settle_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStatus:
    """One resource of an Application as Argo CD sees it."""

    kind: str
    name: str
    sync: str
    health: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationResult:
    """Where one Application stood at the end of the wait."""

    name: ApplicationName
    revision: str
    sync: str
    health: str
    url: str
    reason: str
    resources: tuple[ResourceStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncResult:
    """Every Application; `applications` is in the order of the request."""

    applications: tuple[ApplicationResult, ...]
