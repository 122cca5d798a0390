"""The ways onto a branch with rules: real git over HTTP, and a GitHub that answers as published."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.git import Git, GitOpsClone
from gitops_action.adapters.github import GitHubRepository, PullRequests, RequiredChecks
from gitops_action.model.delivery import Delivery
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.pin import Pin
from gitops_action.model.secret import Secret
from gitops_action.stages.promote import Ending, GitHub, PromoteRequest, PromoteResult, promote
from tests.fakes.guard import knowing_nothing
from tests.fakes.kustomize import FakeKustomize
from tests.systems.git_server import PULL_REQUEST_RULE, RULE_VIOLATION
from tests.systems.github import NAME, GitHubPlace, github_place

FILE = "apps/shop/kustomization.yaml"
OLD = "images:\n- name: ghcr.io/acme/shop\n  newTag: v1\n"
NEW = OLD.replace("v1", "v2")
PROPOSAL = "gitops-action/main/shop"
REQUEST = PromoteRequest(
    branch="main",
    kustomizations=(PurePosixPath("apps/shop"),),
    entry="",
    pin=Pin.TAG,
    subject="Promote shop to v2",
    trailers={"Source-Repository": "acme/shop"},
    deadline_seconds=60.0,
    delivery=Delivery.AUTO,
    proposal=PROPOSAL,
    labels=("deploy",),
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path / "servers", {FILE: OLD}) as place:
        yield place


def run(place: GitHubPlace, folder: Path, request: PromoteRequest = REQUEST) -> PromoteResult:
    """Promote through a clone, with GitHub's API beside it."""
    api = place.api()
    branches = GitHubRepository(api)
    image = ImageReference(Repository("ghcr.io/acme/shop"), "v2")
    folder.mkdir()
    clone = GitOpsClone(
        Git(
            url=place.git.url(NAME),
            token=Secret(place.git.token),
            directory=folder,
            cancellation=Cancellation(),
            env={"PATH": os.environ["PATH"]},
        )
    )
    return promote(
        request,
        image,
        repository=clone if request.delivery.clones else branches,
        github=GitHub(branches=branches, pulls=PullRequests(api), checks=RequiredChecks(api)),
        guard=knowing_nothing(image),
        renderer=FakeKustomize(),
        clock=Cancellation(),
        log=HeldLog(),
    )


def test_a_branch_without_rules_is_pushed_to(place: GitHubPlace, tmp_path: Path) -> None:
    """
    `auto` costs nothing where nothing is in the way.
    """
    result = run(place, tmp_path / "clone")

    assert result.ending is Ending.PROMOTED
    assert place.head() == result.revision
    assert place.git.read(NAME, FILE).decode() == NEW


def test_a_branch_that_wants_signatures_gets_a_commit_of_github(
    place: GitHubPlace, tmp_path: Path
) -> None:
    """
    The push is refused, and GitHub signs the same change.
    """
    place.git.refuse_pushes(NAME, RULE_VIOLATION)

    result = run(place, tmp_path / "clone")

    assert result.ending is Ending.PROMOTED
    assert place.head() == result.revision
    assert place.git.read(NAME, FILE).decode() == NEW


def test_a_branch_that_wants_reviews_gets_a_pull_request(
    place: GitHubPlace, tmp_path: Path
) -> None:
    """
    One pull request carries the change, a second run leaves it as it is, a newer head moves it.
    """
    place.git.refuse_pushes(NAME, PULL_REQUEST_RULE)
    before = place.head()

    first = run(place, tmp_path / "one")
    second = run(place, tmp_path / "two")

    assert first.ending is second.ending is Ending.PROPOSED
    assert first.revision == second.revision == place.head(PROPOSAL)
    assert first.pull_request is not None
    assert second.pull_request is not None
    assert first.pull_request.number == second.pull_request.number
    assert place.head() == before
    assert place.git.git(NAME, "diff", "--numstat", "main", PROPOSAL) == f"1\t1\t{FILE}"


def test_the_merge_commit_is_what_is_waited_for(place: GitHubPlace, tmp_path: Path) -> None:
    """
    A pull request that merges itself ends as promoted, at the commit that the branch got.
    """
    request = replace(REQUEST, delivery=Delivery.PULL_REQUEST, auto_merge=True, wait_seconds=30.0)
    place.about.auto_merge_allowed, place.about.merge_state = True, "CLEAN"

    result = run(place, tmp_path / "clone", request)

    assert result.ending is Ending.PROMOTED
    assert result.revision == place.head()
    assert place.git.read(NAME, FILE).decode() == NEW
