"""Every way a run can end, with real git, registry, Go and ko, and without a container."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.argocd_memory import Behaviour
from tests.fakes.github import FakeGitHub

if TYPE_CHECKING:
    from tests.e2e.conftest import World

REPOSITORY = "acme/hello-gitops"
KUSTOMIZATION = "kustomize/overlays/dev/kustomization.yaml"
ZEROS = "0" * 40


def _without_wait(world: World, **given: str) -> dict[str, str]:
    inputs = world.inputs(stages="promote", wait_for="nothing", **given)
    names = ("argocd-server", "argocd-token", "argocd-applications", "wait-timeout")
    return {name: value for name, value in inputs.items() if name not in names}


def _commit(world: World, text: str) -> str:
    """Let the source have one more commit, and its image be in the registry."""
    world.git.commit(REPOSITORY, {"NEWS.md": text.encode()})
    head = world.git.head(REPOSITORY)
    world.publish(head)
    return head


def _asked(world: World) -> str:
    return world.git.read(REPOSITORY, KUSTOMIZATION).decode()


@pytest.mark.parametrize("event", ["push", "release"])
def test_promoted_without_a_wait(laptop: World, tmp_path: Path, event: str) -> None:
    """
    `promoted` says that the branch asks for the image, and no more; a tag promotes too.
    """
    head = _commit(laptop, "one")
    tag = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1", "GITHUB_REF": "refs/tags/v1"}
    more = {"GITHUB_EVENT_NAME": event} | (tag if event == "release" else {})

    status, log, outputs = laptop.run_here(_without_wait(laptop), tmp_path / "run", more)

    assert (status, outputs["result"]) == (0, "promoted"), log
    assert outputs["gitops-commit"] == laptop.git.head(REPOSITORY)
    assert head in _asked(laptop)


def test_published_without_a_kustomization(laptop: World, tmp_path: Path) -> None:
    """
    An image alone ends as `published`.
    """
    inputs = laptop.ko(stages="build publish")
    for name in ("kustomizations", "argocd-server", "argocd-token", "argocd-applications"):
        del inputs[name]
    del inputs["wait-timeout"]

    status, log, outputs = laptop.run_here(inputs, tmp_path / "run")

    assert (status, outputs["result"]) == (0, "published"), log
    assert outputs["digest"] == laptop.digest(laptop.git.head(REPOSITORY)) != ""


def test_an_older_commit_is_superseded(laptop: World, tmp_path: Path) -> None:
    """
    The slow run of an older commit writes nothing over the newer one, and is green.
    """
    _commit(laptop, "one")
    with laptop.started_here(_without_wait(laptop, dry_run="true"), tmp_path / "old") as step:
        step.communicate(timeout=60)
    newer = _commit(laptop, "two")
    laptop.run_here(_without_wait(laptop), tmp_path / "new")
    before = laptop.git.head(REPOSITORY)

    status, log, outputs = laptop.run_here(laptop.inputs(stages="promote sync"), tmp_path / "old")

    assert (status, outputs["result"]) == (0, "superseded"), log
    assert "gitops-commit" not in outputs
    assert "contains our commit" in log
    assert laptop.git.head(REPOSITORY) == before
    assert newer in _asked(laptop)


def test_a_dry_run_writes_nowhere(laptop: World, tmp_path: Path) -> None:
    """
    Git server, registry and Argo CD see questions, and not one write.
    """
    before = laptop.git.head(REPOSITORY)

    status, log, outputs = laptop.run_here(laptop.ko(dry_run="true"), tmp_path / "run")

    assert (status, outputs["result"], outputs["changed"]) == (0, "verified", "false"), log
    assert outputs["tag"] == before
    assert f'-    newTag: "{ZEROS}"' in log
    assert f'+    newTag: "{before}"' in log
    assert laptop.git.head(REPOSITORY) == before
    assert not [
        one for one in laptop.git.requests if one.startswith("POST") and "receive-pack" in one
    ]
    assert laptop.digest(before) == laptop.digest("latest") == ""
    assert {one.split()[0] for one in laptop.argocd.requests} == {"GET"}
    assert not [one for one in laptop.argocd.requests if "refresh" in one]


def test_a_rollback_is_the_promotion_of_an_older_image(laptop: World, tmp_path: Path) -> None:
    """
    The old version is named and comes back, once the downgrade is asked for.
    """
    old = _commit(laptop, "one")
    _commit(laptop, "two")
    laptop.run_here(_without_wait(laptop), tmp_path / "new")
    inputs = laptop.inputs(
        stages="promote sync", image=f"{laptop.registry.address}/{REPOSITORY}:{old}"
    )

    _, _, refused = laptop.run_here(inputs, tmp_path / "back")
    status, log, outputs = laptop.run_here({**inputs, "allow-downgrade": "true"}, tmp_path / "back")

    assert refused["result"] == "superseded"
    assert (status, outputs["result"]) == (0, "healthy"), log
    assert old in _asked(laptop)
    assert "Downgrade-From: " in laptop.git.git(REPOSITORY, "log", "-1", "--format=%B", "main")


def test_a_failed_rollout_is_reverted(laptop: World, tmp_path: Path) -> None:
    """
    The old image is back and healthy, and the step is red.
    """
    old = _commit(laptop, "one")
    laptop.run_here(_without_wait(laptop), tmp_path / "old")
    new = _commit(laptop, "two")
    laptop.application.behaviour = Behaviour(degraded="CrashLoopBackOff", sick=new)

    status, log, outputs = laptop.run_here(
        laptop.inputs(stages="promote sync", on_failed_rollout="revert"), tmp_path / "new"
    )

    assert (status, outputs["result"], outputs["failure"]) == (1, "reverted", "degraded"), log
    assert old in _asked(laptop)
    assert laptop.application.health == "Healthy"


def test_our_own_promotion_is_not_built_again(laptop: World, tmp_path: Path) -> None:
    """
    The run that a promotion starts ends as `unchanged`, without a test or a build.
    """
    head = _commit(laptop, "one")
    laptop.run_here(_without_wait(laptop), tmp_path / "first")
    before = laptop.git.head(REPOSITORY)

    status, log, outputs = laptop.run_here(laptop.ko(), tmp_path / "echo")

    assert (status, outputs["result"]) == (0, "unchanged"), log
    assert "Nothing is built" in log
    assert outputs["tag"] == head
    assert "tests-passed" not in outputs
    assert laptop.git.head(REPOSITORY) == before


def test_a_pull_request_is_proposed(laptop: World, tmp_path: Path) -> None:
    """
    The branch stays as it is, and the output names the pull request.
    """
    head = _commit(laptop, "one")
    with FakeGitHub(laptop.git) as github:
        more = {"GITHUB_API_URL": github.rest, "GITHUB_GRAPHQL_URL": github.graphql}
        inputs = laptop.inputs(
            stages="promote sync", delivery="pull-request", github_token=github.token
        )

        status, log, outputs = laptop.run_here(inputs, tmp_path / "run", more)

    assert (status, outputs["result"]) == (0, "proposed"), log
    assert outputs["pull-request-url"].endswith("/pull/1")
    assert "gitops-commit" not in outputs
    assert laptop.git.head(REPOSITORY) == head
    assert ZEROS in _asked(laptop)
