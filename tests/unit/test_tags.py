"""Which tags an image gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_action.tags import resolve_tags
from tests.fakes.runs import COMMIT, SHA, context_of


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
    assert resolve_tags(words, context_of(), COMMIT).names == tags


def test_latest_stays_on_the_default_branch() -> None:
    """
    A feature branch never takes `latest` away.
    """
    tags = resolve_tags(("sha", "latest"), context_of(ref_name="feature/x"), COMMIT)

    assert tags.names == (SHA.value,)
    assert "default branch" in tags.notices[0]


def test_a_branch_is_folded_into_the_grammar_of_tags() -> None:
    """
    `feature/ünï` can be a tag's name all the same.
    """
    tags = resolve_tags(("sha", "branch"), context_of(ref_name=".feature/ünï/x"), COMMIT)

    assert tags.names == (SHA.value, "feature-n-x")


@pytest.mark.parametrize(
    ("branch", "owner"),
    [
        ("1.2.3", "a version's"),
        ("v1.2.3-rc.1", "a version's"),
        ("9d0f7e4", "a commit's"),
        ("0" * 40, "a commit's"),
        ("latest", "the default branch's"),
    ],
)
def test_a_branch_takes_no_tag_that_others_rely_on(branch: str, owner: str) -> None:
    """
    A branch called `1.2.3` overwrote the release that a kustomization names, as its tag may move.
    """
    tags = resolve_tags(("sha", "branch"), context_of(ref_name=branch), COMMIT)

    assert tags.names == (SHA.value,)
    assert tags.notices == (f"The tag `{{branch}}` is left out: `{branch}` is {owner}.",)


@pytest.mark.parametrize("branch", ["1.2", "release-1.2.3", "20240101", "defaced-"])
def test_other_branches_may_look_like_anything(branch: str) -> None:
    """
    A branch for a series of versions, or of a day, has its tag.
    """
    tags = resolve_tags(("sha", "branch"), context_of(ref_name=branch), COMMIT)

    assert tags.names == (SHA.value, branch)


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
    assert (
        resolve_tags(("semver",), context_of(ref_type="tag", ref_name=ref), COMMIT).names == names
    )


def test_a_run_without_branch_or_version_leaves_their_tags_out() -> None:
    """
    One workflow can serve pushes and releases.
    """
    on_tag = resolve_tags(("sha", "branch"), context_of(ref_type="tag", ref_name="v1"), COMMIT)
    on_branch = resolve_tags(("sha", "semver"), context_of(), COMMIT)

    assert on_tag.names == on_branch.names == (SHA.value,)
    assert on_tag.notices
    assert on_branch.notices


@pytest.mark.parametrize(
    ("word", "tag", "moves"),
    [
        ("{sha-short}-{run-number}", "9d0f7e3-7", False),
        ("v-{sha}", f"v-{SHA}", False),
        ("{branch}-{date}", "main-2023-11-14", True),
        ("{branch}", "main", True),
        ("1.0.{date}", "1.0.2023-11-14", True),
        ("2023.11", "2023.11", False),
    ],
)
def test_fields_are_filled_in(word: str, tag: str, *, moves: bool) -> None:
    """
    A text names the commit, the run, the branch or the commit's day; only the first two never move.
    """
    tags = resolve_tags((word, "sha"), context_of(run_number="7"), COMMIT)

    assert tag in tags.names
    assert (tag in tags.moving) is moves


def test_a_text_without_its_branch_is_left_out() -> None:
    """
    A run for a git tag has no branch, and no tag that is named after one.
    """
    context = context_of(ref_type="tag", ref_name="v1.2.3")

    tags = resolve_tags(("{branch}-{sha}", "semver"), context, COMMIT)

    assert tags.names == ("1.2.3", "1.2", "1")
    assert "`{branch}-{sha}` is left out" in tags.notices[0]


def test_a_long_branch_is_cut_and_the_rest_is_kept() -> None:
    """
    What makes a tag unique is never what gets lost.
    """
    context = context_of(ref_name="b" * 300)

    tags = resolve_tags(("{branch}-{sha-short}",), context, COMMIT)

    assert tags.names == ("b" * 120 + "-9d0f7e3",)


def test_an_unknown_field_is_refused() -> None:
    """
    A typing error in a field is found before anything is built, with the fields that exist.
    """
    tags = resolve_tags(("{commit}",), context_of(), COMMIT)

    assert "`{commit}` is no field" in tags.problems[0]
    assert "`{sha-short}`" in tags.problems[0]


@pytest.mark.parametrize(
    ("ref_name", "event", "prerelease", "moves"),
    [
        ("v1.2.3", "push", False, True),
        ("v1.2.3-rc.1", "push", False, False),
        ("spring", "push", False, False),
        ("spring", "release", False, True),
        ("spring", "release", True, False),
        ("v1.2.3", "release", True, False),
    ],
)
def test_latest_follows_releases(
    ref_name: str, event: str, *, prerelease: bool, moves: bool
) -> None:
    """
    A release moves `latest`, and a pre-release does not.
    """
    context = context_of(ref_type="tag", ref_name=ref_name, event=event)

    tags = resolve_tags(("sha", "latest"), replace(context, prerelease=prerelease), COMMIT)

    assert ("latest" in tags.moving) is moves


@pytest.mark.parametrize(
    ("word", "said"), [("1.0+x", "'1.0_x' would do"), (".dot", "letters"), ("a" * 129, "128")]
)
def test_an_impossible_tag_is_refused(word: str, said: str) -> None:
    """
    A tag that no registry takes is found before anything is built.
    """
    tags = resolve_tags((word,), context_of(), COMMIT)

    assert said in tags.problems[0]


def test_some_tag_must_never_move() -> None:
    """
    A kustomization that names `latest` deploys nothing new.
    """
    tags = resolve_tags(("latest", "branch"), context_of(), COMMIT)

    assert "never moves" in tags.problems[0]
