"""The wait: when it asks, what it says, when it is done."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gitops_action.errors import (
    WaitTimeoutError,
)
from gitops_action.model.argocd import Operation, Resource
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import (
    ApplicationName,
    Promoted,
    SyncRequest,
    SyncResult,
    WaitFor,
    sync,
)
from tests.fakes.applications import BEFORE, LATER, NEWER, OLDER, OURS, URL, application
from tests.fakes.argocd_memory import Behaviour, MemoryApplication
from tests.fakes.wait import CONFIRMED, Wait
from tests.fakes.waiting import FakeClock, LinearAncestry, LineLog, MemoryArgoCD

OLD_ONE = application(revision=OLDER)
RUNNING = Operation(phase="Running", revision=OURS, started_at=BEFORE)


FAILED = Operation(
    phase="Failed",
    revision=OURS,
    started_at=BEFORE,
    finished_at=LATER,
    message="one or more objects failed to apply",
    failed=(Resource(kind="Service", name="shop", sync="SyncFailed", message="port is invalid"),),
)


def test_is_done_when_a_second_document_confirms() -> None:
    """
    A commit that is deployed already costs one poll.
    """
    wait = Wait((0, application()))

    result = wait.run()

    (shop,) = result.applications
    assert (shop.revision, shop.sync, shop.health) == (OURS, "Synced", "Healthy")
    assert shop.url == "https://argocd.example.com/applications/argocd/shop"
    assert wait.seconds == CONFIRMED
    assert wait.log.lines == ["shop: Synced and Healthy at 9d0f7e3"]


def test_synced_needs_no_second_document() -> None:
    """
    Where health does not matter, one proof is enough.
    """
    wait = Wait((0, application(health="Progressing")))
    wait.request = replace(wait.request, wait_for=WaitFor.SYNCED)

    wait.run()

    assert wait.seconds == 0


def test_waits_for_nothing() -> None:
    """
    `wait-for: nothing` asks Argo CD nothing.
    """
    wait = Wait((0, OLD_ONE))
    wait.request = replace(wait.request, wait_for=WaitFor.NOTHING)

    assert wait.run() == SyncResult(())
    assert wait.argocd.asked == []


def test_a_descendant_counts_and_is_named() -> None:
    """
    A newer commit on the branch contains ours, which will never show by itself.
    """
    wait = Wait((0, application(revision=NEWER)))

    result = wait.run()

    assert result.applications[0].revision == NEWER
    assert wait.log.lines == ["shop: Synced and Healthy at ccccccc, which contains 9d0f7e3"]


def test_refreshes_at_once_and_then_less_and_less() -> None:
    """
    Argo CD is asked to look at git, and not overwhelmed.
    """
    wait = Wait((0, OLD_ONE), (100, application()))

    wait.run()

    refreshes = [round(when) for when, refresh in wait.argocd.asked if refresh]
    assert refreshes == [0, 5, 10, 20, 50, 80]


def test_asks_each_second_then_less_often() -> None:
    """
    The first minute is watched closely, an hour is not.
    """
    wait = Wait((0, application(health="Progressing")))

    with pytest.raises(WaitTimeoutError):
        wait.run()

    asked = [when for when, _ in wait.argocd.asked]
    pauses = [(when, after - when) for when, after in itertools.pairwise(asked)]
    assert max(pause for when, pause in pauses if when < 60) <= 1
    assert max(pause for when, pause in pauses if 62 < when < 300) <= 2
    assert max(pause for when, pause in pauses if when > 305) == 5


def test_asks_for_the_comparison_after_the_operation_a_second_later() -> None:
    """
    Where both times are of one second, one refresh settles it.
    """
    done = Operation(phase="Succeeded", revision=OURS, started_at=BEFORE, finished_at=LATER)
    stale = application(operation=done, reconciled_at=LATER)
    wait = Wait(
        (0, stale), (1, application(operation=done, reconciled_at=datetime.max.replace(tzinfo=UTC)))
    )

    wait.run()

    assert (1.0, True) in wait.argocd.asked
    assert wait.seconds == 1 + CONFIRMED


def test_says_each_change_once_and_that_it_is_alive() -> None:
    """
    The log has one line for each change and one a minute in between.
    """
    wait = Wait(
        (0, OLD_ONE),
        (3, application(sync="OutOfSync", operation=RUNNING, operation_requested=True)),
        (130, application()),
    )

    wait.run()

    assert wait.log.lines == [
        "shop: Synced at 4be1c2a, which does not contain 9d0f7e3 yet",
        "shop: operation Running at 9d0f7e3",
        "shop: operation Running at 9d0f7e3 (58s)",
        "shop: operation Running at 9d0f7e3 (1m 54s)",
        "shop: Synced and Healthy at 9d0f7e3",
    ]


def test_an_old_failure_of_another_commit_is_not_ours() -> None:
    """
    What failed before our commit says nothing about it.
    """
    failed = replace(FAILED, revision=OLDER)
    wait = Wait((0, application(sync="OutOfSync", operation=failed)), (10, application()))

    wait.run()

    assert wait.seconds == 10 + CONFIRMED


def test_an_older_operation_that_blocks_is_named() -> None:
    """
    Five silent minutes behind somebody else's broken commit are explained.
    """
    blocking = replace(RUNNING, revision=OLDER, message="Service is invalid. Retrying attempt #1.")
    wait = Wait((0, application(sync="OutOfSync", operation=blocking)), (10, application()))

    wait.run()

    assert wait.log.lines[0] == (
        "shop: operation Running at 4be1c2a, which does not contain 9d0f7e3:"
        " Service is invalid. Retrying attempt #1."
    )


def test_waits_for_several_applications_in_one_loop() -> None:
    """
    Ten Applications take as long as the slowest one.
    """
    clock, head = FakeClock(), [OLDER]
    names = [f"shop-{number}" for number in range(10)]
    applications = {
        name: MemoryApplication(
            name=name,
            repo_url=URL,
            path="overlays/dev",
            target_revision="main",
            resolve=lambda _: head[0],
            images=lambda revision: [revision],
            now=clock.now,
            behaviour=Behaviour(rollout_seconds=number),
        )
        for number, name in enumerate(names)
    }
    head[0] = OURS
    begun = clock.now

    result = sync(
        SyncRequest(
            applications=tuple(ApplicationName(name) for name in names),
            gitops_url=URL,
            wait_for=WaitFor.HEALTHY,
            timeout_seconds=300,
            settle_seconds=0,
        ),
        Promoted(commit=CommitSha(OURS)),
        argocd=MemoryArgoCD(clock, applications),
        ancestry=LinearAncestry([OLDER, OURS]),
        clock=clock,
        log=LineLog(),
    )

    assert [str(one.name) for one in result.applications] == names
    assert {(one.sync, one.health, one.revision) for one in result.applications} == {
        ("Synced", "Healthy", OURS)
    }
    assert clock.now - begun < 25
