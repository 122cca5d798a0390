"""A commit's files through GitHub's API: as a clone would give them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.github import GitHubRepository
from gitops_action.errors import (
    GitOpsError,
    KustomizationError,
)
from gitops_action.model.source import CommitSha
from tests.systems.github import NAME, GitHubPlace, failure, github_place

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "apps/shop/kustomization.yaml"
PATH = PurePosixPath(FILE)
FILES = {FILE: "one\n", "README.md": "# GitOps\n"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, FILES) as place:
        yield place


@pytest.fixture
def repository(place: GitHubPlace) -> GitHubRepository:
    return GitHubRepository(place.api())


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfa: 1\r\n", b"caf\xe9\n", b"a\0b", b"x" * 600_000, b""],
    ids=["byte-order-mark", "latin-1", "binary", "longer-than-graphql-gives", "empty"],
)
def test_reads_bytes_as_they_are(
    place: GitHubPlace, repository: GitHubRepository, content: bytes
) -> None:
    """
    What is read is what git has, whatever GitHub makes of it as text.
    """
    place.commit({"any": content})

    assert repository.read(place.head(), PurePosixPath("any")) == content


def test_reads_files_and_folders_of_a_commit(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    Files, folders and links of a commit read as a clone would give them.
    """
    odd = "apps/o dd: ü"
    modes = {"link": "120000", "run.sh": "100755"}
    place.git.commit(NAME, {odd: "x", "link": "apps/shop", "run.sh": "y"}, modes=modes)
    head = repository.head("main")

    assert repository.list(head, PurePosixPath()) == ("README.md", "apps/", "link", "run.sh")
    assert repository.list(head, PurePosixPath("apps/nothing/here")) == ()
    assert repository.list(head, PATH) == ()
    assert repository.read(head, PurePosixPath(odd)) == b"x"
    assert repository.read(head, PurePosixPath("apps")) is None
    assert repository.read(head, PurePosixPath("nothing")) is None
    assert repository.link(head, PurePosixPath("link/deployment.yaml")) == (
        PurePosixPath("link"),
        "apps/shop",
    )
    assert repository.link(head, PATH) is None
    assert repository.modes(head, ["run.sh", "apps/shop"]).items() >= {
        ("run.sh", "100755"),
        ("link", "120000"),
        (FILE, "100644"),
    }
    assert repository.contents(head, [FILE, "link"]) == {FILE: b"one\n", "link": b"apps/shop"}


def test_follows_no_submodule(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    A path that leads into a submodule is refused with the place where it is.
    """
    head = place.head()
    entry = f"160000 commit {head}\tvendor\n".encode()
    tree = place.git.git(NAME, "mktree", stdin=entry)
    commit = place.git.git(
        *(NAME, "-c", "user.name=x", "-c", "user.email=x@example.com"),
        *("commit-tree", "-p", str(head), "-m", "vendor", tree),
    )

    error = failure(lambda: repository.read(CommitSha(commit), PurePosixPath("vendor/a")))

    assert isinstance(error, KustomizationError)
    assert "vendor is a submodule" in error.message


def test_a_missing_branch_is_told(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    A branch that is not there, or odd, ends in one message that names it.
    """
    for name in ("none", "a..b", "with space"):
        error = failure(lambda name=name: repository.head(name))  # type: ignore[misc]

        assert isinstance(error, GitOpsError)
        assert f"no branch `{name}`" in error.message
    assert repository.head(repository.default_branch()) == place.head()


def test_reads_files_of_any_commit(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    An older commit's file is read, and a commit that is gone is told from a file that is not there.
    """
    old = place.head()
    place.commit({FILE: "new\n"})

    assert repository.file(old, PATH) == b"one\n"
    assert repository.file(old, PurePosixPath("nothing/here")) is None
    error = failure(lambda: repository.file(CommitSha("a" * 40), PATH))
    assert "does not have the commit" in error.message
