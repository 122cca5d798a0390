"""All systems of a run in memory, deployed at an older image, with nothing wrong yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gitops_action.errors import ActionError, CancelledError
from gitops_action.model.go import PackageAction, PackageResult, PackageRun
from gitops_action.model.source import CommitSha
from gitops_action.pipeline import Systems
from tests.fakes.argocd_memory import MemoryApplication
from tests.fakes.builders import FakeBuilder, FakeRegistry
from tests.fakes.gitops import FakeGitOpsRepository
from tests.fakes.go import FakeGo, MemoryLog
from tests.fakes.guard import FakeSourceHistory
from tests.fakes.kustomize import FakeKustomize
from tests.fakes.reports import MemoryReports
from tests.fakes.waiting import FakeClock, MemoryArgoCD

OVERLAY = "overlays/dev/kustomization.yaml"
KUSTOMIZATION = """\
resources:
  - ../../base
images:
  - name: shop
    newName: ghcr.io/acme/shop
    newTag: "0000000"  # the deployed one
"""
BASE = "resources: [deployment.yaml]\n"
ONE_PACKAGE = PackageRun(
    result=PackageResult(name="example.com/shop", action=PackageAction.PASS, passed=3)
)


class FakeCancellation(FakeClock):
    """A clock that can be stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""

    def cancel(self, reason: str) -> None:
        self.reason = self.reason or reason

    def check(self) -> None:
        if self.reason:
            raise CancelledError(f"Stopped: {self.reason}.", hint="Run it again.")

    def sleep(self, seconds: float) -> None:
        self.check()
        super().sleep(seconds)


@dataclass
class FakeGitOps(FakeGitOpsRepository):
    """Also says what the preflight and the wait ask."""

    refusal: ActionError | None = None
    changed: dict[CommitSha, set[str]] = field(default_factory=dict)

    def default_branch(self) -> str:
        return self.branch

    def check_push(self, branch: str) -> None:
        assert branch == self.branch
        if self.refusal:
            raise self.refusal

    def trailers(self, head: CommitSha, text: str) -> tuple[Mapping[str, str], ...]:
        found = []
        commit = head if head in self.commits else None
        while commit is not None:
            message = self.commits[commit].message
            if text in message:
                lines = [line.split(": ", 1) for line in message.splitlines() if ": " in line]
                found.append(dict(lines))
            commit = self.commits[commit].parent
        return tuple(found)

    def changed_paths(self, base: CommitSha, _head: CommitSha) -> frozenset[PurePosixPath] | None:
        """Tell what changed since `base`, as the test says."""
        if base not in self.changed:
            return None
        return frozenset(PurePosixPath(path) for path in self.changed[base])

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        commit: CommitSha | None = revision
        while commit is not None and commit != ancestor:
            commit = self.commits[commit].parent
        return commit == ancestor

    def file(self, revision: CommitSha, path: PurePosixPath) -> bytes | None:
        return self.commits[revision].files.get(path)


@dataclass
class World:
    """A run's systems; tests change what shall go wrong."""

    go: FakeGo = field(default_factory=lambda: FakeGo(packages=[ONE_PACKAGE]))
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    gitops: FakeGitOps = field(
        default_factory=lambda: FakeGitOps(
            {
                OVERLAY: KUSTOMIZATION,
                "base/kustomization.yaml": BASE,
                "base/deployment.yaml": "kind: Deployment\n",
            }
        )
    )
    source: FakeSourceHistory = field(default_factory=FakeSourceHistory)
    kustomize: FakeKustomize = field(default_factory=FakeKustomize)
    cancellation: FakeCancellation = field(default_factory=FakeCancellation)
    log: MemoryLog = field(default_factory=MemoryLog)

    def __post_init__(self) -> None:
        self.docker = FakeBuilder("docker", ("Dockerfile",), registry=self.registry)
        self.ko = FakeBuilder("ko", ("./cmd/shop",), registry=self.registry)
        self.reports = MemoryReports(self.cancellation, [])
        self.application = MemoryApplication(
            name="shop",
            repo_url="https://github.com/acme/shop.git",
            path="overlays/dev",
            target_revision="main",
            resolve=lambda _: self.gitops.tip.value,
            images=lambda sha: [
                self.gitops.commits[CommitSha(sha)].files[PurePosixPath(OVERLAY)].decode()
            ],
            now=self.cancellation.now,
        )

    def systems(self) -> Systems:
        """What the pipeline runs on."""
        return Systems(
            go=self.go,
            docker=self.docker,
            ko=self.ko,
            registry=self.registry,
            gitops=self.gitops,
            github=None,
            commits=self.gitops,
            source=self.source,
            kustomize=self.kustomize,
            argocd=MemoryArgoCD(self.cancellation, {"shop": self.application}),
            reports=self.reports,
            cancellation=self.cancellation,
            chance=lambda: 0.5,
        )
