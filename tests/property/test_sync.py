"""The wait against a model of Argo CD: thousands of rollouts, their interleavings at random."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings

from gitops_action.errors import (
    ArgoCDUnavailableError,
    ComparisonError,
    RolledBackError,
    SyncError,
)
from gitops_action.stages.sync import WaitFor, sync
from tests.fakes.rollouts import SOURCES, Push, Rollout
from tests.fakes.waiting import LineLog, MemoryArgoCD

# 400 rollouts in `make test`, 40,000 in `make long`; in parts, so that they can run side by side.
PARTS = 8
ROLLOUTS = settings().max_examples * 4 // PARTS
# Far above the sum of what a rollout can take: a wait that ends here hangs.
HANGS_SECONDS = 890


@pytest.mark.parametrize("part", range(PARTS))
def test_never_says_deployed_before_it_is(part: int) -> None:
    """
    Green means deployed, whatever happened in between; red is true too, and no wait hangs.
    """
    for number in range(part * ROLLOUTS, (part + 1) * ROLLOUTS):
        rollout = Rollout(random.Random(number))

        verdict = _verdict(rollout)

        said = f"rollout {number}: {verdict}"
        assert _is_true(verdict, rollout), said
        assert rollout.clock.now - rollout.begun < HANGS_SECONDS, said


def _verdict(rollout: Rollout) -> str:
    try:
        result = sync(
            rollout.request,
            rollout.promoted,
            argocd=rollout.argocd,
            ancestry=rollout.ancestry,
            clock=rollout.clock,
            log=LineLog(),
            sources=SOURCES,
        )
    except (SyncError, ComparisonError, RolledBackError) as error:
        return error.code
    if result.superseded:
        return "superseded"
    return "healthy" if rollout.request.wait_for is WaitFor.HEALTHY else "synced"


def _is_true(verdict: str, rollout: Rollout) -> bool:
    match verdict:
        case "superseded":
            return rollout.was_replaced_by(Push.NEWER)
        case "rolled-back":
            return rollout.was_replaced_by(Push.OLDER)
        case "sync-failed":
            return any(one.sha in rollout.broken for one in rollout.followed())
        case "comparison-failed":
            return any(one.sha in rollout.unrendered for one in rollout.followed())
        case _:
            return rollout.was_deployed(healthy=verdict == "healthy")


@pytest.mark.parametrize("part", range(PARTS))
def test_the_model_catches_a_rule_that_looks_at_no_revision(part: int) -> None:
    """
    The model is hard enough: the naive rule (Synced, Healthy, no operation) is wrong in
    more than a third of its rollouts.
    """
    wrong = sum(
        not _naive(Rollout(random.Random(number)))
        for number in range(part * ROLLOUTS, (part + 1) * ROLLOUTS)
    )

    assert wrong > ROLLOUTS // 3


def _naive(rollout: Rollout) -> bool:
    """Whether what the naive rule takes for deployed is."""
    for _ in range(450):
        if _looks_deployed(rollout.argocd):
            return rollout.was_deployed(healthy=True)
        rollout.clock.sleep(2)
    return True


def _looks_deployed(argocd: MemoryArgoCD) -> bool:
    try:
        document = argocd.application("shop")
    except ArgoCDUnavailableError:
        return False
    idle = not document.operation_requested
    return idle and document.sync == "Synced" and document.health == "Healthy"
