"""One commit through GitHub's API: what becomes of it when something goes wrong."""

from __future__ import annotations

import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.github import GitHubRepository
from gitops_action.errors import (
    CancelledError,
    KustomizationError,
)
from gitops_action.model.change import Change
from gitops_action.model.identity import GITHUB_ACTIONS
from gitops_action.model.source import CommitSha
from tests.fakes.github_state import Scripted
from tests.systems.github import NAME, GitHubPlace, failure, github_place

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "apps/shop/kustomization.yaml"
PATH = PurePosixPath(FILE)
FILES = {FILE: "one\n", "README.md": "# GitOps\n"}
LOST = {"message": "Server Error"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, FILES) as place:
        yield place


@pytest.fixture
def repository(place: GitHubPlace) -> GitHubRepository:
    return GitHubRepository(place.api())


def edit(parent: CommitSha, text: str = "edited\n", path: str = FILE) -> Change:
    return Change(
        parent=parent,
        files={PurePosixPath(path): text.encode()},
        message="Promote shop to 2\n\nSource-Run: 1\n",
        author=GITHUB_ACTIONS,
    )


def test_a_branch_that_moved_is_left_alone(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit on an older head does not land.
    """
    old = repository.head("main")
    place.commit({"README.md": "# Theirs\n"})
    head = place.head()

    landed = repository.land(edit(old), "main")

    assert landed is None
    assert place.head() == head


def test_an_answer_that_was_lost_is_found_again(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that landed while GitHub answered 502 is not made twice, and is said to be ours.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    place.github.scripted.append(Scripted(502, LOST, after=True))

    landed = repository.land(edit(head), "main")

    assert landed == place.head()
    assert place.git.git(NAME, "rev-list", "--count", f"{head}..main") == "1"


def test_a_failure_that_graphql_says_by_200_is_looked_into(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that landed while GraphQL ran out of time is found like any other.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    failed = {"errors": [{"message": "Something went wrong while executing your query."}]}
    place.github.scripted.append(Scripted(200, failed, after=True))

    landed = repository.land(edit(head), "main")

    assert landed == place.head()
    assert place.git.git(NAME, "rev-list", "--count", f"{head}..main") == "1"


def test_a_commit_that_did_not_arrive_is_made_again(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A 502 before anything was done costs a second attempt, and nothing else.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    place.github.scripted.append(Scripted(502, LOST))

    landed = repository.land(edit(head), "main")

    assert landed == place.head()
    assert place.git.git(NAME, "rev-list", "--count", f"{head}..main") == "1"


def test_a_commit_that_landed_late_is_known(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that arrives after its answer was given up, and before the second attempt, is ours.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    late = edit(head)
    git = place.github.git(NAME)

    def arrives() -> None:
        sha = git.write(str(head), {FILE: b"edited\n"}, late.message)
        git.move("refs/heads/main", str(head), sha)

    place.github.scripted.append(Scripted(502, LOST))
    place.about.races.append(arrives)

    landed = repository.land(late, "main")

    assert landed == place.head()
    assert place.git.git(NAME, "rev-list", "--count", f"{head}..main") == "1"


def test_somebody_elses_commit_is_not_taken_for_ours(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that got no answer and is not on the branch is a lost race where another one is.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    place.about.races.append(lambda: place.commit({"README.md": "# Theirs\n"}))
    place.github.scripted.append(Scripted(502, LOST, after=True))

    landed = repository.land(edit(head), "main")

    assert landed is None


def test_a_cancellation_lets_a_commit_finish(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that was sent when the run was cancelled is awaited, and told.
    """
    head = repository.head("main")
    repository.read(head, PATH)

    def race() -> None:
        place.cancellation.cancel("the run was cancelled")
        time.sleep(0.3)  # longer than it takes to notice

    place.about.races.append(race)

    landed = repository.land(edit(head), "main")

    assert landed == place.head()


def test_a_cancelled_commit_without_an_answer_is_said_to_be_in_doubt(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    Where nobody knows whether the commit landed, the error says so.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    place.about.races.append(lambda: place.cancellation.cancel("the run was cancelled"))
    place.github.scripted.append(Scripted(502, LOST, after=True))

    error = failure(lambda: repository.land(edit(head), "main"))

    assert isinstance(error, CancelledError)
    assert "not known whether it landed" in error.message


def test_symbolic_links_are_never_written(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    A commit through the API would turn a link into a file, so it is not made.
    """
    place.git.commit(NAME, {"link.yaml": "README.md"}, modes={"link.yaml": "120000"})

    error = failure(lambda: repository.land(edit(place.head(), path="link.yaml"), "main"))

    assert isinstance(error, KustomizationError)
    assert "link.yaml is a symbolic link" in error.message


def test_files_that_the_api_does_not_take_are_refused(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that is too large for the API is refused before it is sent.
    """
    head = place.head()
    large = Change(
        parent=head, files={PATH: b"x" * 25_000_001}, message="Large\n", author=GITHUB_ACTIONS
    )

    error = failure(lambda: repository.land(large, "main"))

    assert isinstance(error, KustomizationError)
    assert "25 MB" in error.message
    assert "delivery: push" in error.hint


def test_a_message_is_text_and_nothing_else(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    Line breaks, quotes and workflow commands in a message arrive as they are.
    """
    message = 'Say "hi"\n\n::error::no %0A ${{ x }}\n\nA: b\n'
    asked = Change(
        parent=place.head(), files={PATH: b"x\n"}, message=message, author=GITHUB_ACTIONS
    )

    repository.land(asked, "main")

    assert place.git.git(NAME, "log", "-1", "--format=%B") == message.rstrip("\n")


def test_a_token_that_may_write_passes_the_question(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    Asking for the right to push writes nothing.
    """
    before = place.head()

    repository.check_push("main")

    assert place.head() == before
