"""What the sync stage is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_action.model.wait import ApplicationName, WaitFor


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """Which Applications to wait for, and how long; `gitops_url` is the repository they follow.

    `settle_seconds` is how long an Application must stay Healthy after an operation: 0 where the
    health of every changed kind follows at once, else longer than the slowest controller.
    """

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
