"""A repository on a GitHub of its own, and who asks about it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.github import GitHubApi
from gitops_action.adapters.http import Http
from gitops_action.errors import ActionError
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha
from tests.fakes.github import FakeGitHub
from tests.systems.git_server import GitServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.fakes.github_state import Repository

NAME = "acme/gitops"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubPlace:
    """The repository NAME, its server, and a client with the job's token."""

    git: GitServer
    github: FakeGitHub
    http: Http
    cancellation: Cancellation

    def api(self, *, token: str = "", name: str = NAME, patience: float = 5.0) -> GitHubApi:
        return GitHubApi(
            self.http,
            self.cancellation,
            repository=name,
            token=Secret(token or self.github.token),
            rest=self.github.rest,
            graphql=self.github.graphql,
            patience_seconds=patience,
        )

    @property
    def about(self) -> Repository:
        return self.github.about(NAME)

    def head(self, branch: str = "main") -> CommitSha:
        return CommitSha(self.git.head(NAME, branch))

    def commit(self, files: Mapping[str, str | bytes], branch: str = "main") -> CommitSha:
        """Commit as another writer does."""
        return CommitSha(self.git.commit(NAME, files, branch=branch))


@contextmanager
def github_place(folder: Path, files: Mapping[str, str | bytes]) -> Iterator[GitHubPlace]:
    """Start the servers, and end them."""
    with GitServer(folder) as git, FakeGitHub(git) as github:
        git.create(NAME, files)
        cancellation = Cancellation()
        http = Http(cancellation)
        try:
            yield GitHubPlace(git=git, github=github, http=http, cancellation=cancellation)
        finally:
            http.close()


def failure(call: Callable[[], object]) -> ActionError:
    """The error that a call ends with."""
    with pytest.raises(ActionError) as caught:
        call()
    return caught.value
