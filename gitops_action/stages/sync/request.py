"""What the sync stage is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_action.model.wait import ApplicationName, ResourcePattern, SyncMode, WaitFor

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from gitops_action.kustomization import ImageRequest
    from gitops_action.model.source import CommitSha


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """Which Applications to wait for, how far, and how long.

    They are those named, and those whose labels fit `selector`; `project` is theirs where it is
    given. `gitops_url` is the repository they follow, `branch` where it was promoted. `resources`
    narrows the health to some of their resources. `settle_seconds` is how long an Application must
    stay Healthy after an operation where the health of a changed kind may come late: longer than
    the slowest controller. `unblock` ends an older commit's operation that blocks ours; that of the
    commit in `reverts` is ended without being asked. `run` is what an operation that we ask for is
    known by.
    """

    applications: tuple[ApplicationName, ...]
    gitops_url: str
    wait_for: WaitFor
    timeout_seconds: float
    settle_seconds: float
    selector: str = ""
    project: str = ""
    branch: str = ""
    resources: tuple[ResourcePattern, ...] = ()
    mode: SyncMode = SyncMode.NEVER
    unblock: bool = False
    reverts: CommitSha | None = None
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What the GitOps branch asks for.

    `commit` is ours, or the head at which nothing had to change; `files` are the kustomizations
    that ask for `image` there; `rendered_diff` is what the commit changes in the manifests, None
    where that is not known.
    """

    commit: CommitSha
    files: tuple[PurePosixPath, ...] = ()
    image: ImageRequest | None = None
    rendered_diff: str | None = None


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
    """Every Application; `applications` is in the order of the request.

    `superseded` means that a newer source commit's image has replaced ours. `rollout_failed` means
    that our own rollout failed, and neither Argo CD nor somebody else's commit: then, and only
    then, may the old image be put back.
    """

    applications: tuple[ApplicationResult, ...]
    superseded: bool = False
    rollout_failed: bool = False
