"""One Application in memory, a branch that others push to, and a wait for its head."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import (
    ApplicationName,
    Promoted,
    SyncMode,
    SyncRequest,
    SyncResult,
    WaitFor,
    sync,
)
from tests.fakes.applications import OLDER, URL
from tests.fakes.argocd_memory import Behaviour, MemoryApplication
from tests.fakes.waiting import FakeClock, LinearAncestry, LineLog, MemoryArgoCD

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Scene:
    """One Application in memory, and a branch that others push to."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    commits: list[str] = field(default_factory=lambda: [OLDER])

    def __post_init__(self) -> None:
        self.clock, self.log = FakeClock(), LineLog()
        self.application = MemoryApplication(
            name="shop",
            repo_url=URL,
            path="overlays/dev",
            target_revision="main",
            resolve=lambda _: self.commits[-1],
            images=lambda revision: [revision],
            now=self.clock.now,
            behaviour=self.behaviour,
        )
        self.argocd = MemoryArgoCD(self.clock, {"shop": self.application})
        self.begun = self.clock.now

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now += seconds
        self.application.advance(self.clock.now)

    def wait(
        self, *, mode: SyncMode = SyncMode.NEVER, unblock: bool = False, seconds: float = 600
    ) -> SyncResult:
        """Wait for the newest commit."""
        self.begun = self.clock.now
        return sync(
            SyncRequest(
                applications=(ApplicationName("shop"),),
                gitops_url=URL,
                branch="main",
                wait_for=WaitFor.HEALTHY,
                timeout_seconds=seconds,
                settle_seconds=0,
                mode=mode,
                unblock=unblock,
                run="run/1",
            ),
            Promoted(commit=CommitSha(self.commits[-1])),
            argocd=self.argocd,
            ancestry=LinearAncestry(self.commits),
            clock=self.clock,
            log=self.log,
        )

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Let somebody do something after a while."""
        self.application.schedule(seconds, act)

    @property
    def seconds(self) -> float:
        return self.clock.now - self.begun
