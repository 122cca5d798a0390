"""What we ask the workspace's own repository: its commit, and whether that is all there is."""

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
    git = _git(env)
    # Plumbing, which neither configuration nor hooks can make run another program.
    answer = git.run("rev-list", "--max-count=1", "--timestamp", "HEAD", "--", cwd=workspace)
    if not answer.succeeded or not answer.text:
        return None
    time, sha = answer.text.split()
    return Commit(CommitSha(sha), int(time))


def is_clean(workspace: Path, env: Mapping[str, str]) -> bool:
    """Whether the files are those of the commit; what the repository ignores does not count.

    False where that is not known. In submodules only the commit is compared. Raises RunnerError.
    """
    filters = _git(env).run(
        *("config", "--name-only", "--get-regexp", r"^filter\..*\.(clean|process|required)$"),
        cwd=workspace,
    )
    # A file whose times say nothing is compared by its content, and an attribute would send that
    # through a program that the configuration names.
    none = {
        name: "false" if name.endswith(".required") else ""
        for name in filters.text.splitlines()
        if name
    }
    answer = _git(env, none).run(
        *("--no-optional-locks", "status", "--porcelain"),
        *("--untracked-files=normal", "--ignore-submodules=dirty"),
        cwd=workspace,
    )
    return answer.succeeded and not answer.stdout


def _git(env: Mapping[str, str], settings: Mapping[str, str] | None = None) -> Git:
    return Git(
        directory=Path(env.get("HOME", os.devnull)),
        cancellation=Cancellation(),
        env=env,
        # On a runner the workspace belongs to the runner's user, and we are root.
        settings={"safe.directory": "*", **(settings or {})},
    )
