"""GitHub in memory: branches over the GitOps repository in memory, and pull requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gitops_action.errors import ActionError
from gitops_action.model.pull_request import Proposal, PullRequest, PullRequestState
from gitops_action.stages.promote import GitHub

if TYPE_CHECKING:
    from gitops_action.model.change import Change
    from gitops_action.model.source import CommitSha
    from tests.fakes.gitops import FakeGitOpsRepository

URL = "https://github.com/acme/gitops/pull/1"


@dataclass
class FakeGitHub:
    """Plays all three parts; `refusals` meet commits, `events` happen one at each reading."""

    repository: FakeGitOpsRepository
    refusals: list[ActionError] = field(default_factory=list)
    lost: int = 0
    pull: PullRequest | None = None
    proposals: list[Proposal] = field(default_factory=list)
    events: list[Callable[[], None]] = field(default_factory=list)
    waits_to_merge: bool = False
    before_opening: list[Callable[[], None]] = field(default_factory=list)
    in_the_way: str = ""
    no_auto_merge: ActionError | None = None

    def parts(self) -> GitHub:
        """What the stage takes."""
        return GitHub(branches=self, pulls=self, checks=self)

    def land(self, change: Change, branch: str) -> CommitSha | None:
        if self.refusals:
            raise self.refusals.pop(0)
        return self.repository.land(change, branch)

    def replace(
        self, change: Change, branch: str, *, before: CommitSha | None = None
    ) -> CommitSha | None:
        if self.lost:
            self.lost -= 1
            return None
        if before and self.repository.head(branch) != before:
            return None
        return self.repository.replace(change, branch)

    def find(self, branch: str, base: str) -> PullRequest | None:
        if self.pull is None or self.pull.state is not PullRequestState.OPEN:
            return None
        assert base == self.pull.base
        return replace(self.pull, head=self.repository.head(branch))

    def propose(self, proposal: Proposal) -> PullRequest:
        self.proposals.append(proposal)
        if self.before_opening:
            self.before_opening.pop(0)()
        self.pull = PullRequest(
            id="1",
            number=1,
            url=URL,
            state=PullRequestState.OPEN,
            base=proposal.base,
            head=self.repository.head(proposal.branch),
        )
        return self.pull

    def read(self, number: int) -> PullRequest:
        assert number == 1
        if self.events:
            self.events.pop(0)()
        assert self.pull is not None
        return self.pull

    def merge_when_ready(self, pull: PullRequest) -> None:
        assert pull == self.pull
        if self.no_auto_merge:
            raise self.no_auto_merge
        self.waits_to_merge = True

    def obstacle(self, pull: PullRequest) -> str:
        assert pull == self.pull
        return self.in_the_way

    def merge(self, branch: str) -> None:
        """Merge as somebody does on the pull request's page: as a commit of its own."""
        assert self.pull is not None
        repository = self.repository
        files = repository.commits[repository.head(branch)].files
        repository.tip = repository.store(files, repository.tip)
        self.pull = replace(self.pull, state=PullRequestState.MERGED, merge_commit=repository.tip)

    def close(self) -> None:
        assert self.pull is not None
        self.pull = replace(self.pull, state=PullRequestState.CLOSED)
