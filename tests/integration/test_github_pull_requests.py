"""Pull requests on GitHub: one for each application, updated in place."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.github import GitHubRepository, PullRequests, RequiredChecks
from gitops_action.errors import GitOpsAccessError, GitOpsError
from gitops_action.model.change import Change
from gitops_action.model.identity import GITHUB_ACTIONS
from gitops_action.model.pull_request import Proposal, PullRequest, PullRequestState
from tests.fakes.github_state import Scripted, Token
from tests.systems.github import NAME, GitHubPlace, failure, github_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_action.model.source import CommitSha

BRANCH = "gitops-action/shop"
FILE = "apps/shop/kustomization.yaml"
ACTIONS = 15368


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, {FILE: "one\n", "README.md": "# GitOps\n"}) as place:
        yield place


@pytest.fixture
def pulls(place: GitHubPlace) -> PullRequests:
    return PullRequests(place.api())


def proposal(title: str = "Promote shop to 2", *labels: str) -> Proposal:
    return Proposal(branch=BRANCH, base="main", title=title, body="The diff", labels=labels)


def replace(place: GitHubPlace, text: str = "two\n") -> CommitSha | None:
    """Put one commit on the head of main onto the pull request's branch."""
    change = Change(
        parent=place.head(),
        files={PurePosixPath(FILE): text.encode()},
        message=f"Promote shop: {text}",
        author=GITHUB_ACTIONS,
    )
    return GitHubRepository(place.api()).replace(change, BRANCH)


def opened(place: GitHubPlace, pulls: PullRequests) -> PullRequest:
    replace(place)
    return pulls.propose(proposal())


def test_an_update_replaces_the_commit_and_keeps_the_pull_request(
    place: GitHubPlace, pulls: PullRequests
) -> None:
    """
    A newer image goes into the same pull request, as one commit on the base's newest head.
    """
    first = opened(place, pulls)
    base = place.commit({"README.md": "# Theirs\n"})

    replace(place, "three\n")
    second = pulls.propose(proposal("Promote shop to 3"))

    assert (second.number, second.state) == (first.number, PullRequestState.OPEN)
    assert second.head == place.head(BRANCH) != first.head
    assert place.about.pulls[0].title == "Promote shop to 3"
    assert place.git.git(NAME, "rev-list", f"{base}..{BRANCH}") == str(second.head)
    assert place.git.read(NAME, "README.md", BRANCH) == b"# Theirs\n"


def test_labels_are_added_and_never_removed(place: GitHubPlace, pulls: PullRequests) -> None:
    """
    The labels of the input come to those that people gave.
    """
    replace(place)
    pulls.propose(proposal("a", "gitops", "shop"))
    place.about.pulls[0].labels.append("by hand")

    pulls.propose(proposal("b", "gitops"))

    assert place.about.pulls[0].labels == ["gitops", "shop", "by hand"]


def test_a_closed_pull_request_is_not_used_again(place: GitHubPlace, pulls: PullRequests) -> None:
    """
    After a merge or a rejection the next promotion opens a new pull request.
    """
    first = opened(place, pulls)
    place.about.pulls[0].state = "CLOSED"

    second = pulls.propose(proposal())

    assert second.number == first.number + 1
    assert pulls.read(first.number).state is PullRequestState.CLOSED
    assert pulls.find(BRANCH, "main") == second
    assert pulls.find(BRANCH, "other") is None


def test_a_forks_branch_of_the_same_name_is_not_ours(
    place: GitHubPlace, pulls: PullRequests
) -> None:
    """
    A stranger's pull request from a branch of that name is neither changed nor merged.
    """
    opened(place, pulls)
    place.about.pulls[0].from_fork = True

    found = pulls.find(BRANCH, "main")
    ours = pulls.propose(proposal("ours"))

    assert found is None
    assert [one.title for one in place.about.pulls] == ["Promote shop to 2", "ours"]
    assert ours.number == 2


def test_a_pull_request_that_another_run_opened_first_is_updated(
    place: GitHubPlace, pulls: PullRequests
) -> None:
    """
    Two runs at once end with one pull request.
    """
    replace(place)
    place.about.races.append(lambda: PullRequests(place.api()).propose(proposal("theirs")))

    pull = pulls.propose(proposal("ours"))

    assert [one.title for one in place.about.pulls] == ["ours"]
    assert pull.number == 1


def test_a_lost_answer_opens_no_second_pull_request(
    place: GitHubPlace, pulls: PullRequests
) -> None:
    """
    A pull request that was opened while GitHub answered 502 is found.
    """
    replace(place)
    place.github.scripted += [Scripted(pass_on=True), Scripted(502, after=True)]

    pull = pulls.propose(proposal())

    assert [one.number for one in place.about.pulls] == [pull.number]


def test_a_setting_that_forbids_pull_requests_is_explained(place: GitHubPlace) -> None:
    """
    The message names the tick box, and the recipe for another token.
    """
    replace(place)
    place.github.tokens["job"] = Token(
        {"contents": "write", "pull-requests": "write"}, may_open_pull_requests=False
    )

    error = failure(lambda: PullRequests(place.api(token="job")).propose(proposal()))

    assert isinstance(error, GitOpsAccessError)
    assert "not permitted to create or approve pull requests" in error.message
    assert "Allow GitHub Actions to create and approve pull requests" in error.hint
    assert "actions/create-github-app-token" in error.hint


