"""A repository's reports in memory: a line of commits, and what is said of them by the second."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.model.deployment import CommitReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gitops_action.model.source import CommitSha
    from tests.fakes.waiting import FakeClock


class MemoryReports:
    """`commits` are the branch, oldest first; `say` adds a report from a second on.

    With `always` every commit has a report of that state.
    """

    def __init__(self, clock: FakeClock, commits: Sequence[CommitSha]) -> None:
        self._clock = clock
        self._begun = clock.now
        self._commits = list(commits)
        self._said: list[tuple[float, str, CommitReport]] = []
        self.touched: Mapping[str, Sequence[CommitSha]] = {}
        self.asked: list[CommitSha] = []
        self.always = ""

    def say(
        self, sha: CommitSha, state: str, *, name: str = "prod", at: float = 0, text: str = ""
    ) -> None:
        report = CommitReport(
            sha=sha, state=state, description=text, url="https://argocd.example.com", time=""
        )
        self._said.append((at, name, report))

    def status(self, sha: CommitSha, context: str) -> CommitReport | None:
        self.asked.append(sha)
        if self.always:
            return CommitReport(sha=sha, state=self.always, description="", url="", time="")
        return next((one for one in self._heard(context) if one.sha == sha), None)

    def deployment(self, environment: str, sha: CommitSha) -> CommitReport | None:
        return self.status(sha, environment)

    def deployments(self, environment: str) -> tuple[CommitSha, ...]:
        return tuple(dict.fromkeys(one.sha for one in self._heard(environment)))

    def commits(
        self, branch: str, path: PurePosixPath | None = None, count: int = 50
    ) -> tuple[CommitSha, ...]:
        assert branch == "main" or path, "what touched a file is asked of the head that was read"
        newest = self._commits[::-1] if path is None else list(self.touched.get(str(path), ()))
        return tuple(newest[:count])

    def _heard(self, name: str) -> list[CommitReport]:
        """What is said by now, newest first."""
        elapsed = self._clock.now - self._begun
        return [one for at, said, one in self._said[::-1] if said == name and at <= elapsed]
