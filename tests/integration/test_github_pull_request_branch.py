"""The branch of a pull request: one commit on its base, moved by compare-and-swap."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.github import GitHubRepository
from gitops_action.errors import PushRefusedError
from gitops_action.model.change import Change
from gitops_action.model.identity import GITHUB_ACTIONS
from tests.fakes.github_state import RULESET, Scripted
from tests.systems.github import NAME, GitHubPlace, failure, github_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_action.model.source import CommitSha

BRANCH = "gitops-action/shop"
FILE = "apps/shop/kustomization.yaml"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, {FILE: "one\n", "README.md": "# GitOps\n"}) as place:
        yield place


def replace(
    place: GitHubPlace, text: str = "two\n", before: CommitSha | None = None
) -> CommitSha | None:
    """Put one commit on the head of main onto the pull request's branch."""
    change = Change(
        parent=place.head(),
        files={PurePosixPath(FILE): text.encode()},
        message=f"Promote shop: {text}",
        author=GITHUB_ACTIONS,
    )
    return GitHubRepository(place.api()).replace(change, BRANCH, before=before)


def test_the_branch_is_one_commit_on_its_base(place: GitHubPlace) -> None:
    """
    A proposal is one verified commit on the newest head, and main stays as it is.
    """
    base = place.head()

    commit = replace(place)

    assert commit == place.head(BRANCH)
    assert str(commit) in place.github.git(NAME).signed
    assert place.git.git(NAME, "log", "--format=%P", "-1", BRANCH) == str(base)
    assert place.git.read(NAME, FILE, BRANCH) == b"two\n"
    assert place.head() == base


def test_the_same_proposal_again_leaves_the_branch_alone(place: GitHubPlace) -> None:
    """
    A second run of the same job does not start the pull request's checks again.
    """
    first = replace(place)

    second = replace(place)

    assert first == second == place.head(BRANCH)


def test_a_branch_that_somebody_moved_meanwhile_is_not_overwritten(place: GitHubPlace) -> None:
    """
    Two jobs that update one branch at once do not undo each other: one of them starts over.
    """
    replace(place)
    place.about.races += [lambda: place.commit({FILE: "theirs\n"}, BRANCH)]

    moved = replace(place, "three\n")

    assert moved is None
    assert place.git.read(NAME, FILE, BRANCH) == b"theirs\n"


def test_a_branch_that_somebody_made_meanwhile_is_not_overwritten(place: GitHubPlace) -> None:
    """
    The same holds for a branch that was not there a moment ago.
    """
    place.about.races += [lambda: place.git.git(NAME, "update-ref", f"refs/heads/{BRANCH}", "main")]

    moved = replace(place)

    assert moved is None
    assert place.head(BRANCH) == place.head()


def test_a_lost_answer_is_not_a_lost_update(place: GitHubPlace) -> None:
    """
    A branch that moved while GitHub answered 502 is known to be where we put it.
    """
    replace(place)
    requests = len(place.github.requests)
    replace(place, "three\n")
    last = len(place.github.requests) - requests - 1
    place.github.scripted += [Scripted(pass_on=True)] * last
    place.github.scripted.append(Scripted(502, after=True))

    moved = replace(place, "four\n")

    assert moved == place.head(BRANCH)
    assert place.git.read(NAME, FILE, BRANCH) == b"four\n"


def test_a_rule_for_the_branch_is_quoted(place: GitHubPlace) -> None:
    """
    A rule that forbids the branch is told, and nothing is left behind.
    """
    place.about.rules[BRANCH] = RULESET

    error = failure(lambda: replace(place))

    assert isinstance(error, PushRefusedError)
    assert place.git.git(NAME, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_proposal_keeps_the_modes_of_files(place: GitHubPlace) -> None:
    """
    An executable file stays executable.
    """
    place.git.commit(NAME, {FILE: "one\n"}, modes={FILE: "100755"})

    replace(place)

    assert place.git.git(NAME, "ls-tree", BRANCH, FILE).startswith("100755")


def test_a_branch_that_moved_since_it_was_judged_is_not_overwritten(place: GitHubPlace) -> None:
    """
    A newer image that came onto the branch after we looked at it stays.
    """
    seen = replace(place)
    newer = replace(place, "three\n")

    moved = replace(place, "ours\n", seen)

    assert moved is None
    assert place.head(BRANCH) == newer
    assert replace(place, "ours\n", newer) == place.head(BRANCH)
