"""Which tags an image gets."""

from __future__ import annotations

import pytest

from gitops_action.tags import resolve_tags
from tests.fakes.runs import SHA, context_of


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        (("sha", "latest"), (SHA.value, "latest")),
        (("latest", "sha-short"), ("9d0f7e3", "latest")),
        (("branch", "v1"), ("v1", "main")),
        (("sha", "sha"), (SHA.value,)),
    ],
)
def test_tags_that_never_move_come_first(words: tuple[str, ...], tags: tuple[str, ...]) -> None:
    """
    The kustomization gets a tag that will always name this image.
    """
    assert resolve_tags(words, context_of(), SHA).names == tags


def test_latest_stays_on_the_default_branch() -> None:
    """
    A feature branch never takes `latest` away.
    """
    tags = resolve_tags(("sha", "latest"), context_of(ref_name="feature/x"), SHA)

    assert tags.names == (SHA.value,)
    assert "default branch" in tags.notices[0]


def test_a_branch_is_folded_into_the_grammar_of_tags() -> None:
    """
    `feature/ünï` can be a tag's name all the same.
    """
    tags = resolve_tags(("sha", "branch"), context_of(ref_name=".feature/ünï/x"), SHA)

    assert tags.names == (SHA.value, "feature-n-x")


@pytest.mark.parametrize(
    ("ref", "names"),
    [
        ("v1.2.3", ("1.2.3", "1.2", "1")),
        ("1.2.3-rc.1", ("1.2.3-rc.1",)),
        ("v1.2.3+build.5", ("1.2.3_build.5", "1.2", "1")),
    ],
)
def test_a_version_moves_its_shorter_forms(ref: str, names: tuple[str, ...]) -> None:
    """
    `v1.2.3` is 1.2.3, 1.2 and 1; a pre-release moves none of them.
    """
    assert resolve_tags(("semver",), context_of(ref_type="tag", ref_name=ref), SHA).names == names


def test_a_run_without_branch_or_version_leaves_their_tags_out() -> None:
    """
    One workflow can serve pushes and releases.
    """
    on_tag = resolve_tags(("sha", "branch"), context_of(ref_type="tag", ref_name="v1"), SHA)
    on_branch = resolve_tags(("sha", "semver"), context_of(), SHA)

    assert on_tag.names == on_branch.names == (SHA.value,)
    assert on_tag.notices
    assert on_branch.notices


@pytest.mark.parametrize(
    ("word", "said"), [("1.0+x", "'1.0_x' would do"), (".dot", "letters"), ("a" * 129, "128")]
)
def test_an_impossible_tag_is_refused(word: str, said: str) -> None:
    """
    A tag that no registry takes is found before anything is built.
    """
    tags = resolve_tags((word,), context_of(), SHA)

    assert said in tags.problems[0]


def test_some_tag_must_never_move() -> None:
    """
    A kustomization that names `latest` deploys nothing new.
    """
    tags = resolve_tags(("latest", "branch"), context_of(), SHA)

    assert "never moves" in tags.problems[0]
