"""A run that our own promotion has started builds nothing."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from gitops_action.model.source import CommitSha
from gitops_action.outcome import Outcome, Result, State
from gitops_action.pipeline import run
from gitops_action.plan import make_plan
from tests.fakes.gitops import FakeCommit
from tests.fakes.runs import SHA, context_of, everything, plan_of
from tests.fakes.world import KUSTOMIZATION, OVERLAY, World

DEPLOYED = CommitSha("c" * 40)
PROMOTION, FAILED = CommitSha("d" * 40), CommitSha("e" * 40)
OTHER = "overlays/prod/kustomization.yaml"
REVERT = f"Revert\n\nReverts: {PROMOTION}\nImage: ghcr.io/acme/shop:{DEPLOYED}\n"


@pytest.fixture
def world() -> World:
    """The branch asks for the image of DEPLOYED; only the kustomization has changed since."""
    world = World()
    world.gitops.write(OVERLAY, KUSTOMIZATION.replace("0000000", DEPLOYED.value))
    world.gitops.changed = {DEPLOYED: {OVERLAY}}
    return world


def _commit(world: World, sha: CommitSha, text: str = "", message: str = "") -> None:
    """Let the repository have a commit with another kustomization, of this text."""
    files = dict(world.gitops.commits[world.gitops.tip].files)
    if text:
        files[PurePosixPath(OTHER)] = text.encode(errors="surrogateescape")
    parent = world.gitops.tip if sha != world.gitops.tip else None
    world.gitops.commits[sha] = FakeCommit(files, parent, message)


def _run(world: World, **given: str) -> Outcome:
    return run(plan_of(**given), systems=world.systems(), log=world.log)


def _built(outcome: Outcome) -> bool:
    return {run.name: run.state for run in outcome.runs}["build"] is not State.SKIPPED


@pytest.mark.parametrize("others", [set(), {OTHER}])
def test_our_own_push_is_not_built(world: World, others: set[str]) -> None:
    """
    With a token that starts workflows, or after the merge of a pull request, there is no loop.
    """
    world.gitops.changed = {DEPLOYED: {OVERLAY, *others}}
    _commit(world, DEPLOYED, KUSTOMIZATION)
    _commit(world, SHA, KUSTOMIZATION.replace("0000000", DEPLOYED.value))

    outcome = _run(world)

    assert outcome.result is Result.UNCHANGED
    assert not _built(outcome)
    assert world.gitops.pushed == []
    assert str(outcome.image) == f"ghcr.io/acme/shop:{DEPLOYED}"
    assert outcome.sync is not None
    assert any("Nothing is built" in note.message for note in world.log.annotations)


@pytest.mark.parametrize(
    "changed",
    [{OVERLAY, "main.go"}, {"main.go"}, set()],
    ids=["code and kustomization", "code", "nothing"],
)
def test_a_change_of_the_code_is_built(world: World, changed: set[str]) -> None:
    """
    Code that comes together with a promotion is not forgotten; the same commit again is verified.
    """
    world.gitops.changed = {DEPLOYED: changed}

    outcome = _run(world)

    assert _built(outcome)
    assert outcome.promote is not None
    assert outcome.promote.changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (KUSTOMIZATION, KUSTOMIZATION.replace("../../base", "../base")),
        (KUSTOMIZATION, "a fixture: ["),
        (KUSTOMIZATION, ""),
        ("", KUSTOMIZATION),
        (KUSTOMIZATION, "\udcff"),
    ],
    ids=["another field", "broken", "removed", "new", "no text"],
)
def test_a_kustomization_that_is_a_source_is_built(world: World, before: str, after: str) -> None:
    """
    A program that embeds a kustomization, or tests with one, was never built after its change.
    """
    world.gitops.changed = {DEPLOYED: {OVERLAY, OTHER}}
    _commit(world, DEPLOYED, before)
    _commit(world, SHA, after)

    outcome = _run(world)

    assert _built(outcome)


def _reverted(world: World, message: str = REVERT, source: str = str(FAILED)) -> None:
    """Let the run's commit be the one that took back the promotion of FAILED."""
    world.gitops.changed = {
        DEPLOYED: {OVERLAY, "main.go"},
        FAILED: {OVERLAY},
        PROMOTION: {OVERLAY},
    }
    _commit(world, PROMOTION, message=f"Promote\n\nSource-Commit: {source}\nImage: shop:e\n")
    _commit(world, SHA)
    world.gitops.commits[world.gitops.tip].message = message


def test_a_revert_of_ours_is_not_built(world: World) -> None:
    """
    The code whose rollout failed was built, promoted and taken back again without end.
    """
    _reverted(world)

    outcome = _run(world)

    assert outcome.result is Result.UNCHANGED
    assert not _built(outcome)
    assert world.gitops.pushed == []
    assert any("run the job of eeeeeee again" in note.message for note in world.log.annotations)


