"""What a private clone reads of a commit: files, folders, links, and nothing behind them."""

from __future__ import annotations

import subprocess
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.errors import (
    KustomizationError,
)
from tests.systems.promoter import run

if TYPE_CHECKING:
    pass

from tests.systems.promoter import FILE, NAME, Place, failure


def test_reads_files_and_folders_of_a_commit(place: Place) -> None:
    """
    The newest commit is read, whatever was cloned first.
    """
    clone = place.clone()
    first = clone.head("main")
    place.server.commit(NAME, {"apps/new file": "x"})

    second = clone.head("main")

    assert clone.list(first, PurePosixPath("apps")) == ("shop/",)
    assert clone.list(second, PurePosixPath("apps")) == ("new file", "shop/")
    assert clone.list(second, PurePosixPath()) == ("README.md", "apps/")
    assert clone.read(second, PurePosixPath("apps/new file")) == b"x"
    for path in ("apps", "apps/none", "README.md/x", "/etc/passwd", "../x", "."):
        assert clone.read(second, PurePosixPath(path)) is None
    for path in ("README.md", "none", "/etc", ".."):
        assert clone.list(second, PurePosixPath(path)) == ()


def test_the_clone_holds_no_file_that_was_not_asked_for(place: Place) -> None:
    """
    No checkout, no index, one commit: a large repository costs little more than a small one.
    """
    place.server.commit(NAME, {"large.bin": "x" * 100_000})
    run(place.clone())

    clone = place.folder / "clone-1" / "clone"
    kinds = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"],
        cwd=clone,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert [path.name for path in clone.iterdir()] == [".git"]
    assert not (clone / ".git" / "index").exists()
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"commit": 2, "tree": 6, "blob": 2}


@pytest.mark.parametrize("path", ["link/kustomization.yaml", "link", "module/a", "file.yaml"])
def test_follows_neither_links_nor_submodules(place: Place, path: str) -> None:
    """
    What would be written elsewhere than it was read is refused.
    """
    place.server.commit(
        NAME,
        {"link": "apps/shop", "file.yaml": FILE},
        modes={"link": "120000", "file.yaml": "120000"},
    )
    sha = place.server.head(NAME)
    place.server.git(
        *(NAME, "fast-import", "--quiet", "--date-format=now"),
        stdin=f"commit refs/heads/main\ncommitter A <a@b> now\ndata 1\nx\nfrom {sha}\n"
        f"M 160000 {sha} module\n".encode(),
    )
    clone = place.clone()
    head = clone.head("main")

    error = failure(lambda: clone.read(head, PurePosixPath(path)))
    again = failure(lambda: clone.list(head, PurePosixPath(path)))

    assert isinstance(error, KustomizationError)
    assert "is a symbolic link" in error.message or "is a submodule" in error.message
    assert again.message == error.message


def test_tells_where_links_lead(place: Place) -> None:
    """
    A link is found at any depth, and what it says is read without following it.
    """
    links = {"apps/live": "shop", "kustomization.yaml": "../out"}
    place.server.commit(NAME, links, modes=dict.fromkeys(links, "120000"))
    clone = place.clone()
    head = clone.head("main")

    found = {
        path: clone.link(head, PurePosixPath(path))
        for path in ("apps/live/x", "apps/live", "kustomization.yaml", "apps/shop", "none", ".")
    }

    live = (PurePosixPath("apps/live"), "shop")
    assert found == {
        "apps/live/x": live,
        "apps/live": live,
        "kustomization.yaml": (PurePosixPath("kustomization.yaml"), "../out"),
        "apps/shop": None,
        "none": None,
        ".": None,
    }


def test_asks_for_the_default_branch(place: Place) -> None:
    """
    An Application that follows HEAD follows this branch.
    """
    place.server.create("acme/trunk", {"a": ""}, branch="trunk")
    place.server.create("acme/empty")
    trunk = place.clone(url=place.server.url("acme/trunk"))
    empty = place.clone(url=place.server.url("acme/empty"))

    assert trunk.default_branch() == "trunk"
    assert "has no default branch" in failure(empty.default_branch).message
