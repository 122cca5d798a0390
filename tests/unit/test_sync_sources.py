"""Which source decides, and whose health counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_action.errors import (
    ApplicationError,
    ArgoCDUnavailableError,
    SyncError,
    WaitTimeoutError,
)
from gitops_action.model.argocd import Application, Comparison, Operation, Resource, Source
from gitops_action.model.wait import ResourcePattern, parse_resource_pattern
from gitops_action.stages.sync import ApplicationName, WaitFor
from tests.fakes.applications import BEFORE, LATER, NEWER, OLDER, OURS, URL, application
from tests.fakes.wait import CONFIRMED, Wait

GIT = Source(repo_url=URL, target_revision="main", path="overlays/dev")
REF = Source(repo_url=URL, target_revision="main", ref="values")
PINNED = Source(repo_url=URL, target_revision=OLDER, ref="values")
CHART = Source(repo_url="https://charts.example.com", chart="redis", target_revision="1.0.0")
OTHER = Source(repo_url="https://git.example.com/acme/other", target_revision="main", path=".")


def of(*pairs: tuple[Source, str], operation: Operation | None = None) -> Application:
    """An Application with these sources, compared at these revisions."""
    spec = Comparison(sources=tuple(source for source, _ in pairs))
    return application(
        spec=spec,
        compared_to=spec,
        several_sources=True,
        revision="",
        revisions=tuple(revision for _, revision in pairs),
        operation=operation,
    )


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(of((CHART, "1.0.0"), (GIT, OURS)), id="a chart beside ours"),
        pytest.param(of((OTHER, "d" * 40), (GIT, NEWER)), id="another repository beside ours"),
        pytest.param(of((GIT, OURS), (REF, OURS)), id="our repository twice"),
        pytest.param(of((PINNED, OLDER), (GIT, OURS)), id="our repository, pinned, beside ours"),
        pytest.param(
            of((OTHER, "d" * 40), (replace(GIT, repo_url="git@mirror:x"), OURS)), id="a mirror"
        ),
    ],
)
def test_the_source_that_follows_our_branch_decides(document: Application) -> None:
    """
    What an Application takes from elsewhere has revisions of its own.
    """
    wait = Wait((0, document))
    wait.request = replace(wait.request, branch="main")

    result = wait.run()

    assert wait.seconds == CONFIRMED
    assert result.applications[0].revision in {OURS, NEWER}


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(of((GIT, OURS), (REF, OLDER)), id="the second one"),
        pytest.param(of((REF, OLDER), (GIT, OURS)), id="the first one"),
        pytest.param(of((GIT, OURS), (REF, "")), id="not resolved"),
        pytest.param(of((GIT, OLDER), (CHART, "1.0.0")), id="ours"),
    ],
)
def test_all_sources_that_follow_our_branch_must_have_our_commit(behind: Application) -> None:
    """
    One repository used twice may be seen at two commits for a while.
    """
    wait = Wait((0, behind), (20, of((GIT, OURS), (REF, OURS))))

    wait.run()

    assert wait.seconds >= 20


def test_revisions_that_are_not_there_are_waited_for() -> None:
    """
    A source that was just added has no revision yet.
    """
    short = replace(of((CHART, "1.0.0"), (GIT, OURS)), revisions=("1.0.0",))
    wait = Wait((0, short), (10, of((CHART, "1.0.0"), (GIT, OURS))))

    wait.run()

    assert wait.seconds >= 10


def test_the_operation_is_placed_by_the_same_source() -> None:
    """
    A sync that failed at our commit is ours, whatever the chart's version is.
    """
    failed = Operation(
        phase="Failed", revisions=("1.0.0", OURS), started_at=BEFORE, finished_at=LATER
    )
    older = replace(failed, revisions=("1.0.0", OLDER))
    document = of((CHART, "1.0.0"), (GIT, OURS), operation=failed)
    wait = Wait((0, document))
    other = Wait((0, replace(document, sync="OutOfSync", operation=older)), (10, of((GIT, OURS))))

    with pytest.raises(SyncError, match="could not apply 9d0f7e3"):
        wait.run()
    other.run()

    assert other.seconds >= 10


def test_no_source_of_ours_fails() -> None:
    """
    An Application of charts alone will never see the promotion.
    """
    wait = Wait((0, of((CHART, "1.0.0"), (OTHER, "d" * 40))))

    with pytest.raises(ApplicationError, match=r"follows https://git\.example\.com/acme/other"):
        wait.run()


SHOP = Resource(group="apps", kind="Deployment", name="shop", health="Healthy")
SIDECAR = Resource(group="apps", kind="Deployment", name="metrics", health="Degraded")
CONFIG = Resource(kind="ConfigMap", name="shop")


def narrowed(*patterns: str, script: list[tuple[float, Application]]) -> Wait:
    wait = Wait(*script)
    found: tuple[ResourcePattern, ...] = tuple(map(parse_resource_pattern, patterns))
    wait.request = replace(wait.request, resources=found, timeout_seconds=120)
    return wait


@pytest.mark.parametrize(
    "pattern", ["apps:Deployment:shop", "*:*:shop", "apps:*:shop", ":ConfigMap:shop"]
)
def test_only_the_named_resources_need_to_be_healthy(pattern: str) -> None:
    """
    What somebody else left Degraded in the same Application does not hold up our rollout.
    """
    document = application(health="Degraded", resources=(SHOP, SIDECAR, CONFIG))
    wait = narrowed(pattern, script=[(0, document)])

    result = wait.run()

    assert result.applications[0].health == "Healthy"


def test_a_workload_without_health_is_not_taken_for_healthy() -> None:
    """
    Argo CD keeps resources' health in a cache, and leaves it out of the document when it is gone.
    """
    unknown = application(health="Progressing", resources=(replace(SHOP, health=""), CONFIG))
    wait = narrowed("*:*:shop", script=[(0, unknown), (30, application(resources=(SHOP,)))])

    wait.run()

    assert wait.seconds >= 30


def test_the_worst_of_the_named_resources_counts() -> None:
    """
    One of two that is not ready keeps the wait going, and is named.
    """
    slow = replace(SIDECAR, health="Progressing")
    document = application(health="Degraded", resources=(SHOP, slow, CONFIG))
    wait = narrowed("apps:Deployment:*", script=[(0, document)])

    with pytest.raises(WaitTimeoutError, match=r"Synced and Progressing.*Deployment/metrics"):
        wait.run()


def test_a_pattern_that_fits_nothing_is_told_with_what_there_is() -> None:
    """
    A typing error is not waited for until the deadline.
    """
    wait = narrowed("apps:Deployment:shp", script=[(0, application(resources=(SHOP,)))])

    with pytest.raises(ApplicationError, match="It has apps:Deployment:shop"):
        wait.run()

    assert wait.seconds == pytest.approx(60, abs=2)


@pytest.mark.parametrize("text", ["shop", "apps:Deployment", "a:b:c:d", "apps:Deployment:Sh op"])
def test_a_malformed_pattern_is_refused(text: str) -> None:
    """
    What would match nothing is told before anything is done.
    """
    with pytest.raises(ValueError, match="apps:Deployment:shop"):
        parse_resource_pattern(text)


def test_a_paused_rollout_is_done_where_that_is_meant() -> None:
    """
    `wait-for: suspended` takes a canary that waits for somebody for done; `healthy` does not.
    """
    paused = application(health="Suspended")
    wait, patient = Wait((0, paused)), Wait((0, paused))
    wait.request = replace(wait.request, wait_for=WaitFor.SUSPENDED)
    patient.request = replace(patient.request, timeout_seconds=30)

    result = wait.run()
    with pytest.raises(WaitTimeoutError):
        patient.run()

    assert result.applications[0].health == "Suspended"
    assert wait.seconds == CONFIRMED


def test_a_selector_adds_applications() -> None:
    """
    Names and labels may be given together; what both name is waited for once.
    """
    wait = Wait((0, application()))
    wait.request = replace(
        wait.request,
        applications=(ApplicationName("other"), ApplicationName("shop")),
        selector="team=shop",
        project="team",
    )

    result = wait.run()

    assert [str(one.name) for one in result.applications] == ["other", "shop"]


def test_a_selector_that_fits_nothing_fails() -> None:
    """
    Waiting for nothing is not green.
    """
    wait = Wait((0, application()))
    wait.request = replace(wait.request, applications=(), selector="team=shop")
    wait.argocd.selected = [()]

    with pytest.raises(ApplicationError, match="labels team=shop"):
        wait.run()


@pytest.mark.parametrize(("hiccups", "found"), [(3, True), (4, False)])
def test_a_server_that_blinks_is_asked_again_for_the_selector(hiccups: int, *, found: bool) -> None:
    """
    The first question of the wait is as patient as the others.
    """
    wait = Wait((0, application()))
    wait.request = replace(wait.request, applications=(), selector="team=shop")
    gone = ArgoCDUnavailableError("502", hint="")
    wait.argocd.selected = [gone] * hiccups

    try:
        answered = bool(wait.run().applications)
    except ArgoCDUnavailableError:
        answered = False

    assert answered is found


def test_a_spec_that_lost_a_source_is_compared_again() -> None:
    """
    What the comparison was made with is not what the Application follows now.
    """
    document = of((GIT, OURS), (REF, OURS))
    fewer = replace(document, compared_to=Comparison(sources=()))
    wait = Wait((0, fewer), (10, document))

    wait.run()

    assert wait.seconds >= 10


def test_a_health_that_nobody_knows_is_not_healthy() -> None:
    """
    A word that is none of Argo CD's ends at the deadline with a reason, and in no crash.
    """
    odd = Resource(group="acme.io", kind="Shop", name="shop", health="Hibernating")
    wait = Wait((0, application(resources=(odd,))))
    pattern = parse_resource_pattern("acme.io:Shop:shop")
    wait.request = replace(wait.request, resources=(pattern,), timeout_seconds=30)

    with pytest.raises(WaitTimeoutError, match="Hibernating"):
        wait.run()
