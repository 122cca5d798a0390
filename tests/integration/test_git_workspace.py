"""The one question that the workspace's own repository is asked."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from gitops_action.adapters.git import workspace_commit

if TYPE_CHECKING:
    pass

from tests.systems.promoter import NAME, Place


def test_reads_the_commit_of_the_workspace(place: Place) -> None:
    """
    What is checked out is known, whoever owns it, and nothing planted there runs.
    """
    workspace = place.folder / "workspace"
    subprocess.run(["git", "clone", "-q", place.server.path(NAME), workspace], check=True)
    planted = workspace / "planted"
    planted.write_text(f"#!/bin/sh\ntouch {place.folder}/ran\n")
    planted.chmod(0o755)
    for key in ("core.fsmonitor", "gpg.program", "core.pager"):
        subprocess.run(["git", "-C", workspace, "config", key, planted], check=True)
    if os.geteuid() == 0:
        os.chown(workspace, 1001, 1001)
        os.chown(workspace / ".git", 1001, 1001)

    commit = workspace_commit(workspace, {"PATH": place.path})

    assert commit
    assert str(commit.sha) == place.server.head(NAME)
    assert abs(commit.time - time.time()) < 60
    assert not (place.folder / "ran").exists()


def test_a_workspace_without_git_has_no_commit(place: Place) -> None:
    """
    A folder that is no repository, or has no commit yet, is no error here.
    """
    empty = place.folder / "empty"
    subprocess.run(["git", "init", "-q", empty], check=True)

    assert workspace_commit(empty, {"PATH": place.path}) is None
    assert workspace_commit(place.folder / "none", {"PATH": place.path}) is None
