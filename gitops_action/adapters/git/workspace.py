"""The one question that we ask the workspace's own repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.git.command import Git
from gitops_action.model.source import Commit, CommitSha


def workspace_commit(workspace: Path, env: Mapping[str, str]) -> Commit | None:
    """The commit that is checked out; None where the workspace is no git repository.

    Ask before anything of the workspace has run: its git configuration is as trusted as its code.
    `env` is what git may know of our environment: PATH.

    Raises RunnerError where there is no git.
    """
    git = Git(
        directory=Path(env.get("HOME", os.devnull)),
        cancellation=Cancellation(),
        env=env,
        # On a runner the workspace belongs to the runner's user, and we are root.
        settings={"safe.directory": "*"},
    )
    # Plumbing, which neither configuration nor hooks can make run another program.
    answer = git.run("rev-list", "--max-count=1", "--timestamp", "HEAD", "--", cwd=workspace)
    if not answer.succeeded or not answer.text:
        return None
    time, sha = answer.text.split()
    return Commit(CommitSha(sha), int(time))
