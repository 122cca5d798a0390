"""GitHub's API and a clone, asked the same about the same commit, answer the same."""

from __future__ import annotations

import itertools
import random
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.github import GitHubRepository
from gitops_action.errors import ActionError
from gitops_action.kustomization.sources import gather
from tests.systems.github import GitHubPlace, github_place
from tests.systems.promoter import NAME, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitops_action.kustomization import Snapshot
    from gitops_action.model.source import CommitSha

FOLDERS = ("", "apps", "apps/shop", "apps/shop/base", "lib", "lib/x y", "ü")
NAMES = ("kustomization.yaml", "deployment.yaml", "Kustomization", "run.sh", "alias")
TARGETS = ("shop", "../lib", "base/deployment.yaml", "..", "../../..", "nothing", "/etc/passwd")
REFERENCES = ("deployment.yaml", "base", "../lib", "alias", "alias/base", "../..", "nothing", "ü")


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path / "git", {"README.md": "# GitOps\n"}) as place:
        yield place


@pytest.mark.parametrize("seed", range(4))
def test_reads_as_a_clone_reads(tmp_path: Path, github: GitHubPlace, seed: int) -> None:
    """
    Files, folders, links, errors, and what a kustomization refers to, do not depend on the way.
    """
    head = grow(github, random.Random(seed))
    clone = Place(tmp_path, github.git).clone()
    clone.head("main")
    api = GitHubRepository(github.api())
    paths = [PurePosixPath(one) / name for one in FOLDERS for name in ("", *NAMES, *REFERENCES)]

    for path in paths:
        assert answers(api, head, path) == answers(clone, head, path)
        assert gathered(api, head, path) == gathered(clone, head, path)


def answers(tree: Snapshot, head: CommitSha, path: PurePosixPath) -> list[object]:
    """What a tree says about a path."""
    asks: list[Callable[[], object]] = [
        lambda: tree.link(head, path),
        lambda: tree.read(head, path),
        lambda: sorted(tree.list(head, path)),
        lambda: tree.modes(head, [str(path)]).get(str(path)),
    ]
    return [told(ask) for ask in asks]


def gathered(tree: Snapshot, head: CommitSha, path: PurePosixPath) -> object:
    """What a kustomization in the folder refers to."""
    return told(lambda: gather(tree, head, [path]))


def told(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except ActionError as error:
        return type(error), error.message


def grow(github: GitHubPlace, chance: random.Random) -> CommitSha:
    """Commit files, executables and links, some of them kustomizations that refer to others."""
    files: dict[str, str | bytes] = {}
    modes: dict[str, str] = {}
    for folder, name in itertools.product(FOLDERS, NAMES):
        path = f"{folder}/{name}".lstrip("/")
        if chance.random() < 0.4:
            continue
        mode = "120000" if name == "alias" else chance.choice(("100644", "100755"))
        modes[path] = mode
        references = "".join(f"- {one}\n" for one in chance.sample(REFERENCES, 4))
        text = f"resources:\n{references}"
        files[path] = chance.choice(TARGETS) if mode == "120000" else text
    github.git.commit(NAME, files, modes=modes)
    return github.head()
