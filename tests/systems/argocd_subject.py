"""An Argo CD to hold to its contract: the fake one, and the real one where it runs."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes.argocd import FakeArgoCD
from tests.systems.argocd import STARTED, Installation
from tests.systems.deployments import DeploymentController
from tests.systems.git_server import GitServer
from tests.systems.rollout import rollout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FAKE, REAL = "fake", "real"
# The real one takes part beside `tests/argocd/serve.py` only.
KINDS = (FAKE, REAL) if STARTED in os.environ else (FAKE,)
_FIRST = "0" * 40


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An Argo CD with one Application of the project default, healthy and not doing anything.

    `push` makes a commit that changes its manifests; `tokens` are those of the accounts ci (get and
    sync), reader (get) and nobody.
    """

    url: str
    tokens: Mapping[str, str]
    name: str
    repo_url: str
    push: Callable[[], str]


@contextmanager
def subject(kind: str, worker: str) -> Iterator[Subject]:
    """Give one of KINDS; `worker` tells the Applications of test processes apart."""
    with _real(worker) if kind == REAL else _fake() as one:
        yield one


@contextmanager
def _fake() -> Iterator[Subject]:
    commits, url = [_FIRST], "http://git/acme/gitops.git"

    def push() -> str:
        commits.append(f"{len(commits):040x}")
        return commits[-1]

    with FakeArgoCD() as fake:
        application = fake.add_application(
            "hello-gitops", repo_url=url, resolve=lambda _: commits[-1]
        )
        application.nodes += [
            {"kind": kind, "name": "shop", "uid": kind} for kind in ("Deployment", "Service")
        ]
        tokens = fake.tokens
        yield Subject(url=fake.url, tokens=tokens, name="hello-gitops", repo_url=url, push=push)


@contextmanager
def _real(worker: str) -> Iterator[Subject]:
    installation = Installation.started()
    with (
        tempfile.TemporaryDirectory() as folder,
        GitServer(Path(folder)) as git,
        rollout(installation, git, f"hello-gitops-{worker}") as one,
        DeploymentController(one.kubernetes, one.name),
    ):
        one.settle()
        numbers = iter(range(1, 1000))
        yield Subject(
            url=installation.url,
            tokens=installation.tokens,
            name=one.name,
            repo_url=one.url,
            push=lambda: one.bump(f"1.{next(numbers)}.0"),
        )
