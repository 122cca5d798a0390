"""What a run does where the image exists, is older, is there already, or may not be written."""

from __future__ import annotations

import pytest

from gitops_action.model.source import CommitSha
from gitops_action.outcome import Outcome, Result, State
from gitops_action.pipeline import run
from gitops_action.plan import Plan
from tests.fakes.builders import digest_of
from tests.fakes.runs import SHA, plan_of
from tests.fakes.world import KUSTOMIZATION, OVERLAY, World

IMAGE = f"ghcr.io/acme/shop:{SHA}"


@pytest.fixture
def world() -> World:
    return World()


def _run(world: World, plan: Plan | None = None) -> Outcome:
    return run(plan or plan_of(), systems=world.systems(), log=world.log)


def _states(outcome: Outcome) -> dict[str, str]:
    return {stage.name: stage.state.value for stage in outcome.runs}


def test_an_image_of_an_earlier_job_can_be_promoted(world: World) -> None:
    """
    One job builds, another one promotes.
    """
    world.registry.tags[IMAGE] = digest_of("e")

    outcome = _run(world, plan_of(stages="promote sync"))

    assert outcome.result is Result.HEALTHY
    assert str(outcome.image) == f"{IMAGE}@{digest_of('e')}"
    assert world.docker.built == []


def test_an_older_commit_is_superseded(world: World) -> None:
    """
    The slow run of an older commit stays green, writes nothing, and waits for nothing.
    """
    newer = CommitSha("c" * 40)
    world.source.add(SHA, newer)
    world.gitops.write(OVERLAY, KUSTOMIZATION.replace("0000000", newer.value))

    outcome = _run(world)

    assert outcome.result is Result.SUPERSEDED
    assert outcome.failure is None
    assert world.gitops.pushed == []
    assert _states(outcome)["sync"] == State.SKIPPED
    assert newer.value in world.gitops.text(OVERLAY)


@pytest.mark.parametrize("label", [True, False])
def test_an_image_that_exists_knows_its_own_commit(world: World, *, label: bool) -> None:
    """
    A rollback is guarded and recorded by the commit of its image, not by that of its run.
    """
    built = CommitSha("c" * 40)
    tag = "v1" if label else built.value
    world.registry.tags[f"ghcr.io/acme/shop:{tag}"] = digest_of("e")
    world.registry.revisions = {digest_of("e"): built} if label else {}

    outcome = _run(world, plan_of(stages="promote sync", image=f"ghcr.io/acme/shop:{tag}"))

    assert outcome.result is Result.HEALTHY
    assert f"\nSource-Commit: {built}\n" in world.gitops.commits[world.gitops.tip].message


def test_a_rollback_needs_to_be_asked_for(world: World) -> None:
    """
    An older image goes back into the branch with `allow-downgrade`, and not without.
    """
    old, new = CommitSha("c" * 40), CommitSha("d" * 40)
    world.source.add(old, new)
    world.gitops.write(OVERLAY, KUSTOMIZATION.replace("0000000", new.value))
    world.registry.tags["ghcr.io/acme/shop:v1"] = digest_of("e")
    world.registry.revisions = {digest_of("e"): old}
    step = {"stages": "promote sync", "image": "ghcr.io/acme/shop:v1"}

    refused = _run(world, plan_of(**step))
    done = _run(world, plan_of(**step, allow_downgrade="true"))

    assert refused.result is Result.SUPERSEDED
    assert done.result is Result.HEALTHY
    assert f"Downgrade-From: ghcr.io/acme/shop:{new}" in (
        world.gitops.commits[world.gitops.tip].message
    )


def test_a_digest_means_exactly_that_image(world: World) -> None:
    """
    What a moved tag names by now is never promoted in place of the image that was named.
    """
    image = f"ghcr.io/acme/shop:v1@{digest_of('a')}"
    world.registry.tags["ghcr.io/acme/shop:v1"] = digest_of("e")
    world.registry.tags["ghcr.io/acme/shop:other"] = digest_of("a")

    by_tag = _run(world, plan_of(stages="promote sync", image=image))
    by_both = _run(world, plan_of(stages="promote sync", image=image, pin="tag+digest"))

    assert by_tag.failure is not None
    assert f"names {digest_of('e')} by now" in by_tag.failure.message
    assert by_both.result is Result.HEALTHY
    assert str(by_both.image) == image


@pytest.mark.parametrize("pin", ["tag", "digest", "tag+digest"])
def test_a_dry_run_writes_nowhere(world: World, pin: str) -> None:
    """
    Tests and build run, the change is shown, and registry, branch and Argo CD stay as they were.
    """
    head = world.gitops.tip

    outcome = _run(world, plan_of(dry_run="true", pin=pin))

    assert outcome.failure is None
    assert outcome.result is Result.VERIFIED
    assert _states(outcome)["build"] == State.PASSED
    assert outcome.promote is not None
    assert outcome.promote.diff
    assert outcome.promote.rendered_diff
    assert world.gitops.tip == head
    assert world.registry.tags == {}
    assert len(world.docker.discarded) == 1


def test_an_image_that_is_not_there_is_not_promoted(world: World) -> None:
    """
    Argo CD is never pointed at an image that nobody pushed.
    """
    outcome = _run(world, plan_of(stages="promote sync"))

    assert outcome.failure is not None
    assert outcome.failure.code == "registry"
    assert world.gitops.pushed == []
