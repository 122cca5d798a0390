"""The GitOps repository without a clone: read and written through GitHub's API."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.adapters.github.branches import Branches
from gitops_action.adapters.github.reports import GitHubReports
from gitops_action.adapters.github.trees import LINK, Trees
from gitops_action.errors import GitOpsError, KustomizationError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gitops_action.adapters.github.api import GitHubApi
    from gitops_action.model.change import Change
    from gitops_action.model.source import CommitSha

_FILE = "100644"
# Reports from 37.5 MB of contents to 40 MB of a request, in which they are a third longer:
# https://github.com/grafana/github-api-commit-action/pull/66
_LARGEST_BYTES = 25_000_000


class GitHubRepository:
    """One commit that GitHub signs, made with a plain token; its author is the token's owner.

    Methods raise GitOpsAccessError, GitOpsUnavailableError, GitOpsError and CancelledError.
    """

    def __init__(self, api: GitHubApi) -> None:
        self._api = api
        self._trees = Trees(api)
        self._branches = Branches(api)
        self._reports = GitHubReports(api)

    def head(self, branch: str) -> CommitSha:
        """Ask GitHub for the branch's newest commit."""
        head = self._branches.head(branch)
        if head is None:
            raise GitOpsError(
                f"The GitOps repository {self._api.repository} has no branch `{branch}`.",
                hint=f"Name one in `gitops-branch`, or make it: `git push origin HEAD:{branch}`.",
            )
        return head

    def read(self, head: CommitSha, path: PurePosixPath) -> bytes | None:
        """Read a file; None where there is none.

        Raises KustomizationError where the path leads through a symbolic link or a submodule.
        """
        item = self._trees.item(head, path)
        return self._blob(item.sha) if item and item.kind == "blob" else None

    def link(self, head: CommitSha, path: PurePosixPath) -> tuple[PurePosixPath, str] | None:
        """Find the first symbolic link on the way to `path`, itself included, and what it says."""
        for place, item in self._trees.way(head, path):
            if item and item.mode == LINK:
                return place, os.fsdecode(self._blob(item.sha))
        return None

    def list(self, head: CommitSha, folder: PurePosixPath) -> tuple[str, ...]:
        """List a folder's names, those of folders with a slash; raises as `read` does."""
        if folder.parts:
            self._trees.item(head, folder)
        return tuple(
            name + ("/" if item.kind == "tree" else "")
            for name, item in self._trees.folder(head, folder).items()
        )

    def modes(self, head: CommitSha, paths: Collection[str]) -> Mapping[str, str]:
        """Map every file and link in the folders on the way to these paths to its mode."""
        return self._trees.modes(head, paths)

    def contents(self, head: CommitSha, paths: Collection[str]) -> Mapping[str, bytes]:
        """Read files that are there; of a symbolic link what is written in it."""
        self._trees.load(head, [PurePosixPath(path).parent for path in paths])
        items = {path: self._trees.way(head, PurePosixPath(path))[-1][1] for path in paths}
        shas = {path: item.sha for path, item in items.items() if item}
        blobs = self._trees.blobs(set(shas.values()))
        return {path: blobs[sha] for path, sha in shas.items()}

    def land(self, change: Change, branch: str) -> CommitSha | None:
        """Commit to the branch; None where it was no longer at the change's parent.

        Once sent it is finished, within 4 s of a cancellation.

        Raises PushRefusedError where a rule is in the way, KustomizationError where GitHub's API
        cannot write a file as it is.
        """
        self._require_plain(change)
        return self._branches.commit(change, branch)

    def replace(
        self, change: Change, branch: str, *, before: CommitSha | None = None
    ) -> CommitSha | None:
        """Let the branch be the change's parent and one commit, or make it so.

        None where somebody else moved it: away from `before`, which is where the caller saw it, or
        while this runs. Raises PushRefusedError where a rule is in the way.
        """
        items = {path: self._trees.item(change.parent, path) for path in change.files}
        modes = {path: item.mode for path, item in items.items() if item}
        return self._branches.replace(change, modes, branch, before)

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        """Whether `revision` is `ancestor` or a descendant of it; None where that is not known."""
        return self._reports.contains(ancestor, revision)

    def trailers(self, head: CommitSha, text: str) -> tuple[Mapping[str, str], ...]:
        """The trailers of commits up to `head` whose message has `text`: newest first, a few."""
        return self._reports.trailers(head, text)

    def changed_paths(self, base: CommitSha, head: CommitSha) -> frozenset[PurePosixPath] | None:
        """The files that differ between two commits; None where that is not known."""
        return self._reports.changed_paths(base, head)

    def file(self, revision: CommitSha, path: PurePosixPath) -> bytes | None:
        """Read a file of any commit; None where there is none.

        Raises GitOpsError where GitHub does not have the commit, and as `read` does.
        """
        content = self.read(revision, path)
        if content is None and not self._trees.is_there(revision):
            raise GitOpsError(
                f"The repository {self._api.repository} does not have the commit {revision}.",
                hint="It may have been removed by a force push; look at the repository.",
            )
        return content

    def default_branch(self) -> str:
        """Ask GitHub for the branch that `HEAD` stands for."""
        return self._reports.default_branch()

    def check_push(self, branch: str) -> None:
        """Ask GitHub whether the token may write; its rules for branches cannot be asked.

        Raises GitOpsAccessError where it may not.
        """
        self.head(branch)
        self._branches.require_right()

    def _blob(self, sha: str) -> bytes:
        return self._trees.blobs([sha])[sha]

    def _require_plain(self, change: Change) -> None:
        for path in change.files:
            item = self._trees.item(change.parent, path)
            if item and item.mode != _FILE:
                raise KustomizationError(
                    f"{path} is executable, and a commit through GitHub's API would take that "
                    "from it.",
                    hint=f"Take it yourself, a kustomization needs it not: "
                    f"`git update-index --chmod=-x {path}`. Or use `delivery: push`.",
                )
        if sum(len(content) for content in change.files.values()) > _LARGEST_BYTES:
            raise KustomizationError(
                f"The files of the commit have more than {_LARGEST_BYTES // 1_000_000} MB, which "
                "GitHub's API does not take.",
                hint="Use `delivery: push`.",
            )
