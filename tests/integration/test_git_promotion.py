"""A promotion over real git: one commit, byte for byte, and nothing lost beside others."""

from __future__ import annotations

import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.model.identity import GITHUB_ACTIONS

if TYPE_CHECKING:
    pass

from tests.systems.promoter import FILE, NAME, PATH, TEXT, Place, edit, run


def test_a_promotion_is_one_commit_with_one_changed_line(place: Place) -> None:
    """
    The branch has one new commit, by the bot, and nothing else moved.
    """
    before = place.server.head(NAME)

    result = run(place.clone())

    git = place.server.git
    assert str(result.revision) == place.server.head(NAME)
    assert git(NAME, "rev-list", f"{before}..main") == str(result.revision)
    assert git(NAME, "diff", "--numstat", before, "main") == f"1\t1\t{FILE}"
    assert git(NAME, "log", "-1", "--format=%an <%ae>, %cn", "main") == (
        f"{GITHUB_ACTIONS}, github-actions[bot]"
    )
    assert git(NAME, "log", "-1", "--format=%(trailers)", "main").splitlines() == [
        "Source-Repository: acme/shop",
        "Image: ghcr.io/acme/shop:v2",
    ]


def test_a_second_run_changes_nothing(place: Place) -> None:
    """
    Running the job twice pushes once.
    """
    first = run(place.clone())

    second = run(place.clone())

    assert (second.changed, second.revision) == (False, first.revision)


def test_writes_bytes_as_they_are(place: Place) -> None:
    """
    Neither `.gitattributes` nor the file's mode nor its line ends change on the way.
    """
    content = b"\xef\xbb\xbfimages:\r\n- name: ghcr.io/acme/shop\r\n  newTag: v1"
    place.server.commit(
        NAME,
        {FILE: content, ".gitattributes": "* text=auto eol=lf working-tree-encoding=UTF-16\n"},
        modes={FILE: "100755"},
    )

    run(place.clone())

    assert place.server.read(NAME, FILE) == content.replace(b"v1", b"v2")
    assert place.server.git(NAME, "ls-tree", "main", FILE).startswith("100755 blob")


def test_works_without_a_server(place: Place) -> None:
    """
    A repository on the same disk can be promoted to, for a demonstration.
    """
    result = run(place.clone(url=f"file://{place.server.path(NAME)}", token=""))

    assert str(result.revision) == place.server.head(NAME)


def test_adds_a_file_where_there_was_none(place: Place) -> None:
    """
    A commit may bring folders of its own.
    """
    clone = place.clone()
    head = clone.head("main")

    commit = clone.commit(edit(head, PurePosixPath("a/b/c"), "x"))

    assert clone.read(commit, PurePosixPath("a/b/c")) == b"x"
    assert clone.read(commit, PATH) == TEXT.encode()


def test_promoters_at_once_all_land(place: Place) -> None:
    """
    Six jobs that promote six applications in one file lose nothing.
    """
    names = [f"app-{number}" for number in range(6)]
    text = "images:\n" + "".join(f"- name: ghcr.io/acme/{name}\n  newTag: v1\n" for name in names)
    before = place.server.commit(NAME, {FILE: text})
    clones = {name: place.clone() for name in names}
    threads = [threading.Thread(target=run, args=(clones[name], name)) for name in names]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert place.server.read(NAME, FILE).decode() == text.replace("v1", "v2")
    assert place.server.git(NAME, "rev-list", "--count", f"{before}..main") == "6"
