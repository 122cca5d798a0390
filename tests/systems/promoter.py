"""Promoters over real git: clones of a GitOps repository, and the server that they are of."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.git import Git, GitOpsClone
from gitops_action.errors import (
    ActionError,
)
from gitops_action.model.change import Change
from gitops_action.model.identity import GITHUB_ACTIONS
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.pin import Pin
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import Guard, PromoteRequest, PromoteResult, promote
from tests.fakes.guard import knowing_nothing
from tests.fakes.kustomize import FakeKustomize
from tests.systems.git_server import GitServer

if TYPE_CHECKING:
    from collections.abc import Callable


NAME = "acme/gitops"
FILE = "apps/shop/kustomization.yaml"
PATH = PurePosixPath(FILE)
TEXT = "images:\n- name: ghcr.io/acme/shop\n  newTag: v1\n"
NEW = TEXT.replace("v1", "v2")
DEADLINE_SECONDS = 300.0
UNREACHABLE = "http://127.0.0.1:1/acme/gitops.git"


@dataclass
class Place:
    """A folder for clones, and the server that they are clones of."""

    folder: Path
    server: GitServer
    path: str = field(default_factory=lambda: os.environ["PATH"])
    cancellation: Cancellation = field(default_factory=Cancellation)
    count: int = 0

    def clone(
        self,
        *,
        token: str | None = None,
        url: str = "",
        env: dict[str, str] | None = None,
        signing_key: str = "",
    ) -> GitOpsClone:
        self.count += 1
        directory = self.folder / f"clone-{self.count}"
        directory.mkdir()
        return GitOpsClone(
            Git(
                url=url or self.server.url(NAME),
                token=Secret(self.server.token if token is None else token),
                directory=directory,
                cancellation=self.cancellation,
                env={"PATH": self.path, **(env or {})},
            ),
            signing_key=Secret(signing_key),
        )


def edit(parent: CommitSha, path: PurePosixPath, text: str) -> Change:
    return Change(
        parent=parent, files={path: text.encode()}, message="Promote\n", author=GITHUB_ACTIONS
    )


def change(
    clone: GitOpsClone, branch: str = "main", text: str = NEW
) -> tuple[CommitSha, CommitSha]:
    """Make a commit that is not pushed; return it and its parent."""
    head = clone.head(branch)
    return clone.commit(edit(head, PATH, text)), head


def run(  # noqa: PLR0913  a test names what it changes
    clone: GitOpsClone,
    name: str = "shop",
    file: str = FILE,
    *,
    tag: str = "v2",
    branch: str = "main",
    subject: str = "",
    guard: Guard | None = None,
    seed: str = "",
    log: HeldLog | None = None,
) -> PromoteResult:
    """Promote as a job does; `seed` is what its waits are drawn from."""
    request = PromoteRequest(
        branch=branch,
        kustomizations=(PurePosixPath(file),),
        entry="",
        pin=Pin.TAG,
        subject=subject or f"Promote {name} to {tag}",
        trailers={"Source-Repository": "acme/shop"},
        deadline_seconds=DEADLINE_SECONDS,
    )
    image = ImageReference(Repository(f"ghcr.io/acme/{name}"), tag)
    return promote(
        request,
        image,
        repository=clone,
        guard=guard or knowing_nothing(image),
        renderer=FakeKustomize(),
        clock=Cancellation(),
        log=log or HeldLog(),
        chance=random.Random(seed or name).random,
    )


def failure(call: Callable[[], object]) -> ActionError:
    """The error that `call` ends with."""
    with pytest.raises(ActionError) as caught:
        call()
    return caught.value
