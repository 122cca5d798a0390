"""Which commit contains which, over real git."""

from __future__ import annotations

import subprocess
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.errors import ActionError, GitOpsError
from gitops_action.model.source import CommitSha
from tests.systems.promoter import FILE, PATH

if TYPE_CHECKING:
    pass

from tests.systems.promoter import NAME, UNREACHABLE, Place, run


def test_knows_which_commit_contains_which(place: Place) -> None:
    """
    Argo CD may report a descendant of our commit, of whatever branch; unknown ones stay unknown.
    """
    clone = place.clone()
    first = clone.head("main")
    ours = run(clone).revision
    later = CommitSha(place.server.commit(NAME, {"other.yaml": ""}))
    aside = CommitSha(place.server.commit(NAME, {"other.yaml": ""}, branch="staging"))
    unreachable = place.clone(url=UNREACHABLE)

    assert clone.contains(ours, ours) is True
    assert clone.contains(first, ours) is True
    assert clone.contains(ours, first) is False
    assert clone.contains(ours, later) is True
    assert clone.contains(later, ours) is False
    assert clone.contains(ours, aside) is False
    assert clone.contains(aside, ours) is False
    assert clone.contains(ours, CommitSha("0" * 40)) is None
    assert clone.contains(CommitSha("0" * 40), ours) is None
    assert unreachable.contains(ours, later) is None


def test_knows_a_commit_that_is_on_no_branch_any_more(place: Place) -> None:
    """
    A squashed or force-pushed branch does not hide what was deployed from it.
    """
    first = CommitSha(place.server.head(NAME))
    gone = CommitSha(place.server.commit(NAME, {"other.yaml": ""}))
    place.server.git(NAME, "update-ref", "refs/heads/main", str(first))

    known = place.clone().contains(first, gone)

    assert known is True


def test_fetches_commits_and_no_trees(place: Place) -> None:
    """
    The question of who is newer costs commits, not the repository's files, and is asked once.
    """
    first = CommitSha(place.server.head(NAME))
    last = CommitSha(place.server.commit(NAME, {"other.yaml": "x"}))
    clone = place.clone()

    clone.contains(first, last)
    asked = len(place.server.requests)
    clone.contains(last, first)

    kinds = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"],
        cwd=place.folder / "clone-1" / "history.git",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert kinds == ["commit", "commit"]
    assert len(place.server.requests) == asked


def test_reads_a_file_of_a_descendant(place: Place) -> None:
    """
    The wait looks whether a later commit still asks for our image: it need not be a branch's head.
    """
    between = CommitSha(place.server.commit(NAME, {"a/b/kustomization.yaml": "images: []\n"}))
    place.server.commit(NAME, {"a/b/kustomization.yaml": "images: [{}]\n"})
    clone, unreachable = place.clone(), place.clone(url=UNREACHABLE)
    file = PurePosixPath("a/b/kustomization.yaml")

    content = clone.file(between, file)
    missing = [clone.file(between, PurePosixPath(path)) for path in ("a/c.yaml", "a/b", "x/y/z")]

    assert content == b"images: []\n"
    assert missing == [None, None, None]
    with pytest.raises(GitOpsError):
        clone.file(CommitSha("0" * 40), file)
    with pytest.raises(ActionError):
        unreachable.file(between, file)


def test_reads_what_it_has_just_promoted_without_asking(place: Place) -> None:
    """
    The wait begins at once.
    """
    clone = place.clone()
    ours = run(clone).revision
    asked = len(place.server.requests)

    content = clone.file(ours, PATH)

    assert content is not None
    assert content.decode().rstrip() == place.server.git(NAME, "show", f"main:{FILE}")
    assert len(place.server.requests) == asked


@pytest.mark.parametrize("old_protocol", [False, True])
def test_works_with_servers_that_can_less(place: Place, *, old_protocol: bool) -> None:
    """
    A server that cannot leave files out, or knows the old protocol only, costs more and works.
    """
    for setting in ("allowFilter", "allowAnySHA1InWant"):
        place.server.git(NAME, "config", f"uploadpack.{setting}", "false")
    place.server.forgets_protocol = old_protocol
    clone = place.clone()
    first = clone.head("main")

    ours = run(clone).revision

    assert clone.contains(first, ours) is True
    assert clone.contains(ours, first) is False
    assert clone.changed_paths(first, ours) in (frozenset({PATH}), None)


def test_finds_the_trailers_of_an_image(place: Place) -> None:
    """
    A file that names a digest does not say its source commit; the branch's history does.
    """
    for number in range(3):
        message = f"Promote\n\nSource-Commit: {number}\nImage: ghcr.io/acme/shop:v{number % 2}\n"
        place.server.commit(NAME, {FILE: str(number)}, message=message)
    head = CommitSha(place.server.commit(NAME, {FILE: "x"}, message="Image: ghcr.io/acme/shop:v0"))
    clone = place.clone()

    found = clone.history.trailers(head, "Image: ghcr.io/acme/shop:v0")

    assert [trailers.get("Source-Commit") for trailers in found] == [None, "2", "0"]
    assert clone.history.trailers(head, "Image: .*") == ()
    assert clone.history.trailers(CommitSha("0" * 40), "Image") == ()


def test_tells_which_files_changed_since_a_commit(place: Place) -> None:
    """
    Whether only our own promotion changed since the deployed image is known without any file.
    """
    first = CommitSha(place.server.head(NAME))
    place.server.commit(NAME, {"docs/a b.md": "x", "README.md": "hello again\n"})
    place.server.git(NAME, "update-ref", "refs/heads/main", place.server.head(NAME))
    clone = place.clone()
    head = run(clone).revision

    changed = clone.changed_paths(first, head)

    assert changed == frozenset({PATH, PurePosixPath("docs/a b.md"), PurePosixPath("README.md")})
    assert clone.changed_paths(head, head) == frozenset()
    assert clone.changed_paths(CommitSha("0" * 40), head) is None
