"""GitHub's refusals and failures: each is waited for, or ends in one message with its fix."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.github import GitHubReports, GitHubRepository
from gitops_action.errors import (
    ActionError,
    CancelledError,
    GitOpsAccessError,
    GitOpsUnavailableError,
)
from tests.fakes.github_state import SECONDARY, Scripted, Token
from tests.systems.github import NAME, GitHubPlace, failure, github_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitops_action.adapters.github import GitHubApi

    Ask = Callable[[GitHubApi], object]

ASKS: dict[str, Ask] = {
    "rest": lambda api: GitHubReports(api).default_branch(),
    "graphql": lambda api: GitHubRepository(api).head("main"),
}
FAILED = {
    "errors": [{"message": "Something went wrong while executing your query. Please try again."}]
}
LIMITED = {"message": SECONDARY, "documentation_url": "https://docs.github.com/rest"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, {"README.md": "# GitOps\n"}) as place:
        yield place


@pytest.fixture(params=ASKS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return ASKS[request.param]


def test_an_expired_token_is_told_from_a_missing_right(place: GitHubPlace, ask: Ask) -> None:
    """
    Bad credentials are said to be bad, and how to get new ones.
    """
    error = failure(lambda: ask(place.api(token="expired")))

    assert isinstance(error, GitOpsAccessError)
    assert "Bad credentials" in error.message
    assert "gitops-token" in error.hint


@pytest.mark.parametrize("name", ["acme/other", NAME], ids=["missing", "hidden"])
def test_a_repository_that_the_token_does_not_see_is_told(
    place: GitHubPlace, ask: Ask, name: str
) -> None:
    """
    GitHub answers 404 where a token may not know: the message says both.
    """
    place.github.tokens["other"] = Token({})

    error = failure(lambda: ask(place.api(token="other", name=name)))

    assert isinstance(error, GitOpsAccessError)
    assert f"{name} does not exist, or the token may not see it" in error.message


def test_a_missing_right_to_read_statuses_is_named(place: GitHubPlace) -> None:
    """
    The right to add stands in the hint as in the workflow's `permissions`.
    """
    place.github.tokens["job"] = Token({"contents": "read"})
    reports = GitHubReports(place.api(token="job"))

    status = failure(lambda: reports.status(place.head(), "x"))
    deployment = failure(lambda: reports.deployment("production"))

    assert "permissions:\n  statuses: read" in status.hint
    assert "permissions:\n  deployments: read" in deployment.hint


def test_a_failure_of_github_is_asked_again(place: GitHubPlace, ask: Ask) -> None:
    """
    A 502 in between is nothing that a user hears of.
    """
    place.github.scripted += [Scripted(502), Scripted(503, "<html>Unicorn</html>")]

    assert ask(place.api()) in {"main", place.head()}


def test_a_failure_that_graphql_says_by_200_is_asked_again(place: GitHubPlace) -> None:
    """
    GraphQL answers 200 when it ran out of time: that is no answer either.
    """
    place.github.scripted += [Scripted(200, FAILED)] * 2

    assert GitHubRepository(place.api()).head("main") == place.head()

    place.github.scripted += [Scripted(200, FAILED)] * 20
    error = failure(lambda: GitHubRepository(place.api(patience=0.5)).head("main"))
    assert isinstance(error, GitOpsUnavailableError)
    assert "Something went wrong" in error.message


def test_a_github_that_stays_broken_is_told(place: GitHubPlace, ask: Ask) -> None:
    """
    Nobody waits for ever for a GitHub that does not come back.
    """
    place.github.scripted += [Scripted(502, {"message": "Server Error"})] * 20

    error = failure(lambda: ask(place.api(patience=0.5)))

    assert isinstance(error, GitOpsUnavailableError)
    assert "502" in error.message
    assert "Server Error" in error.message


@pytest.mark.parametrize(
    ("status", "headers"),
    [(403, {"Retry-After": "1"}), (429, {"Retry-After": "1"})],
    ids=["403", "429"],
)
def test_a_secondary_rate_limit_is_waited_for(
    place: GitHubPlace, ask: Ask, status: int, headers: dict[str, str]
) -> None:
    """
    As long as GitHub says, and then it goes on.
    """
    place.github.scripted.append(Scripted(status, LIMITED, headers))
    begun = time.monotonic()

    ask(place.api())

    assert time.monotonic() - begun >= 1.0


@pytest.mark.parametrize(
    "script",
    [
        Scripted(403, LIMITED, {"Retry-After": "60"}),
        Scripted(403, LIMITED),
        Scripted(403, {"message": "API rate limit exceeded"}, {"X-RateLimit-Remaining": "0"}),
        Scripted(429, {"message": "API rate limit exceeded"}, {"X-RateLimit-Reset": "9999999999"}),
        Scripted(200, {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}),
    ],
    ids=["said", "unsaid", "used-up", "until", "graphql"],
)
def test_a_rate_limit_beyond_the_deadline_ends_at_once(
    place: GitHubPlace, ask: Ask, script: Scripted
) -> None:
    """
    A wait that would end too late is not begun: the message says which limit it is.
    """
    place.github.scripted.append(script)
    begun = time.monotonic()

    error = failure(lambda: ask(place.api()))

    assert time.monotonic() - begun < 3
    assert isinstance(error, GitOpsUnavailableError)
    assert "rate limit" in error.message
    assert "1,000 requests an hour" in error.hint


def test_cancelling_ends_the_wait_for_a_rate_limit(place: GitHubPlace, ask: Ask) -> None:
    """
    A cancelled run does not sit out GitHub's minute.
    """
    place.github.scripted.append(Scripted(403, LIMITED, {"Retry-After": "60"}))
    api = place.api(patience=120)
    caught: list[ActionError] = []
    waits = threading.Thread(target=lambda: caught.append(failure(lambda: ask(api))))

    waits.start()
    while place.github.scripted:
        time.sleep(0.01)
    place.cancellation.cancel("the run was cancelled")
    waits.join(timeout=5)

    assert not waits.is_alive()
    assert isinstance(caught[0], CancelledError)


def test_a_renamed_repository_is_told(place: GitHubPlace, ask: Ask) -> None:
    """
    GitHub redirects after a renaming; the token does not follow.
    """
    place.github.scripted.append(
        Scripted(301, {"message": "Moved Permanently"}, {"Location": f"{place.github.rest}/x"})
    )

    error = failure(lambda: ask(place.api()))

    assert "renamed or moved" in error.message
    assert "gitops-repository" in error.hint
    assert len(place.github.requests) == 1


def test_a_proxy_that_answers_instead_is_told(place: GitHubPlace, ask: Ask) -> None:
    """
    A login page is not taken for an answer of GitHub.
    """
    place.github.scripted.append(Scripted(200, "<html>Please log in</html>"))

    error = failure(lambda: ask(place.api()))

    assert "200 with text/html" in error.message
    assert "proxy" in error.hint


def test_a_refused_value_is_quoted(place: GitHubPlace) -> None:
    """
    A 422 says what GitHub has against which field.
    """
    body = {"message": "Validation Failed", "errors": [{"message": "name is too long"}]}
    place.github.scripted.append(Scripted(422, body))

    error = failure(lambda: place.api().make("/issues/1/labels", {}, permission="x: write"))

    assert "Validation Failed, name is too long" in error.message


def test_a_github_that_is_not_there_is_told(place: GitHubPlace, ask: Ask) -> None:
    """
    No route, a wrong address, a firewall: the host is named.
    """
    api = place.api(patience=0.2)
    api._rest = api._graphql = "http://127.0.0.1:1"

    error = failure(lambda: ask(api))

    assert "127.0.0.1:1 does not answer" in error.message


def test_the_token_is_in_no_message_and_no_address(place: GitHubPlace, ask: Ask) -> None:
    """
    A token is a header of requests to GitHub, and nothing else.
    """
    place.github.scripted.append(Scripted(422, {"message": "no"}))

    error = failure(lambda: ask(place.api()))

    seen = [error.told, repr(vars(place.api())), *place.github.requests]
    assert place.github.token not in " ".join(seen)


def test_a_token_with_a_line_break_is_told_without_being_shown(
    place: GitHubPlace, ask: Ask
) -> None:
    """
    A secret that was stored with a line break cannot be sent, and is not shown.
    """
    error = failure(lambda: ask(place.api(token="ghp_secret\nx")))

    assert "could not be asked" in error.message
    assert "line breaks" in error.hint
    assert "ghp_secret" not in error.told


def test_an_answer_without_values_is_told(place: GitHubPlace) -> None:
    """
    An empty answer is not taken for an empty repository.
    """
    place.github.scripted.append(Scripted(200, {"data": None}))

    error = failure(lambda: GitHubRepository(place.api()).head("main"))

    assert "200 with application/json" in error.message
