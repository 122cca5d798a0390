"""The fake GitHub is held to what GitHub publishes about its API, and that can fail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from gitops_action.adapters.github import branches, pull_requests, required_checks
from tests.fakes.github_description import example, graphql_schema, violations

ROOT = Path(__file__).parents[2]
STATUS = "/components/schemas/simple-commit-status"
REST = ROOT / "tests/fakes/github_rest.py"
DOCUMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": text
    for module in (branches, pull_requests, required_checks)
    for name, text in vars(module).items()
    if isinstance(text, str) and text.lstrip().startswith(("query", "mutation"))
}


@pytest.mark.parametrize("schema", sorted(set(re.findall(r'_of\(\s*"([\w-]+)"', REST.read_text()))))
def test_what_the_fake_fills_in_is_as_described(schema: str) -> None:
    """
    The parts of an answer that no test looks at are as GitHub describes them.
    """
    pointer = f"/components/schemas/{schema}"

    assert violations(pointer, example(pointer)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("state", None), ("state", 1), ("target_url", 5), ("created_at", None)],
)
def test_an_answer_against_the_description_is_found(name: str, value: object) -> None:
    """
    A wrong type, or a null where none is allowed, does not pass for an answer of GitHub.
    """
    wrong = {**example(STATUS), name: value}

    assert len(violations(STATUS, wrong)) == 1


def test_a_missing_field_is_found() -> None:
    """
    An answer that lacks what GitHub always gives does not pass.
    """
    status = example(STATUS)
    del status["context"]

    assert "'context' is a required property" in violations(STATUS, status)[0]


def test_a_null_is_allowed_where_github_says_so() -> None:
    """
    OpenAPI's own way to allow a null is understood.
    """
    assert violations(STATUS, {**example(STATUS), "description": None}) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_our_questions_are_valid(name: str) -> None:
    """
    Every question to GraphQL asks for what GitHub's schema has.
    """
    assert validate(graphql_schema(), parse(DOCUMENTS[name])) == []


def test_a_question_about_nothing_is_found() -> None:
    """
    A field that GitHub does not have is no valid question.
    """
    question = parse('query{repository(owner:"a",name:"b"){nothing}}')

    assert "Cannot query field 'nothing'" in validate(graphql_schema(), question)[0].message
