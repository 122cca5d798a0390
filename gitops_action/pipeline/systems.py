"""Everything outside that the stages need, one door each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gitops_action.kustomization import Renderer
from gitops_action.stages import build as build_stage
from gitops_action.stages import preflight as preflight_stage
from gitops_action.stages import promote as promote_stage
from gitops_action.stages import publish as publish_stage
from gitops_action.stages import sync as sync_stage
from gitops_action.stages import verify as verify_stage
from gitops_action.stages.build import BuiltImage


class Cancellation(Protocol):
    """The clock of every wait, and the event that ends every wait and child."""

    def cancel(self, reason: str) -> None: ...

    def check(self) -> None: ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class Holder(publish_stage.Pusher, Protocol):
    def discard(self, built: BuiltImage) -> None:
        """Remove what was built from this machine."""


class Builder(build_stage.Builder, Holder, Protocol): ...


class Registry(
    Holder,
    build_stage.Images,
    publish_stage.Registry,
    preflight_stage.Registry,
    promote_stage.Images,
    Protocol,
): ...


class GitOps(
    promote_stage.GitOpsRepository,
    promote_stage.EchoRepository,
    preflight_stage.GitOps,
    sync_stage.History,
    Protocol,
): ...


class ArgoCD(sync_stage.ArgoCD, preflight_stage.ArgoCD, Protocol): ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """Everything outside, one door each."""

    go: verify_stage.Go
    docker: Builder
    ko: Builder
    registry: Registry
    gitops: GitOps
    github: promote_stage.GitHub | None
    commits: promote_stage.CommitLog
    source: promote_stage.SourceHistory
    kustomize: Renderer
    argocd: ArgoCD
    reports: sync_stage.Reports
    cancellation: Cancellation
    chance: Callable[[], float]

    def builder(self, built: BuiltImage) -> Holder:
        """The one that has the image: who built it, or the registry."""
        docker, ko = self.docker, self.ko
        holders: dict[str, Holder] = {"docker": docker, "buildkit": docker, "ko": ko}
        return holders.get(built.builder, self.registry)
