"""The GitOps repository: a private shallow clone without files, and pushes by compare-and-swap.

It has the newest commit and its trees; a blob is fetched when it is read. Nothing is checked out,
and there is no index, so that a sparse set (`--sparse`, `--sparse-index`) would have nothing to
choose from: what a commit costs follows the depth of the changed paths.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from gitops_action.adapters.git.blobs import Blobs
from gitops_action.adapters.git.command import Answer, Git
from gitops_action.adapters.git.commit import make_commit
from gitops_action.adapters.git.history import History
from gitops_action.adapters.git.keys import write_key
from gitops_action.adapters.git.rejection import explain_rejection, is_lost_race, is_unanswered
from gitops_action.adapters.git.server import Server
from gitops_action.adapters.git.trees import Trees
from gitops_action.errors import ActionError, CancelledError, GitOpsError, GitOpsUnavailableError
from gitops_action.model.change import Change
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha

# Seconds between questions about a push that got no answer.
_PATIENCE = (0.5, 1.0, 2.0, 4.0)


class GitOpsClone:
    """Everything lies in the folder of `git`, which the caller made private and removes.

    Methods raise GitOpsError, GitOpsAccessError and RunnerError, and CancelledError within a
    second of a cancellation. One thread at a time.
    """

    def __init__(self, git: Git, *, signing_key: Secret | None = None) -> None:
        self._git = git
        self._signing_key = (
            write_key(git.directory, "signing-key", signing_key) if signing_key else None
        )
        self._url = git.url
        self._place = git.directory / "clone"
        self._server = Server(git)
        self.history = History(git)
        self._trees = Trees(self._git, self._place)
        self._heads: dict[str, CommitSha] = {}
        self._made: set[CommitSha] = set()
        self._blobs = Blobs(self._git, self._place)

    def head(self, branch: str) -> CommitSha:
        """Fetch the branch's newest commit, without its files."""
        ref = f"refs/remotes/origin/{branch}"
        if self._heads:
            # After a lost race it is the blobs which others wrote that are read next.
            self._blobs.came_along = branch in self._heads
            blobs = ("--no-filter",) if self._blobs.came_along else ()
            answer = self._network(
                *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head"),
                *(*blobs, "origin", f"+refs/heads/{branch}:{ref}"),
            )
        else:
            shutil.rmtree(self._place, ignore_errors=True)
            answer = self._git.run(
                *("clone", "--quiet", "--depth=1", "--filter=blob:none"),
                *("--no-checkout", "--single-branch", "--no-tags", f"--branch={branch}"),
                *("--", self._url, str(self._place)),
                network=True,
            )
        if "Remote branch" in answer.stderr or "find remote ref" in answer.stderr:
            raise self._server.no_branch(branch)
        self._server.require(answer)
        found = self._local("rev-parse", "--quiet", "--verify", f"{ref}^{{commit}}")
        if not found.succeeded:  # `clone` takes tags for branches
            raise self._server.no_branch(branch)
        self._heads[branch] = CommitSha(found.text)
        return self._heads[branch]

    def read(self, head: CommitSha, path: PurePosixPath) -> bytes | None:
        """Read a file; None where there is none.

        Raises KustomizationError where the path leads through a symbolic link or a submodule.
        """
        blob = self._trees.blob(head, path)
        if blob is None:
            return None
        return self._read(blob)

    def link(self, head: CommitSha, path: PurePosixPath) -> tuple[PurePosixPath, str] | None:
        """Find the first symbolic link on the way to `path`, itself included, and what it says."""
        found = self._trees.link(head, path)
        if found is None:
            return None
        return found[0], os.fsdecode(self._read(found[1]))

    def list(self, head: CommitSha, folder: PurePosixPath) -> tuple[str, ...]:
        """List a folder's names, those of folders with a slash; raises as `read` does."""
        return self._trees.names(head, folder)

    def modes(self, head: CommitSha, paths: Collection[str]) -> Mapping[str, str]:
        """Map files and links in the folders on the way to `paths` to their modes, as `100644`."""
        return self._trees.modes(head, paths)

    def contents(self, head: CommitSha, paths: Collection[str]) -> Mapping[str, bytes]:
        """Read files that are there; of a symbolic link what is written in it."""
        shas = {path: self._trees.sha(head, path) for path in paths}
        blobs = self._read_all(set(shas.values()))
        return {path: blobs[sha] for path, sha in shas.items()}

    def land(self, change: Change, branch: str) -> CommitSha | None:
        """Commit and push; None where the branch was no longer at the change's parent."""
        commit = self.commit(change)
        return commit if self.push(commit, change.parent, branch) else None

    def commit(self, change: Change) -> CommitSha:
        """Make a commit that is on no branch yet, signed where there is a key."""
        commit = make_commit(
            self._git,
            self._place,
            tree=self._trees.changed(str(change.parent), change.files),
            change=change,
            signing_key=self._signing_key,
        )
        self._made.add(commit)
        return commit

    def push(self, commit: CommitSha, parent: CommitSha, branch: str) -> bool:
        """Move the branch from `parent` to `commit`; False where it was no longer at `parent`.

        Once begun it is finished, within 4 s of a cancellation.

        Raises PushRefusedError where a rule of the repository is in the way, and
        GitOpsUnavailableError where the server failed and the commit did not land.
        """
        ref = f"refs/heads/{branch}"
        # The lease only makes the push stricter: our commit follows `parent` anyway. Without it, a
        # branch that was set back or deleted meanwhile would come to life again.
        answer = self._network(
            *("push", "--porcelain", "--no-verify", f"--force-with-lease={ref}:{parent}"),
            *("origin", f"{commit}:{ref}"),
            finish=True,
        )
        if answer.succeeded:
            return True
        if is_lost_race(answer):
            return False
        if is_unanswered(answer):
            return self._landed(commit, branch, answer)
        raise self._refused(answer, branch)

    def check_push(self, branch: str) -> None:
        """Ask the server whether the token may push; its rules for branches cannot be asked.

        Raises GitOpsAccessError where it may not.
        """
        head = self._heads.get(branch) or self.head(branch)
        answer = self._network(
            "push", "--porcelain", "--dry-run", "origin", f"{head}:refs/heads/{branch}"
        )
        if not answer.succeeded and not is_lost_race(answer):
            raise self._refused(answer, branch)

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        """Whether `revision` is `ancestor` or a descendant of it; None where that is not known."""
        try:
            return self.history.contains(ancestor, revision)
        except GitOpsUnavailableError:
            return None

    def file(self, revision: CommitSha, path: PurePosixPath) -> bytes | None:
        """Read a file of any commit of the repository; None where there is none.

        The server is asked only for commits that are neither ours nor a branch's head.
        """
        if revision in self._made or revision in self._heads.values():
            return self.read(revision, path)
        return self.history.file(revision, path)

    def changed_paths(self, base: CommitSha, head: CommitSha) -> frozenset[PurePosixPath] | None:
        """The files that differ between two commits of the repository.

        None where the server does not have one of them. No file is fetched.
        """
        answer = self._network(
            *("fetch", "--quiet", "--depth=1", "--filter=blob:none", "--no-tags"),
            *("--no-write-fetch-head", "origin", str(base), str(head)),
        )
        if not answer.succeeded:
            return None
        answer = self._local(
            "diff-tree", "-r", "-z", "--name-only", "--no-renames", str(base), str(head)
        )
        self._server.require(answer)
        return frozenset(
            PurePosixPath(os.fsdecode(path)) for path in answer.stdout.split(b"\0")[:-1]
        )

    def default_branch(self) -> str:
        """Ask the server for the branch that `HEAD` stands for."""
        return self._server.default_branch()

    def _read(self, blob: str) -> bytes:
        return self._read_all({blob})[blob]

    def _read_all(self, shas: Collection[str]) -> Mapping[str, bytes]:
        blobs, answer = self._blobs.read(shas)
        if answer:
            self._server.require(answer)
        return blobs

    def _landed(self, commit: CommitSha, branch: str, answer: Answer) -> bool:
        """Find out whether a push that got no answer arrived all the same; raise if it did not."""
        why = self._server.failure(answer)
        doubt = (
            f"The push of {commit} to {branch} got no answer, and it is not known whether it "
            f"landed. {why.message}"
        )
        hint = f"Look whether {branch} has this commit; running the job again is safe."
        try:
            landed = self.history.landed(commit, self._head_at_last(branch))
        except ActionError as error:
            kind = CancelledError if self._git.cancelled else GitOpsError
            raise kind(doubt, hint=hint) from error
        if landed is None:
            raise GitOpsError(doubt, hint=hint)
        if not landed:
            raise why
        return True

    def _head_at_last(self, branch: str) -> CommitSha:
        for seconds in _PATIENCE:
            try:
                return self.head(branch)
            except GitOpsUnavailableError:
                self._git.sleep(seconds)
        return self.head(branch)

    def _refused(self, answer: Answer, branch: str) -> ActionError:
        return explain_rejection(answer, self._url, branch) or self._server.failure(answer)

    def _network(self, *argv: str, finish: bool = False) -> Answer:
        return self._git.run(*argv, cwd=self._place, network=True, finish=finish)

    def _local(self, *argv: str) -> Answer:
        return self._git.run(*argv, cwd=self._place)
