"""GitHub's API as the GitOps repository: one verified commit, without a clone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.github import GitHubApi, GitHubRepository
from gitops_action.adapters.http import Http
from gitops_action.errors import ActionError
from gitops_action.model.change import Change
from gitops_action.model.identity import GITHUB_ACTIONS
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.pin import Pin
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import PromoteRequest, PromoteResult, promote
from tests.fakes.github import FakeGitHub
from tests.fakes.guard import knowing_nothing
from tests.fakes.kustomize import FakeKustomize
from tests.systems.git_server import GitServer

NAME = "acme/gitops"
FILE = "apps/shop/kustomization.yaml"
TEXT = """\
resources:
- deployment.yaml
- ../base
images:
- name: shop
  newName: ghcr.io/acme/shop
  newTag: "1"
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  template:
    spec:
      containers:
      - name: shop
        image: shop
"""
FILES = {
    FILE: TEXT,
    "apps/shop/deployment.yaml": DEPLOYMENT,
    "apps/base/kustomization.yaml": "resources: []\n",
    "README.md": "# GitOps\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository on a GitHub of its own, and who asks about it."""

    git: GitServer
    github: FakeGitHub
    api: GitHubApi
    repository: GitHubRepository
    cancellation: Cancellation

    def head(self) -> CommitSha:
        return CommitSha(self.git.head(NAME))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with GitServer(tmp_path) as git, FakeGitHub(git) as github:
        git.create(NAME, FILES)
        cancellation = Cancellation()
        http = Http(cancellation)
        api = GitHubApi(
            http,
            cancellation,
            repository=NAME,
            token=Secret(github.token),
            rest=github.rest,
            graphql=github.graphql,
        )
        yield Place(
            git=git,
            github=github,
            api=api,
            repository=GitHubRepository(api),
            cancellation=cancellation,
        )
        http.close()


def change(parent: CommitSha, text: str, path: str = FILE) -> Change:
    return Change(
        parent=parent,
        files={PurePosixPath(path): text.encode()},
        message="Promote shop to 2\n\nSource-Run: 1\n",
        author=GITHUB_ACTIONS,
    )


def failure(call: Callable[[], object]) -> ActionError:
    with pytest.raises(ActionError) as caught:
        call()
    return caught.value


def run(place: Place, tag: str = "2", *files: str) -> PromoteResult:
    image = ImageReference(Repository("ghcr.io/acme/shop"), tag)
    return promote(
        PromoteRequest(
            branch="main",
            kustomizations=tuple(PurePosixPath(file) for file in files or (FILE,)),
            entry="",
            pin=Pin.TAG,
            subject=f"Promote shop to {tag}",
            trailers={"Source-Run": "1"},
            deadline_seconds=10,
        ),
        image,
        repository=place.repository,
        guard=knowing_nothing(image),
        renderer=FakeKustomize(),
        clock=place.cancellation,
        log=HeldLog(),
    )


def test_a_promotion_is_one_verified_commit_with_one_changed_line(place: Place) -> None:
    """
    `delivery: api` changes one line in one commit, which GitHub signs.
    """
    before = place.git.head(NAME)

    result = run(place)

    assert place.git.git(NAME, "diff", "--numstat", before, "main") == f"1\t1\t{FILE}"
    assert result.revision == place.head()
    assert str(result.revision) in place.github.git(NAME).signed
    assert place.git.git(NAME, "log", "-1", "--format=%P %an %B").startswith(
        f"{before} github-actions[bot] Promote shop to 2\n\nSource-Run: 1\nImage: ghcr.io"
    )


def test_a_second_run_changes_nothing(place: Place) -> None:
    """
    What the branch already asks for is not committed again.
    """
    run(place)
    head = place.head()

    result = run(place)

    assert not result.changed
    assert result.revision == head == place.head()


def test_knows_which_commit_contains_which(place: Place) -> None:
    """
    Ancestry comes from the compare API, and what it does not know is said to be unknown.
    """
    first = place.head()
    second = CommitSha(place.git.commit(NAME, {"a": "1"}))

    assert place.repository.contains(first, second) is True
    assert place.repository.contains(second, first) is False
    assert place.repository.contains(first, first) is True
    assert place.repository.contains(CommitSha("a" * 40), second) is None
