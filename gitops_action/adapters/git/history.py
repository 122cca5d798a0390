"""Which commit contains which, and what messages say: commits, and neither trees nor files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from gitops_action.adapters.git.command import Answer, Git
from gitops_action.adapters.git.explain import explain, passes
from gitops_action.errors import GitOpsError
from gitops_action.model.source import CommitSha

_YES, _NO = 0, 1
_FEW = 10
_NO_SUCH_FILE = ("does not exist in", "bad file")  # the second where a folder has the name
_NO_SINGLE_COMMITS = "unadvertised object"
_NO_SUCH_COMMIT = "not our ref"


class History:
    """The commits of one repository, fetched by their SHA when they are first asked for.

    For the GitOps repository and the source repository alike; one clone serves the guard and the
    wait. One thread at a time.

    Every question raises GitOpsUnavailableError where the server does not answer now: that is not
    the same as a server that does not have the commit.
    """

    def __init__(self, git: Git) -> None:
        self._git = git
        self._place = git.directory / "history.git"

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        """Whether `revision` is `ancestor` or has it among its ancestors, on whatever branch.

        None where that is not known: the server does not have one of them, or does not let us ask.
        """
        if ancestor == revision:
            return True
        known = self._is_ancestor(ancestor, revision)
        if known is None and self._has(revision) and self._has(ancestor):
            return self._is_ancestor(ancestor, revision)
        return known

    def landed(self, commit: CommitSha, head: CommitSha) -> bool | None:
        """Whether a commit of ours, which may be nowhere but here, is `head` or below it."""
        if commit == head:
            return True
        return bool(self._is_ancestor(commit, head)) if self._has(head) else None

    def trailers(self, head: CommitSha, text: str) -> tuple[Mapping[str, str], ...]:
        """The trailers of the commits up to `head` whose message has `text`: newest first, a few.

        An image has one source commit, whichever file asks for it: `Image: ghcr.io/acme/shop:v1`
        finds it without a tree, where a file's own history would need a tree of every commit.
        """
        if not self._has(head):
            return ()
        answer = self._local(
            *("log", f"--max-count={_FEW}", "--fixed-strings", f"--grep={text}"),
            *("--format=%(trailers:only,unfold)%x00", str(head), "--"),
        )
        messages = answer.stdout.decode(errors="replace").split("\0")[:-1]
        return tuple(
            dict(line.split(": ", 1) for line in message.splitlines() if ": " in line)
            for message in messages
        )

    def file(self, revision: CommitSha, path: PurePosixPath) -> bytes | None:
        """Read a file of any commit, with the trees that lead to it; None where there is none.

        Raises GitOpsError where the server does not have the commit, or does not answer.
        """
        if not self._has(revision):
            raise GitOpsError(
                f"{self._git.url} does not give the commit {revision}.",
                hint="Look whether the server answers, and whether the commit was pushed away.",
            )
        answer = self._git.run(
            *("cat-file", "blob", f"{revision}:{path}"), cwd=self._place, network=True
        )
        if answer.succeeded:
            return answer.stdout
        if any(words in answer.stderr for words in _NO_SUCH_FILE):
            return None
        raise explain(answer, self._git.url)

    def _is_ancestor(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        if not self._place.is_dir():
            return None
        answer = self._local("merge-base", "--is-ancestor", str(ancestor), str(revision))
        return {_YES: True, _NO: False}.get(answer.exit_code)

    def _has(self, sha: CommitSha) -> bool:
        """Whether the clone has the commit and all its ancestors, now that it was asked for."""
        return self._is_there(sha) or self._fetch(sha)

    def _is_there(self, sha: CommitSha) -> bool:
        if not self._place.is_dir():
            return False
        return self._local("rev-parse", "--quiet", "--verify", f"{sha}^{{commit}}").succeeded

    def _fetch(self, sha: CommitSha) -> bool:
        if not self._place.is_dir():
            self._git.run("init", "--quiet", "--bare", str(self._place))
            self._local("remote", "add", "origin", self._git.url)
        # The ref is what the next fetch tells the server that it has.
        answer = self._fetch_refs(f"+{sha}:refs/kept/{sha}")
        if _NO_SINGLE_COMMITS in answer.stderr:
            answer = self._fetch_refs("+refs/heads/*:refs/heads/*")
        if not answer.succeeded and passes(answer) and _NO_SUCH_COMMIT not in answer.stderr:
            raise explain(answer, self._git.url)
        return answer.succeeded and self._is_there(sha)

    def _fetch_refs(self, refspec: str) -> Answer:
        return self._git.run(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=tree:0"),
            *("origin", refspec),
            cwd=self._place,
            network=True,
        )

    def _local(self, *argv: str) -> Answer:
        return self._git.run(*argv, cwd=self._place)
