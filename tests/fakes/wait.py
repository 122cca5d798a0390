"""A wait for one Application on a script of answers."""

from __future__ import annotations

from gitops_action.errors import ActionError
from gitops_action.model.argocd import Application
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import (
    ApplicationName,
    Promoted,
    SyncRequest,
    SyncResult,
    WaitFor,
    sync,
)
from tests.fakes.applications import NEWER, OLDER, OURS, URL
from tests.fakes.waiting import FakeClock, LinearAncestry, LineLog, OrderedSources, ScriptedArgoCD

# Seconds after which the second document is asked for, which confirms the first.
CONFIRMED = 0.25


class Wait:
    """A wait on one script; `result` is what it came to."""

    def __init__(self, *script: tuple[float, Application | ActionError]) -> None:
        self.clock = FakeClock()
        self.begun = self.clock.now
        self.log = LineLog()
        self.argocd = ScriptedArgoCD(self.clock, script)
        self.request = SyncRequest(
            applications=(ApplicationName("shop"),),
            gitops_url=URL,
            wait_for=WaitFor.HEALTHY,
            timeout_seconds=900,
            settle_seconds=0,
        )
        self.promoted = Promoted(commit=CommitSha(OURS))
        self.ancestry = LinearAncestry([OLDER, OURS, NEWER])
        self.sources: OrderedSources | None = None

    def run(self) -> SyncResult:
        return sync(
            self.request,
            self.promoted,
            argocd=self.argocd,
            ancestry=self.ancestry,
            clock=self.clock,
            log=self.log,
            sources=self.sources,
        )

    @property
    def seconds(self) -> float:
        return self.clock.now - self.begun
