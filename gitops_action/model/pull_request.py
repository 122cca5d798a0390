"""A pull request, as far as a promotion needs it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gitops_action.model.source import CommitSha


class PullRequestState(enum.Enum):
    OPEN = "open"
    CLOSED = "closed"  # without a merge
    MERGED = "merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a pull request shall be: from `branch` to `base`, its texts, and labels to be added."""

    branch: str
    base: str
    title: str
    body: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request as it is: `id` is GitHub's own name for it, `head` its branch's commit.

    `merge_commit` is what the base branch got by a merge, a squash or a rebase; None before.
    `merges_itself` is auto-merge; `by_job_token` says that a job's own token opened it, for which
    GitHub starts no workflows.
    """

    id: str
    number: int
    url: str
    state: PullRequestState
    base: str
    head: CommitSha
    merge_commit: CommitSha | None = None
    merges_itself: bool = False
    by_job_token: bool = False
