"""The rollouts that were recorded on real Argo CDs, judged document by document."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_action.model.argocd_document import parse_application
from gitops_action.model.source import CommitSha
from gitops_action.model.wait import WaitFor
from gitops_action.stages.sync.lineage import Lineage
from gitops_action.stages.sync.memory import Memory
from gitops_action.stages.sync.verdict import judge
from gitops_action.stages.sync.view import Goal, State
from tests.fakes.applications import OURS, URL
from tests.fakes.waiting import LinearAncestry

FIXTURES = Path(__file__).parents[1] / "fixtures" / "argocd"
GOAL = Goal(commit=CommitSha(OURS), gitops_url=URL, wait_for=WaitFor.HEALTHY, settle_seconds=0)


def _replayed(name: str, push: int = 0) -> list[State]:
    """The states of a recorded rollout of its `push`-th push, each once."""
    transcript = json.loads((FIXTURES / f"{name}.json").read_text())
    moments = [(one["t"], one["body"]) for one in transcript["documents"] if one["status"] == 200]
    documents = [(moment, parse_application(body)) for moment, body in moments]
    pushed = [mark["sha"] for mark in transcript["marks"] if mark["event"] == "pushed"]
    seen = dict.fromkeys(document.revision for _, document in documents)
    older = [one for one in seen if len(one) == 40 and one not in pushed]
    ours = CommitSha((pushed or older)[push])
    goal = replace(GOAL, commit=ours, gitops_url=documents[0][1].source.repo_url)
    lineage = Lineage(ours, LinearAncestry(older + pushed), lambda: 0.0)
    memory, said = Memory(), []
    for moment, document in documents:
        verdict = judge(document, memory, goal=goal, lineage=lineage, now=moment)
        memory = verdict.memory
        said.append(verdict.state)
    return [state for state, _ in itertools.groupby(said)]


REVISION, COMPARE, OPERATION = State.REVISION, State.COMPARE, State.OPERATION
SYNC, RECONCILE, HEALTH, SETTLE = State.SYNC, State.RECONCILE, State.HEALTH, State.SETTLE


@pytest.mark.parametrize(
    ("name", "push", "expected"),
    [
        pytest.param(
            "3.6.1/bump-to-healthy", 0, [REVISION, OPERATION, RECONCILE], id="bump on 3.6"
        ),
        pytest.param(
            "3.2.11/bump-to-healthy",
            0,
            [REVISION, OPERATION, RECONCILE, HEALTH, SETTLE],
            id="bump on 3.2",
        ),
        pytest.param("3.6.1/commit-outside-the-path", 0, [REVISION, SETTLE], id="outside the path"),
        pytest.param(
            "3.6.1/comparison-error-then-mended",
            0,
            [REVISION, COMPARE, OPERATION, RECONCILE],
            id="broken kustomization",
        ),
        pytest.param(
            "3.6.1/two-pushes-in-a-row",
            0,
            [REVISION, OPERATION, RECONCILE, OPERATION, RECONCILE],
            id="overtaken",
        ),
        pytest.param(
            "3.6.1/two-pushes-in-a-row",
            1,
            [REVISION, RECONCILE, OPERATION, RECONCILE],
            id="overtaking",
        ),
        pytest.param(
            "3.6.1/blocked-then-terminated",
            1,
            [REVISION, OPERATION, RECONCILE],
            id="blocked by an older commit",
        ),
        pytest.param(
            "3.6.1/degraded-then-reverted",
            0,
            [REVISION, OPERATION, RECONCILE, OPERATION, RECONCILE],
            id="degraded",
        ),
        pytest.param("3.2.11/sync-failed-then-mended", 0, [REVISION, OPERATION], id="sync retried"),
        pytest.param(
            "3.2.11/manual-sync", 0, [COMPARE, SYNC, OPERATION, RECONCILE], id="manual sync"
        ),
    ],
)
def test_replays_what_argocd_did(name: str, push: int, expected: list[State]) -> None:
    """
    No recorded document is taken for a rollout that had not ended.
    """
    assert _replayed(name, push) == expected
