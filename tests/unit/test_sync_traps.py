"""What others were caught by: each test is one symptom, numbered as in Argo CD's traps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_action.errors import ArgoCDUnavailableError, DegradedError, WaitTimeoutError
from gitops_action.model.argocd import Application, Comparison, Condition, Operation, Resource
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import SyncResult, WaitFor
from tests.fakes.applications import BEFORE, LATER, NEWER, OLDER, OURS, application
from tests.fakes.argocd_memory import Behaviour
from tests.fakes.scene import Scene
from tests.fakes.wait import CONFIRMED, Wait
from tests.fakes.waiting import FakeClock, ScriptedArgoCD

DONE = Operation(phase="Succeeded", revision=OURS, started_at=BEFORE, finished_at=BEFORE)
FAILED = replace(DONE, phase="Failed", message="is invalid")
SOON = LATER + timedelta(seconds=1)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(application(revision=OLDER), id="T1: Synced and Healthy at the old commit"),
        pytest.param(
            application(operation=replace(DONE, finished_at=SOON)),
            id="T2: health from before the operation ended",
        ),
        pytest.param(
            application(operation=replace(DONE, finished_at=LATER)),
            id="T3: compared in the very second in which the operation ended",
        ),
        pytest.param(application(revision="main"), id="T7: a branch for a revision"),
        pytest.param(application(revision="HEAD"), id="T7: HEAD for a revision"),
        pytest.param(application(revision=""), id="T7: no revision"),
        pytest.param(application(revision="1.2.3"), id="T7: a chart's version"),
        pytest.param(application(revision="e" * 40), id="T7: a tag object, not its commit"),
        pytest.param(
            application(
                operation=replace(DONE, phase="Running", finished_at=BEFORE, retries=1),
                operation_requested=True,
            ),
            id="T13: Running with an end waits for a retry",
        ),
        pytest.param(
            application(operation_requested=True, operation=None),
            id="T14: an operation asked for, of which nothing is told yet",
        ),
        pytest.param(
            application(operation=replace(DONE, phase="Running", finished_at=None)),
            id="T14: an operation told of, which is not asked for any more",
        ),
        pytest.param(application(health="Missing"), id="T16: resources that are not there"),
        pytest.param(
            application(sync="OutOfSync", operation=replace(DONE, revision=OLDER)),
            id="T38: somebody synced an older revision by hand",
        ),
        pytest.param(
            application(revision="main", operation=replace(DONE, revision="")),
            id="T39: somebody synced files of their own (`sync --local`)",
        ),
        pytest.param(
            application(compared_to=Comparison()), id="an ApplicationSet has just changed the spec"
        ),
    ],
)
def test_is_not_taken_for_deployed(document: Application) -> None:
    """
    However long it lasts, it is no proof.
    """
    wait = Wait((0, document))
    wait.request = replace(wait.request, timeout_seconds=50)

    with pytest.raises(WaitTimeoutError):
        wait.run()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(application(revision=OURS[:7]), id="T7: targetRevision cut short"),
        pytest.param(application(operation=None), id="T8: no operation, as nothing changed"),
        pytest.param(
            application(operation=replace(FAILED, revision=OLDER)),
            id="T12: an older commit's failure",
        ),
        pytest.param(
            application(conditions=(Condition("SharedResourceWarning", "x"),)),
            id="T17: a resource that another Application owns",
        ),
        pytest.param(
            application(operation=replace(DONE, dry_run=True, finished_at=SOON)),
            id="a dry run moves no comparison",
        ),
    ],
)
def test_is_taken_for_deployed(document: Application) -> None:
    """
    What only looks wrong does not hold up the wait.
    """
    wait = Wait((0, document))

    wait.run()

    assert wait.seconds == CONFIRMED


def test_a_refresh_that_was_swallowed_is_asked_for_again() -> None:
    """
    T4: a reconcile that began before our push clears our refresh, and has not seen our commit.
    """
    scene = Scene(Behaviour(reconcile_seconds=3.0))
    scene.application.refresh()
    scene.later(2)
    scene.commits.append(OURS)

    result = scene.wait()

    assert result.applications[0].revision == OURS
    assert scene.argocd.refreshes >= 2
    assert scene.seconds < 25


def test_a_controller_that_stands_still_ends_at_the_deadline_with_the_reason() -> None:
    """
    T5: no refresh ever returns; not before the deadline, nor after it, it says that nothing
    reconciles.
    """
    scene = Scene()
    scene.argocd.stopped = True
    scene.commits.append(OURS)

    with pytest.raises(WaitTimeoutError) as raised:
        scene.wait(seconds=120)

    assert 120 <= scene.seconds <= 126
    assert "Nothing reconciles" in raised.value.message
    assert "argocd-application-controller" in raised.value.hint


def test_a_cached_error_is_forgotten_once() -> None:
    """
    T18: an error in the manifest cache survives every normal refresh.
    """
    error = "rpc error: Manifest generation error (cached): no such file"
    cached = application(
        sync="Unknown", revision="main", conditions=(Condition("ComparisonError", error),)
    )
    wait = Wait((0, cached), (20, application()))

    wait.run()

    assert [round(when) for when in wait.argocd.hard] == [5]


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks() -> None:
    """
    `Retry-After` is kept, within reason.
    """
    busy = ArgoCDUnavailableError("429", hint="")
    busy.retry_after_seconds = 7.0
    wait = Wait((0, busy), (3, application()))

    wait.run()

    assert [round(when) for when, _ in wait.argocd.asked] == [0, 7, 7]


def test_a_server_that_is_left_alone_costs_no_turns() -> None:
    """
    Meanwhile the wait sleeps, and does not look at the clock twenty times a second.
    """

    class Counting(FakeClock):
        naps = 0

        def sleep(self, seconds: float) -> None:
            self.naps += 1
            super().sleep(seconds)

    busy = ArgoCDUnavailableError("429", hint="")
    busy.retry_after_seconds = 20.0
    clock = Counting()
    wait = Wait()
    wait.clock = clock
    wait.argocd = ScriptedArgoCD(
        clock, [(0.0, application(revision=OLDER)), (0.01, busy), (20.0, application())]
    )

    wait.run()

    assert clock.naps <= 25


def test_a_mirror_that_is_late_is_asked_again() -> None:
    """
    T32: the first answer of a replica is the old commit.
    """
    scene = Scene()
    scene.commits.append(OURS)
    behind = [OLDER]
    scene.application.resolve = lambda _: behind[0]
    scene.at(12, lambda: behind.__setitem__(0, OURS))

    result = scene.wait()

    assert result.applications[0].revision == OURS
    assert scene.seconds < 30


def test_a_paused_rollout_does_not_hang_where_suspended_is_meant() -> None:
    """
    T25: a canary that waits for somebody never gets Healthy by itself.
    """
    wait = Wait((0, application(health="Suspended")))
    wait.request = replace(wait.request, wait_for=WaitFor.SUSPENDED)

    wait.run()

    assert wait.seconds == CONFIRMED


def test_a_moment_of_degraded_is_no_failure() -> None:
    """
    T26: an Ingress, a HorizontalPodAutoscaler, an ExternalSecret begin so.
    """
    wait = Wait((0, application(health="Degraded")), (50, application()))

    wait.run()

    assert wait.seconds == 50 + CONFIRMED


def test_what_was_degraded_before_us_puts_no_old_image_back() -> None:
    """
    T26: a rollout that did not make it worse is not the one to revert.
    """
    sick, sicker = application(revision=OLDER, health="Degraded"), application(health="Degraded")
    wait, healthy_before = (
        Wait((0, sick), (2, sicker)),
        Wait((0, application(revision=OLDER)), (2, sicker)),
    )

    partials = []
    for one in (wait, healthy_before):
        with pytest.raises(DegradedError) as raised:
            one.run()
        partials.append(raised.value.partial)

    assert [isinstance(one, SyncResult) and one.rollout_failed for one in partials] == [False, True]


def test_the_default_deadline_outlasts_a_deployment_s_own() -> None:
    """
    T27: a Deployment says only after 10 minutes that it makes no progress.
    """
    slow = application(health="Progressing")
    wait = Wait((0, slow), (605, replace(slow, health="Degraded")))

    with pytest.raises(DegradedError):
        wait.run()

    assert wait.seconds < 900


def test_a_parent_s_health_says_nothing_about_its_children() -> None:
    """
    T29: an Application of Applications is Healthy at once: that is said.
    """
    child = Resource(group="argoproj.io", kind="Application", name="shop-eu", sync="Synced")
    wait = Wait((0, application(resources=(child,))))

    wait.run()

    assert "shop-eu" in wait.log.annotations[0]
    assert "argocd-applications" in wait.log.annotations[0]


def test_an_older_document_after_a_newer_one_begins_the_count_anew() -> None:
    """
    T30: two API servers may be of different age.
    """
    script = [
        (0.0, application()),
        (0.1, application(revision=OLDER)),
        (3.0, application(revision=NEWER)),
    ]
    wait = Wait(*script)

    wait.run()

    assert wait.seconds >= 3 + CONFIRMED


def test_a_commit_that_git_never_hears_of_is_waited_for() -> None:
    """
    T33: after a push with force the revision may be one that nobody can place.
    """
    wait = Wait((0, application(revision="e" * 40)), (40, application()))

    wait.run()

    assert wait.seconds >= 40


def test_an_application_made_anew_is_judged_anew() -> None:
    """
    T37: what was seen of the deleted one proves nothing.
    """
    wait = Wait((0, application()), (0.1, application(uid="2")))

    wait.run()

    assert wait.seconds == 2 * CONFIRMED


def test_what_is_waited_for_is_the_commit_of_the_gitops_repository() -> None:
    """
    T35: Argo CD never shows a commit of the Go application.
    """
    wait = Wait((0, application()))

    wait.run()

    assert wait.promoted.commit == CommitSha(OURS)
    assert wait.log.lines == ["shop: Synced and Healthy at 9d0f7e3"]
