"""A pull request: one for each application and branch, updated in place, and waited for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import (
    ActionError,
    GitOpsUnavailableError,
    PullRequestClosedError,
    WaitTimeoutError,
)
from gitops_action.model.log import Annotation, Level
from gitops_action.model.pull_request import Proposal, PullRequest, PullRequestState
from gitops_action.stages.promote.request import Ending, PromoteRequest, PromoteResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_action.model.change import Change
    from gitops_action.model.log import Log
    from gitops_action.model.source import CommitSha

_POLL_SECONDS = 10.0
# GitHub takes 65,536 characters; the rest is for words.
_LONGEST_DIFF = 50_000


class Branches(Protocol):
    """The branches of the GitOps repository through GitHub's API."""

    def land(self, change: Change, branch: str) -> CommitSha | None:
        """Commit to the branch, signed by GitHub; None where it moved meanwhile."""

    def replace(
        self, change: Change, branch: str, *, before: CommitSha | None = None
    ) -> CommitSha | None:
        """Let the branch be the change's parent and one commit; None where it moved meanwhile.

        `before` is where it was seen.
        """


class PullRequests(Protocol):
    def find(self, branch: str, base: str) -> PullRequest | None:
        """The open pull request from one branch to another."""

    def propose(self, proposal: Proposal) -> PullRequest:
        """Open it, or let the open one read as proposed."""

    def read(self, number: int) -> PullRequest: ...

    def merge_when_ready(self, pull: PullRequest) -> None:
        """Let GitHub merge it as soon as its requirements are met."""


class RequiredChecks(Protocol):
    def obstacle(self, pull: PullRequest) -> str:
        """What keeps it from ever being merged; empty for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """What a delivery through GitHub's API needs."""

    branches: Branches
    pulls: PullRequests
    checks: RequiredChecks


class Clock(Protocol):
    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What an open pull request asks for at `head`: ours, or a newer one that `newer` tells of."""

    head: CommitSha
    ours: bool
    newer: str = ""


def propose(
    request: PromoteRequest,
    change: Change,
    planned: PromoteResult,
    github: GitHub,
    standing: Callable[[], Standing],
) -> PromoteResult | None:
    """Let the pull request carry the change; None where another run was faster."""
    there = github.pulls.find(request.proposal, request.branch)
    now = standing() if there else None
    if there and now and now.newer and not request.allow_downgrade:
        newer = f"{there.url}: {now.newer}"
        return replace(
            planned, ending=Ending.SUPERSEDED, revision=change.parent, newer=newer, changes=()
        )
    if now and now.ours:
        commit: CommitSha | None = now.head
    else:
        before = now.head if now else None
        commit = github.branches.replace(change, request.proposal, before=before)
    if commit is None:
        return None
    proposed = replace(planned, ending=Ending.PROPOSED, revision=commit, updated=bool(there))
    pull = github.pulls.propose(
        Proposal(
            branch=request.proposal,
            base=request.branch,
            title=" ".join(request.subject.split()),
            body=body(change.message, proposed),
            labels=request.labels,
        )
    )
    # Until it is open, another run does not see whose branch that is.
    if there is None and standing().head != commit:
        return None
    return replace(proposed, pull_request=pull)


def body(message: str, result: PromoteResult) -> str:
    """The text of the pull request: what changes, what that renders to, and where it comes from."""
    trailers = message.partition("\n\n")[2].strip()
    rendered = result.rendered_diff or "".join(f"{line}\n" for line in result.unproved)
    parts = [
        *("| Kustomization | Before | Now |", "|---|---|---|"),
        *(f"| `{path}` | `{one.old}` | `{one.new}` |" for path, one in result.changes),
        *("", "Change in what Kustomize renders:", "", _fenced(rendered, "diff")),
        *("", "This comes from:", "", _fenced(trailers, ""), ""),
    ]
    return "\n".join(parts)


def _fenced(text: str, language: str) -> str:
    shown = text if len(text) <= _LONGEST_DIFF else f"{text[:_LONGEST_DIFF]}\n… and more\n"
    longest = max((len(run) for run in re.findall(r"`{3,}", shown)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{shown.rstrip()}\n{fence}"


def settle(  # noqa: PLR0913  the collaborators of a stage are named one by one
    request: PromoteRequest,
    result: PromoteResult,
    *,
    github: GitHub | None,
    asks: Callable[[], bool],
    clock: Clock,
    log: Log,
) -> PromoteResult:
    """Let the pull request be merged, and wait for it, where the request asks for that.

    `asks` says whether the branch asks for our image by now.

    Raises PullRequestClosedError, WaitTimeoutError and what GitHub raises, all of them with
    `result` as what was done.
    """
    pull = result.pull_request
    if pull is None or github is None:
        return result
    try:
        return _settled(request, result, pull, github, asks, clock, log)
    except ActionError as error:
        error.partial = result
        raise


def _settled(  # noqa: PLR0913, PLR0917  as above
    request: PromoteRequest,
    result: PromoteResult,
    pull: PullRequest,
    github: GitHub,
    asks: Callable[[], bool],
    clock: Clock,
    log: Log,
) -> PromoteResult:
    log.say(f"{'Updated' if result.updated else 'Opened'} {pull.url}.")
    obstacle = github.checks.obstacle(pull)
    if obstacle:
        log.annotate(Annotation(Level.WARNING, obstacle))
    if request.auto_merge:
        github.pulls.merge_when_ready(pull)
    if not request.wait_seconds:
        return result
    log.say(f"Waiting for {pull.url} to be merged.")
    merged = _await(request, pull, obstacle, github, clock)
    revised = replace(result, pull_request=merged, revision=merged.merge_commit or merged.head)
    if asks():
        return replace(revised, ending=Ending.PROMOTED)
    # Another run has put its own image on the branch of the pull request.
    return replace(
        revised, ending=Ending.SUPERSEDED, newer=f"{pull.url} was merged with another image"
    )


def _await(
    request: PromoteRequest,
    pull: PullRequest,
    obstacle: str,
    github: GitHub,
    clock: Clock,
) -> PullRequest:
    deadline = clock.monotonic() + request.wait_seconds
    while True:
        now = _read(pull, github)
        if now.state is PullRequestState.MERGED:
            return now
        if now.state is PullRequestState.CLOSED:
            raise PullRequestClosedError(
                f"{pull.url} was closed without a merge: {request.branch} does not ask for the "
                "image.",
                hint="Ask who closed it. The next run opens a new one.",
            )
        if clock.monotonic() >= deadline:
            raise WaitTimeoutError(
                f"{pull.url} was not merged within {request.wait_seconds:.0f} s."
                + (f" {obstacle}" if obstacle else ""),
                hint="Merge it, and the branch asks for the image; or give `pull-request-wait` "
                "more time, or leave it out and let the run end as `proposed`.",
            )
        clock.sleep(min(_POLL_SECONDS, max(0.1, deadline - clock.monotonic())))


def _read(pull: PullRequest, github: GitHub) -> PullRequest:
    try:
        return github.pulls.read(pull.number)
    except GitOpsUnavailableError:
        return pull
