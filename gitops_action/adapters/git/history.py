"""Which commit contains which: a second clone that has commits, and neither trees nor files."""

from __future__ import annotations

import shutil
from pathlib import Path

from gitops_action.adapters.git.command import Git
from gitops_action.model.source import CommitSha

_YES, _NO = 0, 1


class History:
    """The history of the GitOps repository's branches, fetched when it is first asked for."""

    def __init__(self, git: Git, place: Path) -> None:
        self._git = git
        self._place = place
        self._cloned = False

    def contains(self, ancestor: CommitSha, revision: CommitSha, branch: str) -> bool | None:
        """Whether `revision` is `ancestor` or has it among its ancestors.

        None where that is not known: one of them is not on the branch, or the server does not
        answer.
        """
        if ancestor == revision:
            return True
        if self._cloned and (known := self._ask(ancestor, revision)) is not None:
            return known
        return self._ask(ancestor, revision) if self._refresh(branch) else None

    def _ask(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        answer = self._git.run(
            "merge-base", "--is-ancestor", str(ancestor), str(revision), cwd=self._place
        )
        return {_YES: True, _NO: False}.get(answer.exit_code)

    def _refresh(self, branch: str) -> bool:
        if self._cloned:
            ref = f"+refs/heads/{branch}:refs/heads/{branch}"
            return self._git.run(
                "fetch", "--quiet", "--no-tags", "origin", ref, cwd=self._place, network=True
            ).succeeded
        shutil.rmtree(self._place, ignore_errors=True)
        self._cloned = self._git.run(
            *("clone", "--quiet", "--bare", "--filter=tree:0", "--single-branch", "--no-tags"),
            *(f"--branch={branch}", "--", self._git.url, str(self._place)),
            network=True,
        ).succeeded
        return self._cloned
