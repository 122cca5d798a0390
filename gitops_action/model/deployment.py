"""What others report about a commit on GitHub: commit statuses, and statuses of deployments."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_action.model.source import CommitSha


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitReport:
    """The newest report about `sha`.

    `state` is as GitHub writes it: of a commit status `error`, `failure`, `pending` or `success`;
    of a deployment also `inactive`, `in_progress` and `queued`, and empty while it has no status
    yet. `time` is when it was written, as `2026-01-31T12:00:00Z`.
    """

    sha: CommitSha
    state: str
    description: str
    url: str
    time: str
