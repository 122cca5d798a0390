"""The one question that the workspace's own repository is asked."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from gitops_action.adapters.git import is_clean, workspace_commit
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


def _workspace(place: Place) -> Path:
    workspace = place.folder / "workspace"
    subprocess.run(["git", "clone", "-q", place.server.path(NAME), workspace], check=True)
    return workspace


@pytest.mark.parametrize(
    ("file", "text", "clean"),
    [
        ("", "", True),
        ("new", "x", False),
        (".git/info/exclude", "new\n", True),
        (".gitattributes", "", False),
    ],
)
def test_tells_whether_the_files_are_the_commits(
    place: Place, file: str, text: str, *, clean: bool
) -> None:
    """
    An image of changed files is never taken for the commit's own; ignored files are its results.
    """
    workspace = _workspace(place)
    if file:
        (workspace / file).write_text(text)
    if file == ".git/info/exclude":
        (workspace / "new").write_text("x")

    assert is_clean(workspace, {"PATH": place.path}) is clean


def test_finds_a_file_that_was_changed(place: Place) -> None:
    """
    A tracked file with other content is a change.
    """
    workspace = _workspace(place)
    listed = subprocess.run(["git", "-C", workspace, "ls-files"], capture_output=True, check=True)
    (workspace / listed.stdout.decode().split()[0]).write_text("changed")

    assert not is_clean(workspace, {"PATH": place.path})


def _configure(workspace: Path, key: str, value: str) -> None:
    subprocess.run(["git", "-C", workspace, "config", key, value], check=True)


def test_runs_no_filter_to_compare(place: Place) -> None:
    """
    Asking whether the tree is clean runs nothing that the repository or its configuration names.
    """
    workspace = _workspace(place)
    planted = f"touch {place.folder}/ran; cat"
    for key in ("clean", "smudge"):
        _configure(workspace, f"filter.x.{key}", planted)
    _configure(workspace, "filter.x.required", "true")
    (workspace / ".git" / "info" / "attributes").write_text("* filter=x\n")
    for file in workspace.iterdir():
        os.utime(file)

    assert is_clean(workspace, {"PATH": place.path})
    assert not (place.folder / "ran").exists()
