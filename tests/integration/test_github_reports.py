"""What GitHub says about commits: statuses, deployments, ancestry, and what it costs to ask."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.github import GitHubReports
from gitops_action.model.source import CommitSha
from tests.systems.github import NAME, GitHubPlace, github_place

if TYPE_CHECKING:
    from collections.abc import Iterator

RENAMES = b"""commit refs/heads/main
committer x <x@example.com> now
data 1
x
from refs/heads/main^0
R old new
D gone
M 100644 inline kept
data 1
2
M 100644 inline more
data 1
1
"""
CONTEXT = "kustomization/gitops/0c9c2e41"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, {"README.md": "# GitOps\n"}) as place:
        yield place


@pytest.fixture
def reports(place: GitHubPlace) -> GitHubReports:
    return GitHubReports(place.api())


def test_the_newest_status_of_a_context_counts(place: GitHubPlace, reports: GitHubReports) -> None:
    """
    Of a context's statuses the newest is told, and those of others are not.
    """
    head = place.head()
    before = reports.status(head, CONTEXT)
    place.github.status(NAME, str(head), "build", "failure")
    place.github.status(NAME, str(head), CONTEXT, "pending")
    place.github.status(NAME, str(head), CONTEXT, "success", "reconciliation succeeded")

    after = reports.status(head, CONTEXT)

    assert before is None
    assert after is not None
    assert (after.sha, after.state) == (head, "success")
    assert after.description == "reconciliation succeeded"


def test_a_context_beyond_the_first_page_is_found(
    place: GitHubPlace, reports: GitHubReports
) -> None:
    """
    A commit with hundreds of contexts is read to the end.
    """
    head = place.head()
    place.github.status(NAME, str(head), CONTEXT, "success")
    for number in range(150):
        place.github.status(NAME, str(head), f"job-{number}", "success")

    assert reports.status(head, CONTEXT) is not None
    assert reports.status(head, "none") is None


def test_a_commit_that_github_does_not_know_has_no_status(reports: GitHubReports) -> None:
    """
    A commit that was not pushed yet has no status, which is no error.
    """
    assert reports.status(CommitSha("a" * 40), CONTEXT) is None


def test_the_newest_deployment_of_an_environment_counts(
    place: GitHubPlace, reports: GitHubReports
) -> None:
    """
    The newest status of the newest deployment is told with its commit.
    """
    first, second = place.head(), place.commit({"a": "1"})
    assert reports.deployment("production") is None
    place.github.deploy(NAME, str(first), "production", "in_progress", "success")
    place.github.deploy(NAME, str(first), "staging", "failure")
    place.github.deploy(NAME, str(second), "production")

    newest = reports.deployment("production")
    older = reports.deployment("production", first)

    assert newest is not None
    assert (newest.sha, newest.state) == (second, "")
    assert older is not None
    assert (older.sha, older.state) == (first, "success")
    assert reports.deployments("production") == (second, first)
    assert reports.deployments("production", first) == (first,)


def test_the_commits_that_touched_a_path_are_told_newest_first(
    place: GitHubPlace, reports: GitHubReports
) -> None:
    """
    The last commit that changed a file is found, however many came after it.
    """
    touched = place.commit({"apps/shop/kustomization.yaml": "1"})
    last = place.commit({"a": "1"})

    assert reports.commits("main", PurePosixPath("apps/shop")) == (touched,)
    assert reports.commits("main", count=2) == (last, touched)
    assert reports.commits(str(touched), count=1) == (touched,)
    assert reports.commits("none") == ()


@pytest.mark.parametrize("branch", ["side", "main"])
def test_knows_which_commit_contains_which(
    place: GitHubPlace, reports: GitHubReports, branch: str
) -> None:
    """
    A descendant contains its ancestors; commits of two branches do not contain each other.
    """
    base = place.head()
    place.git.git(NAME, "branch", "side", "main")
    other = place.commit({"b": "1"}, "side")
    tip = place.commit({"a": "1"}, branch)

    assert reports.contains(base, tip) is True
    assert reports.contains(tip, tip) is True
    assert reports.contains(tip, base) is False
    assert reports.contains(other, tip) is (branch == "side")
    assert reports.contains(CommitSha("a" * 40), tip) is None


def test_the_same_answer_again_costs_nothing(place: GitHubPlace, reports: GitHubReports) -> None:
    """
    Polling does not use up the rate limit, and a new status is seen at once.
    """
    head = place.head()
    place.github.status(NAME, str(head), CONTEXT, "pending")
    reports.status(head, CONTEXT)
    charged = place.github.charged

    for _ in range(5):
        reports.status(head, CONTEXT)

    assert place.github.charged == charged
    place.github.status(NAME, str(head), CONTEXT, "success")
    found = reports.status(head, CONTEXT)
    assert found is not None
    assert found.state == "success"


def test_ancestry_is_asked_once(place: GitHubPlace, reports: GitHubReports) -> None:
    """
    What can never change is not asked again.
    """
    first, second = place.head(), place.commit({"a": "1"})
    reports.contains(first, second)
    requests = len(place.github.requests)

    reports.contains(first, second)

    assert len(place.github.requests) == requests


def test_the_files_that_changed_are_told(place: GitHubPlace, reports: GitHubReports) -> None:
    """
    Added, changed, removed and renamed files, both names of the last.
    """
    base = place.commit({"old": "text\n" * 20, "gone": "x", "kept": "1"})
    place.git.git(NAME, "fast-import", "--quiet", "--date-format=now", stdin=RENAMES)
    head = place.head()

    names = {"old", "new", "gone", "kept", "more"}
    assert reports.changed_paths(base, head) == frozenset(PurePosixPath(name) for name in names)
    assert reports.changed_paths(head, head) == frozenset()


def test_what_github_does_not_tell_in_full_is_not_known(
    place: GitHubPlace, reports: GitHubReports
) -> None:
    """
    Hundreds of files, commits of two branches, unknown ones: no answer is better than half of one.
    """
    base = place.head()
    place.git.git(NAME, "branch", "side", "main")
    many = place.commit({f"f{number}": "x" for number in range(300)})
    side = place.commit({"b": "1"}, "side")

    assert reports.changed_paths(base, many) is None
    assert reports.changed_paths(many, side) is None
    assert reports.changed_paths(CommitSha("a" * 40), side) is None


def test_the_trailers_of_a_commit_are_found_by_a_text(
    place: GitHubPlace, reports: GitHubReports
) -> None:
    """
    Which commit an image was made from is found, however many promotions came after it.
    """
    message = "Promote shop to 1\n\nNot-a: trailer\n\nSource-Commit: abc\nImage: shop:1"
    place.git.commit(NAME, {"a": "1"}, message=message)
    for number in range(120):
        place.commit({"a": str(number)})

    found = reports.trailers(place.head(), "Image: shop:1")

    assert found == ({"Source-Commit": "abc", "Image": "shop:1"},)
    assert reports.trailers(place.head(), "Image: shop:2") == ()
    assert reports.trailers(CommitSha("a" * 40), "Image: shop:1") == ()
