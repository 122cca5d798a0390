"""GitHub's API as the GitOps repository: promotions without a clone."""

from __future__ import annotations

import random
import threading
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.github import GitHubRepository
from gitops_action.errors import (
    GitOpsAccessError,
    KustomizationError,
    PushRefusedError,
)
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.pin import Pin
from gitops_action.stages.promote import PromoteRequest, PromoteResult, promote
from tests.fakes.github_state import REVIEW_NEEDED, RULESET, Token
from tests.fakes.guard import knowing_nothing
from tests.fakes.kustomize import FakeKustomize
from tests.systems.github import NAME, GitHubPlace, failure, github_place

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "apps/shop/kustomization.yaml"
PATH = PurePosixPath(FILE)
TEXT = """\
resources:
- deployment.yaml
- ../base
images:
- name: shop
  newName: ghcr.io/acme/shop
  newTag: "1"
"""
FILES = {
    FILE: TEXT,
    "apps/shop/deployment.yaml": "kind: Deployment\n",
    "apps/base/kustomization.yaml": "resources: []\n",
    "README.md": "# GitOps\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, FILES) as place:
        yield place


@pytest.fixture
def repository(place: GitHubPlace) -> GitHubRepository:
    return GitHubRepository(place.api())


def run(repository: GitHubRepository, name: str = "shop", path: str = "") -> PromoteResult:
    image = ImageReference(Repository(f"ghcr.io/acme/{name}"), "2")
    return promote(
        PromoteRequest(
            branch="main",
            kustomizations=(PurePosixPath(path or f"apps/{name}"),),
            entry="",
            pin=Pin.TAG,
            subject=f"Promote {name} to 2",
            trailers={"Source-Run": "1"},
            deadline_seconds=60.0,
        ),
        image,
        repository=repository,
        guard=knowing_nothing(image),
        renderer=FakeKustomize(),
        clock=Cancellation(),
        log=HeldLog(),
        chance=random.Random(name).random,
    )


def test_a_promotion_is_one_verified_commit_with_one_changed_line(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    `delivery: api` changes one line in one commit, which GitHub signs.
    """
    before = place.head()

    result = run(repository)

    assert place.git.git(NAME, "diff", "--numstat", str(before), "main") == f"1\t1\t{FILE}"
    assert result.revision == place.head()
    assert str(result.revision) in place.github.git(NAME).signed
    assert place.git.git(NAME, "log", "-1", "--format=%P %an %B") == (
        f"{before} github-actions[bot] Promote shop to 2\n\n"
        "Source-Run: 1\nImage: ghcr.io/acme/shop:2"
    )


def test_a_second_run_changes_nothing(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    What the branch already asks for is not committed again.
    """
    first = run(repository)

    second = run(repository)

    assert not second.changed
    assert second.revision == first.revision == place.head()


def test_a_promotion_costs_a_handful_of_requests(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A job's token has a thousand requests an hour: a promotion takes few of them.
    """
    run(repository)

    assert len(place.github.requests) <= 8


def test_a_lost_race_is_no_error(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    Somebody else's commit in between is kept, and the edit is made on it.
    """
    place.about.races.append(lambda: place.commit({"README.md": "# Theirs\n"}))

    result = run(repository)

    assert result.changed
    assert place.git.read(NAME, "README.md") == b"# Theirs\n"
    assert b'newTag: "2"' in place.git.read(NAME, FILE)


def test_promoters_at_once_all_land(place: GitHubPlace) -> None:
    """
    Jobs that promote different applications at once all succeed, one commit each.
    """
    names = [f"app{number}" for number in range(6)]
    place.commit({f"apps/{name}/kustomization.yaml": TEXT.replace("shop", name) for name in names})
    before = place.head()
    threads = [
        threading.Thread(target=run, args=(GitHubRepository(place.api()), name)) for name in names
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert place.git.git(NAME, "rev-list", "--count", f"{before}..main") == "6"
    for name in names:
        assert b'newTag: "2"' in place.git.read(NAME, f"apps/{name}/kustomization.yaml")


@pytest.mark.parametrize("rule", [REVIEW_NEEDED, RULESET], ids=["protection", "ruleset"])
def test_a_rule_is_quoted_and_not_fought(
    place: GitHubPlace, repository: GitHubRepository, rule: tuple[str, str]
) -> None:
    """
    A rule of the branch ends the promotion at once, with the ways out.
    """
    place.about.rules["main"] = rule

    error = failure(lambda: run(repository))

    assert isinstance(error, PushRefusedError)
    assert " ".join(rule[1].split()) in error.message + "."
    assert "delivery: pull-request" in error.hint


def test_a_token_that_may_only_read_is_told_what_it_lacks(place: GitHubPlace) -> None:
    """
    The message names the right to add, as the workflow's YAML has it.
    """
    place.github.tokens["reader"] = Token({"contents": "read"})
    repository = GitHubRepository(place.api(token="reader"))

    error = failure(lambda: run(repository))
    early = failure(lambda: repository.check_push("main"))

    assert isinstance(error, GitOpsAccessError)
    assert "Resource not accessible by integration" in error.message
    assert "permissions:\n  contents: write" in error.hint
    assert isinstance(early, GitOpsAccessError)


def test_executable_files_are_refused(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    A commit through the API would take the executable bit away, so it is not made.
    """
    place.git.commit(NAME, {FILE: TEXT}, modes={FILE: "100755"})
    before = place.head()

    error = failure(lambda: run(repository))

    assert isinstance(error, KustomizationError)
    assert "executable" in error.message
    assert f"git update-index --chmod=-x {FILE}" in error.hint
    assert place.head() == before


def test_a_linked_kustomization_is_edited_where_it_is(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A path through a symbolic link leads to the file that is changed; the link stays.
    """
    place.git.commit(NAME, {"apps/alias": "shop"}, modes={"apps/alias": "120000"})

    result = run(repository, path="apps/alias")

    assert result.files == (PATH,)
    assert place.git.read(NAME, "apps/alias") == b"shop"


def test_a_branch_that_was_deleted_meanwhile_is_told(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A branch that goes away in the middle does not come to life again.
    """
    place.about.races.append(lambda: place.git.git(NAME, "update-ref", "-d", "refs/heads/main"))

    error = failure(lambda: run(repository))

    assert "deleted meanwhile" in error.message
    assert place.git.head(NAME) == ""


def test_answers_what_the_guard_asks(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    Ancestry, trailers and changed files come from the same repository as the commit.
    """
    before = place.head()

    revision = run(repository).revision

    assert repository.contains(before, revision) is True
    assert repository.changed_paths(before, revision) == frozenset({PATH})
    assert [one["Source-Run"] for one in repository.trailers(revision, "Image: ghcr.io/acme")] == [
        "1"
    ]


def test_a_token_that_ends_in_the_middle_is_told(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A token that expires between two attempts ends the promotion with what to do about it.
    """

    def race() -> None:
        place.commit({"README.md": "# Theirs\n"})
        place.github.tokens.clear()

    place.about.races.append(race)

    error = failure(lambda: run(repository))

    assert isinstance(error, GitOpsAccessError)
    assert "Bad credentials" in error.message


def test_a_branch_that_was_set_back_is_promoted_where_it_is_now(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A force push in between is a lost race: what was taken back does not come to life again.
    """
    kept = place.head()
    place.commit({"taken-back": "x"})
    place.about.races.append(
        lambda: place.git.git(NAME, "update-ref", "refs/heads/main", str(kept))
    )

    result = run(repository)

    assert place.git.git(NAME, "log", "--format=%H", "main").split() == [
        str(result.revision),
        str(kept),
    ]
