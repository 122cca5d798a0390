"""Healthy has to last only as long as the kinds that changed may be late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_action.model.argocd import Operation
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import ApplicationName, Promoted, SyncRequest, WaitFor, sync
from gitops_action.stages.sync.kinds import changed_kinds, may_settle_late
from tests.fakes.applications import BEFORE, OLDER, OURS, URL, application
from tests.fakes.argocd_memory import MemoryApplication
from tests.fakes.wait import Wait
from tests.fakes.waiting import FakeClock, LinearAncestry, LineLog, MemoryArgoCD

DEPLOYMENT = "--- a/overlays/dev Deployment/shop\n+++ b/overlays/dev Deployment/shop\n@@ -1 +1 @@\n"
SECRET = "--- a/x Secret/shop\n+++ b/x Secret/shop\n (not shown: it may hold secrets)\n"
INGRESS = "--- a/my apps/dev Ingress/shop\n+++ b/my apps/dev Ingress/shop\n@@ -1 +1 @@\n"


@pytest.mark.parametrize(
    ("diff", "kinds", "late"),
    [
        (DEPLOYMENT, {"Deployment"}, False),
        (DEPLOYMENT + SECRET, {"Deployment", "Secret"}, False),
        (DEPLOYMENT + INGRESS, {"Deployment", "Ingress"}, True),
        ("", None, True),
        (None, None, True),
        ("no heading", None, True),
    ],
)
def test_what_changed_tells_how_late_health_may_be(
    diff: str | None, kinds: set[str] | None, *, late: bool
) -> None:
    """
    What is not known may be late.
    """
    found = changed_kinds(diff)

    assert found == (None if kinds is None else frozenset(kinds))
    assert may_settle_late(found) is late


@pytest.mark.parametrize(
    ("diff", "seconds"),
    [(DEPLOYMENT, 1), (INGRESS, 10), (None, 10)],
    ids=["usual", "late", "unknown"],
)
def test_a_usual_commit_costs_one_confirming_document(diff: str | None, seconds: float) -> None:
    """
    A fixed settling time would make every rollout ten seconds longer.
    """
    done = Operation(phase="Succeeded", revision=OURS, started_at=BEFORE, finished_at=BEFORE)
    wait = Wait((0, application(operation=done)))
    wait.promoted = replace(wait.promoted, rendered_diff=diff)
    wait.request = replace(wait.request, settle_seconds=10)

    wait.run()

    assert wait.seconds == pytest.approx(seconds, abs=1)


def test_an_application_in_another_namespace_and_project_is_asked_for_there() -> None:
    """
    `namespace/name` and `argocd-project` go with every question.
    """
    clock, commits = FakeClock(), [OLDER]
    shop = MemoryApplication(
        name="shop",
        namespace="team",
        project="team",
        repo_url=URL,
        path="overlays/dev",
        target_revision="HEAD",
        resolve=lambda _: commits[-1],
        images=lambda revision: [revision],
        now=clock.now,
    )
    commits.append(OURS)

    result = sync(
        SyncRequest(
            applications=(ApplicationName("shop", "team"),),
            project="team",
            gitops_url=URL,
            wait_for=WaitFor.HEALTHY,
            timeout_seconds=100,
            settle_seconds=0,
        ),
        Promoted(commit=CommitSha(OURS)),
        argocd=MemoryArgoCD(clock, {"shop": shop}),
        ancestry=LinearAncestry(commits),
        clock=clock,
        log=LineLog(),
    )

    assert str(result.applications[0].name) == "team/shop"
    assert result.applications[0].revision == OURS