@pytest.mark.parametrize(
    "given",
    [
        {"message": "Revert\n\nReverts: #12\n"},
        {"message": REVERT.replace(DEPLOYED.value, "f" * 40)},
        {"source": "unknown"},
    ],
    ids=["by hand", "and promoted since", "of nobody knows what"],
)
def test_another_revert_is_built(world: World, given: dict[str, str]) -> None:
    """
    Only our own, and only as long as the branch asks for what it put back.
    """
    _reverted(world, **given)

    outcome = _run(world)

    assert _built(outcome)


@pytest.mark.parametrize("mended", ["main.go", OVERLAY])
def test_a_change_after_a_revert_is_built(world: World, mended: str) -> None:
    """
    What is mended, in the code or in its kustomization, gets its rollout.
    """
    _reverted(world)
    for since in (FAILED, PROMOTION):
        world.gitops.changed[since] = {OVERLAY, mended}
    world.gitops.commits[SHA].files[PurePosixPath(OVERLAY)] += b"namePrefix: mended-\n"

    outcome = _run(world)

    assert _built(outcome)


def _rolled_back(world: World, image: str) -> None:
    """Let the run's commit have the code of FAILED, whose image was rolled back to `image`."""
    world.gitops.changed = {DEPLOYED: {OVERLAY, "main.go"}, FAILED: {OVERLAY}}
    world.gitops.commits[
        world.gitops.tip
    ].message = f"Promote\n\nImage: {image}\nDowngrade-From: ghcr.io/acme/shop:{FAILED}\n"


@pytest.mark.parametrize("pin", ["tag", "digest"])
def test_a_rollback_is_not_undone_by_its_own_commit(world: World, pin: str) -> None:
    """
    The commit that went back to an older image started the run that promoted the newer one again.
    """
    if pin == "digest":
        asked = KUSTOMIZATION.replace('newTag: "0000000"', f"digest: sha256:{'a' * 64}")
        world.gitops.write(OVERLAY, asked)
    _rolled_back(world, f"ghcr.io/acme/shop:{DEPLOYED}@sha256:{'a' * 64}")

    outcome = _run(world)

    assert outcome.result is Result.UNCHANGED
    assert not _built(outcome)
    assert world.gitops.pushed == []


@pytest.mark.parametrize("image", [f"ghcr.io/acme/shop:{FAILED}", f"ghcr.io/acme/other:{DEPLOYED}"])
def test_what_was_not_rolled_back_is_built(world: World, image: str) -> None:
    """
    A rollback of another image, or one that was followed by a promotion, holds nothing up.
    """
    _rolled_back(world, image)

    outcome = _run(world)

    assert _built(outcome)


def test_code_after_a_rollback_is_built(world: World) -> None:
    """
    What mends the newer version is rolled out.
    """
    _rolled_back(world, f"ghcr.io/acme/shop:{DEPLOYED}")
    world.gitops.changed[FAILED] = {OVERLAY, "main.go"}

    outcome = _run(world)

    assert _built(outcome)


@pytest.mark.parametrize("text", ["v1", "", "images: ["], ids=["tag", "none", "broken"])
def test_what_is_not_known_is_built(world: World, text: str) -> None:
    """
    An unknown image is no reason to build nothing, and a broken file is told by the preflight.
    """
    new = KUSTOMIZATION.replace('newTag: "0000000"', f"newTag: {text}" if text else "")
    world.gitops.write(OVERLAY, "images: [" if text == "images: [" else new)

    outcome = _run(world)

    assert outcome.runs[0].state is not State.SKIPPED
    assert _built(outcome)


@pytest.mark.parametrize(
    "context",
    [{"event": "workflow_dispatch"}, {"ref_name": "next"}, {"ref_type": "tag"}],
    ids=["by hand", "another branch", "a tag"],
)
def test_only_a_push_to_the_branch_can_be_our_own(world: World, context: dict[str, str]) -> None:
    """
    Whoever starts the workflow by hand, or for a version, wants it to build.
    """
    plan = make_plan(everything(gitops_branch="main"), context_of(**context))

    outcome = run(plan, systems=world.systems(), log=world.log)

    assert not plan.may_be_echo
    assert _built(outcome)


def test_a_cancelled_run_does_not_go_on_to_build(world: World) -> None:
    """
    What ends the run ends it here too.
    """
    world.cancellation.cancel("the run was cancelled")

    outcome = _run(world)

    assert outcome.failure is not None
    assert outcome.failure.code == "cancelled"
    assert not world.docker.built


def test_the_commit_of_a_push_is_ours() -> None:
    """
    The plan knows when a promotion may come back.
    """
    assert plan_of().may_be_echo
    assert plan_of().promote is not None
    assert str(SHA) in str(plan_of().image)
