"""Folders that code of others has filled: however deep they are, they end in no traceback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_action.adapters.caches import cached_files
from gitops_action.adapters.isolation import remove_tree
from gitops_action.adapters.worktree import copy_tree
from gitops_action.errors import RunnerError

LEVELS = 1200  # Python recurses a thousand times


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Make a folder with a file on top and one far below; pytest could not remove it."""
    top = tmp_path / "deep"
    top.mkdir()
    (top / "file").touch()
    before = Path.cwd()
    os.chdir(top)
    for _ in range(LEVELS):
        Path("d").mkdir()
        os.chdir("d")
    Path("file").touch()
    os.chdir(before)
    yield top
    remove_tree(top)


def test_a_tree_of_any_depth_is_removed(deep: Path) -> None:
    """A test that nested folders a thousand times left its files, and a traceback of ours."""
    remove_tree(deep)

    assert not deep.exists()


def test_no_link_is_followed_out_of_a_tree_that_is_removed(deep: Path, tmp_path: Path) -> None:
    """What a link in a deep tree leads to stays where it is."""
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (deep / "link").symlink_to(outside)

    remove_tree(deep)

    assert [path.name for path in outside.iterdir()] == ["folder"]
    assert not deep.exists()


def test_a_working_tree_that_is_too_deep_is_explained(deep: Path, tmp_path: Path) -> None:
    """A repository with a thousand folders in each other was a traceback."""
    copy = tmp_path / "copy"

    with pytest.raises(RunnerError, match="lie too deep"):
        copy_tree(deep, copy, None, lambda: None)

    remove_tree(copy)


def test_a_cache_of_any_depth_is_listed(deep: Path) -> None:
    """Folders in a cache that no path reaches keep nothing of it from the next job."""
    found = cached_files(deep)

    assert "file" in found