def test_a_missing_right_is_named(place: GitHubPlace) -> None:
    """
    A job without `pull-requests: write` is told to add it.
    """
    place.github.tokens["job"] = Token({"contents": "write"})

    error = failure(lambda: PullRequests(place.api(token="job")).propose(proposal()))

    assert isinstance(error, GitOpsAccessError)
    assert "permissions:\n  pull-requests: write" in error.hint


def test_a_merge_is_seen_with_its_commit(place: GitHubPlace, pulls: PullRequests) -> None:
    """
    Who waits for the merge learns the commit that the base branch got.
    """
    pull = opened(place, pulls)
    merged = place.github.merge(NAME, pull.number)

    now = pulls.read(pull.number)

    assert now.state is PullRequestState.MERGED
    assert str(now.merge_commit) == merged == str(place.head())
    assert pull.merge_commit is None


def test_auto_merge_uses_the_repositorys_method_once(
    place: GitHubPlace, pulls: PullRequests
) -> None:
    """
    Auto-merge is switched on where something is left to wait for, and stays on.
    """
    place.about.merge_method = "SQUASH"
    pull = opened(place, pulls)

    pulls.merge_when_ready(pull)
    changes = len(place.github.requests)
    pulls.merge_when_ready(pull)

    assert place.about.pulls[0].auto_merge == "SQUASH"
    assert pulls.read(pull.number).merges_itself
    assert len(place.github.requests) == changes + 2


def test_what_is_ready_is_merged_at_once(place: GitHubPlace, pulls: PullRequests) -> None:
    """
    GitHub refuses auto-merge where nothing is left to wait for: then it is merged.
    """
    place.about.merge_state = "CLEAN"
    pull = opened(place, pulls)

    pulls.merge_when_ready(pull)

    assert pulls.read(pull.number).merge_commit == place.head()
    assert place.git.read(NAME, FILE) == b"two\n"


def test_a_repository_without_auto_merge_says_where_to_allow_it(
    place: GitHubPlace, pulls: PullRequests
) -> None:
    """
    The message names the tick box, and the pull request that waits.
    """
    place.about.auto_merge_allowed = False
    pull = opened(place, pulls)

    error = failure(lambda: pulls.merge_when_ready(pull))

    assert isinstance(error, GitOpsAccessError)
    assert pull.url in error.message
    assert "Allow auto-merge" in error.hint


def test_a_branch_that_moved_is_not_merged(place: GitHubPlace, pulls: PullRequests) -> None:
    """
    What somebody else pushed to the branch is not merged in our name.
    """
    place.about.merge_state = "CLEAN"
    pull = opened(place, pulls)
    place.commit({FILE: "theirs\n"}, BRANCH)

    error = failure(lambda: pulls.merge_when_ready(pull))

    assert isinstance(error, GitOpsError)
    assert "Head branch was modified" in error.message
    assert place.git.read(NAME, FILE) == b"one\n"


@pytest.mark.parametrize("kind", ["ruleset", "protection"])
@pytest.mark.parametrize("app", [None, ACTIONS], ids=["anyone", "actions"])
def test_checks_that_cannot_start_are_told_at_once(
    place: GitHubPlace, pulls: PullRequests, kind: str, app: int | None
) -> None:
    """
    A required check of a workflow never starts for a job's own token: said with the recipe.
    """
    checks = place.about.required_checks if kind == "ruleset" else place.about.classic_checks
    checks.append(("build", app))
    pull = opened(place, pulls)

    obstacle = RequiredChecks(place.api()).obstacle(pull)

    assert "requires `build`" in obstacle
    assert "actions/create-github-app-token" in obstacle


@pytest.mark.parametrize("why", ["started", "of-another-app", "opened-by-an-app", "none"])
def test_checks_that_can_start_are_nobodys_obstacle(
    place: GitHubPlace, pulls: PullRequests, why: str
) -> None:
    """
    Checks that have started, or that somebody else reports, are waited for.
    """
    if why != "none":
        place.about.required_checks.append(("build", 42 if why == "of-another-app" else None))
    pull = opened(place, pulls)
    if why == "started":
        place.github.status(NAME, str(pull.head), "build", "pending")
    if why == "opened-by-an-app":
        place.about.pulls[0].author = "promoter"
        pull = pulls.read(pull.number)

    assert RequiredChecks(place.api()).obstacle(pull) == ""


def test_a_job_that_may_not_read_checks_is_told_all_the_same(
    place: GitHubPlace, pulls: PullRequests
) -> None:
    """
    A notice needs no right that the promotion itself does not need.
    """
    place.about.required_checks.append(("build", None))
    pull = opened(place, pulls)
    place.github.tokens["job"] = Token({"contents": "write", "pull-requests": "write"})

    obstacle = RequiredChecks(place.api(token="job")).obstacle(pull)

    assert "requires `build`" in obstacle


def test_a_pull_request_that_does_not_exist_is_told(pulls: PullRequests) -> None:
    """
    GitHub's own words say which number it is.
    """
    error = failure(lambda: pulls.read(99))

    assert "number of 99" in error.message


def test_a_refused_proposal_is_quoted(place: GitHubPlace, pulls: PullRequests) -> None:
    """
    What GitHub has against a pull request is said in its words.
    """
    replace(place)
    refused = {"data": {"createPullRequest": None}, "errors": [{"message": "No commits between"}]}
    place.github.scripted += [Scripted(pass_on=True), Scripted(200, refused)]

    error = failure(lambda: pulls.propose(proposal()))

    assert "No commits between" in error.message
    assert place.about.pulls == []
