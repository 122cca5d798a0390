"""One real Argo CD for all tests, and Applications of a test's own."""

from __future__ import annotations

import itertools
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.systems.argocd import Installation
from tests.systems.deployments import DeploymentController
from tests.systems.git_server import GitServer
from tests.systems.processes import Processes
from tests.systems.rollout import Rollout, rollout
from tests.systems.waiting import Waiting, clone_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def installation() -> Installation:
    return Installation.started()


@pytest.fixture(scope="session")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Processes of the test's own."""
    with Processes(tmp_path) as some:
        yield some


class Deploy(Protocol):
    def __call__(self, **options: Any) -> tuple[Rollout, DeploymentController]:  # noqa: ANN401
        """Make an Application with tag `1.0.0` deployed and healthy; `options` as of `rollout`."""


@pytest.fixture
def deploy(
    request: pytest.FixtureRequest, installation: Installation, git: GitServer
) -> Iterator[Deploy]:
    numbers = itertools.count(1)
    words = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    with ExitStack() as stack:

        def make(**options: Any) -> tuple[Rollout, DeploymentController]:  # noqa: ANN401
            name = f"{words[:40].strip('-')}-{next(numbers)}"
            where = options.pop("installation", installation)
            one = stack.enter_context(rollout(where, git, name, **options))
            controller = stack.enter_context(DeploymentController(one.kubernetes, name))
            if options.get("sync_policy") != {}:
                one.settle()
            return one, controller

        yield make


class Wait(Protocol):
    def __call__(self, commit: str, *rollouts: Rollout, **options: Any) -> Waiting:  # noqa: ANN401
        """Begin a wait, with `options` as of Waiting."""


@pytest.fixture
def wait(tmp_path: Path) -> Wait:
    numbers = itertools.count()

    def begin(commit: str, *rollouts: Rollout, **options: Any) -> Waiting:  # noqa: ANN401
        clone = clone_of(rollouts[0], tmp_path / f"clone-{next(numbers)}")
        return Waiting(commit, *rollouts, clone=clone, **options)

    return begin
