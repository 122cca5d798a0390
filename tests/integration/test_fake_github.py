"""The fake GitHub notices what is against GitHub's own description, and refuses as GitHub does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.fakes.github_state import Token
from tests.systems.github import NAME, GitHubPlace, github_place

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, {"README.md": "# GitOps\n"}) as place:
        yield place


def send(place: GitHubPlace, method: str, path: str, **more: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {more.pop('token', place.github.token)}"}
    url = place.github.graphql if path == "graphql" else f"{place.github.rest}/repos/{NAME}{path}"
    return requests.request(method, url, headers=headers, json=more.get("json"), timeout=10)


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "/commits?colour=blue", None, "has no parameter colour"),
        ("GET", "/nothing", None, "knows no GET"),
        ("POST", "/git/commits", {"message": "x"}, "'tree' is a required property"),
        ("POST", "graphql", {"query": "query{nothing}"}, "Cannot query field 'nothing'"),
        ("POST", "graphql", {"query": "mutation{updateRefs{nothing}}"}, "nothing"),
    ],
    ids=["parameter", "path", "body", "query", "mutation"],
)
def test_a_question_that_github_does_not_know_fails_the_test(
    place: GitHubPlace, method: str, path: str, body: object, words: str
) -> None:
    """
    What GitHub would not understand is noted, whatever the caller makes of the answer.
    """
    send(place, method, path, json=body)

    assert any(words in one for one in place.github.violations)
    place.github.violations.clear()


def test_a_wrong_answer_of_the_fake_fails_the_test(place: GitHubPlace) -> None:
    """
    The fake cannot answer what GitHub would not.
    """
    place.github.status(NAME, str(place.head()), "build", None)  # type: ignore[arg-type]

    send(place, "GET", "/commits/main/status")

    assert any("None is not of type 'string'" in one for one in place.github.violations)
    place.github.violations.clear()


def test_refuses_as_github_does(place: GitHubPlace) -> None:
    """
    401 for a token that is none, 403 for a missing right, 404 for what a token may not see.
    """
    place.github.tokens |= {"reader": Token({"contents": "read"}), "stranger": Token({})}
    tree = {"base_tree": str(place.head()), "tree": []}

    answers = [
        send(place, "GET", "", token="none"),
        send(place, "POST", "/git/trees", token="reader", json=tree),
        send(place, "GET", "", token="stranger"),
    ]

    assert [answer.status_code for answer in answers] == [401, 403, 404]
    assert answers[1].json()["message"] == "Resource not accessible by integration"


def test_a_pull_request_without_commits_is_closed(place: GitHubPlace) -> None:
    """
    A branch that is set back to its base closes its pull request, as on GitHub.
    """
    place.git.git(NAME, "branch", "side", "main")
    place.commit({"a": "1"}, "side")
    opens = (
        'mutation{createPullRequest(input:{repositoryId:"%s",headRefName:"side",'
        'baseRefName:"main",title:"x"}){clientMutationId}}'
    )
    send(place, "POST", "graphql", json={"query": opens % NAME})
    update = (
        'mutation{updateRefs(input:{repositoryId:"%s",refUpdates:[{name:"refs/heads/side",'
        'afterOid:"%s",force:true}]}){clientMutationId}}'
    )

    send(place, "POST", "graphql", json={"query": update % (NAME, place.head())})

    assert [pull.state for pull in place.about.pulls] == ["CLOSED"]
