"""A failed rollout is taken back only where nobody has promoted anything since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_action.errors import ArgoCDLoginError
from gitops_action.model.argocd import Application
from gitops_action.model.source import CommitSha
from gitops_action.outcome import Outcome, Result, last_line
from gitops_action.pipeline import run
from gitops_action.report import outputs
from gitops_action.summary import summary
from tests.fakes.argocd_memory import Behaviour
from tests.fakes.runs import SHA, plan_of
from tests.fakes.waiting import MemoryArgoCD
from tests.fakes.world import KUSTOMIZATION, OVERLAY, World

OLD = CommitSha("c" * 40)
OURS = KUSTOMIZATION.replace("0000000", SHA.value)


class FailingWorld(World):
    """Our image never becomes healthy; every other one does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.application.behaviour = Behaviour(degraded="CrashLoopBackOff", sick=SHA.value)

    def run(self, **given: str) -> Outcome:
        plan = plan_of(on_failed_rollout="revert", **given)
        return run(plan, systems=self.systems(), log=self.log)


class ForgetfulArgoCD(MemoryArgoCD):
    """Knows the token until something was promoted."""

    def __init__(self, world: World) -> None:
        super().__init__(world.cancellation, {"shop": world.application})
        self.world = world

    def application(  # noqa: PLR0913  what Argo CD is asked with
        self,
        name: str,
        namespace: str = "",
        *,
        project: str = "",
        refresh: bool = False,
        hard: bool = False,
        timeout: float = 10.0,
    ) -> Application:
        if self.world.gitops.pushed:
            raise ArgoCDLoginError("The token is not known any more.", hint="Give a new one.")
        return super().application(
            name, namespace, project=project, refresh=refresh, hard=hard, timeout=timeout
        )


@pytest.fixture
def world() -> FailingWorld:
    return FailingWorld()


def test_the_old_image_comes_back(world: FailingWorld) -> None:
    """
    The cluster runs what it ran before, the step is red, and the report says both.
    """
    outcome = world.run()

    assert outcome.result is Result.REVERTED
    assert outcome.failure is not None
    assert outcome.failure.code == "degraded"
    assert world.gitops.text(OVERLAY) == KUSTOMIZATION
    assert outcome.reverted is not None
    assert outcome.reverted.revision == world.gitops.tip
    assert world.application.health == "Healthy"
    assert outputs(outcome)["result"] == "reverted"
    assert outcome.runs[-1].name == "revert"
    assert "❌ Reverted" in summary(outcome)
    assert "has put the old image back" in last_line(outcome)


def test_the_revert_says_what_it_reverts(world: FailingWorld) -> None:
    """
    `git log` tells a revert from a promotion, and the guard still knows the commit of each.
    """
    old = KUSTOMIZATION.replace("0000000", OLD.value)
    world.gitops.write(OVERLAY, old)

    outcome = world.run()

    promoted = outcome.promote
    assert promoted is not None
    assert world.gitops.commits[world.gitops.tip].message == (
        f'Revert "Promote shop to {SHA}"\n\nSource-Repository: acme/shop\n'
        "Source-Run: https://github.com/acme/shop/actions/runs/42/attempts/1\n"
        f"Reverts: {promoted.revision}\nSource-Commit: {OLD}\nImage: ghcr.io/acme/shop:{OLD}\n"
    )


def test_a_newer_image_is_left_alone(world: FailingWorld) -> None:
    """
    What somebody promoted in between is not taken back with ours.
    """
    newer = OURS.replace(SHA.value, "d" * 40)

    world.gitops.races = [lambda _: None, lambda it: it.write(OVERLAY, newer)]

    outcome = world.run()

    assert outcome.result is Result.FAILED
    assert outcome.reverted is None
    assert world.gitops.text(OVERLAY) == newer
    assert any("by now, made from ddddddd" in note.message for note in world.log.annotations)


@pytest.mark.parametrize(
    "text",
    [
        KUSTOMIZATION.replace('    newTag: "0000000"  # the deployed one\n', ""),
        KUSTOMIZATION.replace("    newName: ghcr.io/acme/shop\n", ""),
    ],
    ids=["no image before", "a new name"],
)
def test_what_cannot_be_put_back_is_said(world: FailingWorld, text: str) -> None:
    """
    The first promotion has nothing to go back to, and a half revert is none.
    """
    world.gitops.write(OVERLAY, text)

    outcome = world.run(kustomize_name="shop")

    assert outcome.result is Result.FAILED
    assert outcome.failure is not None
    assert outcome.failure.code == "degraded"
    assert len(world.gitops.pushed) == 1
    assert any(note.title == "kustomization" for note in world.log.annotations)


def test_an_old_image_that_fails_too_is_said(world: FailingWorld) -> None:
    """
    `reverted` is only said of a cluster that is well again.
    """
    world.application.behaviour = Behaviour(degraded="CrashLoopBackOff")

    outcome = world.run()

    assert outcome.result is Result.FAILED
    assert world.gitops.text(OVERLAY) == KUSTOMIZATION
    assert len([note for note in world.log.annotations if note.title == "degraded"]) == 1


def test_keep_leaves_the_branch_alone(world: FailingWorld) -> None:
    """
    Without being asked, nothing is taken back.
    """
    outcome = run(plan_of(), systems=world.systems(), log=world.log)

    assert outcome.result is Result.FAILED
    assert world.gitops.text(OVERLAY) == OURS


def test_only_a_failed_rollout_is_taken_back(world: FailingWorld) -> None:
    """
    An Argo CD that cannot be asked is no reason to touch what it deploys.
    """
    systems = replace(world.systems(), argocd=ForgetfulArgoCD(world))

    outcome = run(plan_of(on_failed_rollout="revert"), systems=systems, log=world.log)

    assert outcome.failure is not None
    assert outcome.failure.code == "argocd-login"
    assert world.gitops.text(OVERLAY) == OURS
