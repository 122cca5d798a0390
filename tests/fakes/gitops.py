"""A GitOps repository in memory, whose other writers are scripted, and a clock that tests move."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.errors import ActionError, GitOpsError
from gitops_action.model.source import CommitSha

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from gitops_action.model.change import Change
    from gitops_action.model.identity import Identity

Files = dict[PurePosixPath, bytes]


@dataclass
class FakeCommit:
    """A commit: all files, and what `git log` would show."""

    files: Files
    parent: CommitSha | None
    message: str = ""
    author: Identity | None = None


@dataclass
class FakeGitOpsRepository:
    """One branch; `races` run one by one, each just before a push arrives.

    `outages` are what the next questions for the head are answered with.
    """

    files: Mapping[str, str]
    branch: str = "main"
    races: list[Callable[[FakeGitOpsRepository], None]] = field(default_factory=list)
    commits: dict[CommitSha, FakeCommit] = field(default_factory=dict)
    pushed: list[CommitSha] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    outages: list[ActionError] = field(default_factory=list)
    others: dict[str, CommitSha] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = {PurePosixPath(path): text.encode() for path, text in self.files.items()}
        self.tip = self._store(FakeCommit(first, None))

    def head(self, branch: str) -> CommitSha:
        if self.outages:
            raise self.outages.pop(0)
        if branch in self.others:
            return self.others[branch]
        if branch != self.branch:
            raise GitOpsError(f"The branch {branch} does not exist.", hint="Name main.")
        return self.tip

    def read(self, head: CommitSha, path: PurePosixPath) -> bytes | None:
        return self.commits[head].files.get(path)

    def link(self, head: CommitSha, path: PurePosixPath) -> tuple[PurePosixPath, str] | None:
        for place in (*reversed(path.parents), path):
            if str(place) in self.links:
                return place, self.commits[head].files[place].decode()
        return None

    def list(self, head: CommitSha, folder: PurePosixPath) -> tuple[str, ...]:
        below = [
            path.relative_to(folder)
            for path in self.commits[head].files
            if path.is_relative_to(folder) and path != folder
        ]
        return tuple(
            dict.fromkeys(path.parts[0] + ("/" if len(path.parts) > 1 else "") for path in below)
        )

    def modes(self, head: CommitSha, _paths: Collection[str] = ()) -> Mapping[str, str]:
        return {
            str(path): "120000" if str(path) in self.links else "100644"
            for path in self.commits[head].files
        }

    def contents(self, head: CommitSha, paths: Collection[str]) -> Mapping[str, bytes]:
        return {path: self.commits[head].files[PurePosixPath(path)] for path in paths}

    def land(self, change: Change, branch: str) -> CommitSha | None:
        if self.races:
            self.races.pop(0)(self)
        if self.head(branch) != change.parent:
            return None
        files = {**self.commits[change.parent].files, **change.files}
        self.tip = self._store(FakeCommit(files, change.parent, change.message, change.author))
        self.pushed.append(self.tip)
        return self.tip

    def replace(self, change: Change, branch: str) -> CommitSha:
        """Let another branch be the change's parent and one commit."""
        files = {**self.commits[change.parent].files, **change.files}
        commit = FakeCommit(files, change.parent, change.message, change.author)
        self.others[branch] = self._store(commit)
        return self.others[branch]

    def store(self, files: Files, parent: CommitSha) -> CommitSha:
        """Make a commit that is on no branch."""
        return self._store(FakeCommit(files, parent, "from another writer"))

    def write(self, path: str, text: str) -> None:
        """Commit as another writer does."""
        files = {**self.commits[self.tip].files, PurePosixPath(path): text.encode()}
        self.tip = self._store(FakeCommit(files, self.tip, "from another writer"))

    def text(self, path: str) -> str:
        """Read a file at the head of the branch."""
        return self.commits[self.tip].files[PurePosixPath(path)].decode()

    def _store(self, commit: FakeCommit) -> CommitSha:
        sha = CommitSha(hashlib.sha1(str(len(self.commits)).encode()).hexdigest())
        self.commits[sha] = commit
        return sha
