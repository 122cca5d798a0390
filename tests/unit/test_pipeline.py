"""The order of the stages, and what becomes of the others when one fails."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from gitops_action.errors import (
    BuildError,
    GitOpsAccessError,
    RegistryLoginError,
    RegistryUnavailableError,
)
from gitops_action.model.go import (
    Finding,
    FindingKind,
    ModuleRun,
    PackageAction,
    PackageResult,
    PackageRun,
)
from gitops_action.model.log import Level
from gitops_action.model.source import Location
from gitops_action.outcome import Outcome, Result, State
from gitops_action.pipeline import run
from gitops_action.plan import Plan, make_plan
from tests.fakes.argocd_memory import Behaviour
from tests.fakes.builders import digest_of
from tests.fakes.runs import SHA, context_of, everything, plan_of
from tests.fakes.world import KUSTOMIZATION, OVERLAY, World

IMAGE = f"ghcr.io/acme/shop:{SHA}"
FAILED = PackageRun(
    result=PackageResult(name="example.com/shop", action=PackageAction.FAIL, failed=1)
)


@pytest.fixture
def world() -> World:
    return World()


def _run(world: World, plan: Plan | None = None) -> Outcome:
    return run(plan or plan_of(), systems=world.systems(), log=world.log)


def _states(outcome: Outcome) -> dict[str, str]:
    return {stage.name: stage.state.value for stage in outcome.runs}


def _fail_tests(world: World, *findings: Finding) -> None:
    world.go.packages = [replace(FAILED, findings=findings)]
    world.go.run = ModuleRun(exit_code=1, go_version="go1.26.8")


def test_a_commit_becomes_a_deployment(world: World) -> None:
    """
    Tested, built, pushed, promoted and deployed, in one step.
    """
    outcome = _run(world)

    assert outcome.failure is None
    assert outcome.result is Result.HEALTHY
    assert set(_states(outcome).values()) == {State.PASSED.value}
    assert world.registry.tags == {
        IMAGE: digest_of("a"),
        "ghcr.io/acme/shop:latest": digest_of("a"),
    }
    assert world.gitops.text(OVERLAY) == KUSTOMIZATION.replace('"0000000"', f'"{SHA}"')
    assert outcome.promote is not None
    assert outcome.promote.revision == world.gitops.tip
    assert outcome.sync is not None
    assert outcome.sync.applications[0].revision == world.gitops.tip.value
    assert len(world.docker.discarded) == 1


def test_the_same_commit_again_changes_nothing_and_still_waits(world: World) -> None:
    """
    Running a job twice commits once.
    """
    _run(world)

    outcome = _run(world)

    assert outcome.result is Result.UNCHANGED
    assert len(world.gitops.pushed) == 1
    assert outcome.sync is not None


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ({"wait_for": "nothing"}, Result.PROMOTED),
        ({"wait_for": "synced"}, Result.SYNCED),
    ],
)
def test_the_result_says_how_far_the_run_was_to_go(
    world: World, given: dict[str, str], result: Result
) -> None:
    """
    `promoted` does not claim that anything was deployed.
    """
    assert _run(world, plan_of(**given)).result is result


REPORTED = {
    "argocd_server": "",
    "argocd_token": "",
    "argocd_applications": "",
    "wait_via": "status:cd/shop",
}


def test_a_report_on_github_ends_the_wait(world: World) -> None:
    """
    Where Argo CD is out of reach, the commit's own status says that it is deployed.
    """
    world.reports.always = "success"

    first, again = _run(world, plan_of(**REPORTED)), _run(world, plan_of(**REPORTED))

    assert (first.result, again.result) == (Result.SYNCED, Result.UNCHANGED)
    assert first.sync
    assert first.sync.applications[0].revision == world.gitops.tip.value


def test_a_failure_that_is_reported_fails_the_run(world: World) -> None:
    """
    The commit stays, and the outcome holds what was reported.
    """
    world.reports.always = "failure"

    outcome = _run(world, plan_of(**REPORTED))

    assert outcome.failure
    assert outcome.failure.code == "reported-failed"
    assert outcome.sync
    assert outcome.sync.applications[0].sync == "failure"


def test_an_image_alone_is_published(world: World) -> None:
    """
    Without a kustomization the run ends with the image.
    """
    plan = plan_of(kustomizations="", argocd_server="", argocd_token="", argocd_applications="")

    outcome = _run(world, plan)

    assert outcome.result is Result.PUBLISHED
    assert world.gitops.pushed == []


def test_a_proposal_is_built_and_written_nowhere(world: World) -> None:
    """
    A pull request leaves registry, branch and machine as they were.
    """
    plan = make_plan(everything(), context_of(event="pull_request"))

    outcome = _run(world, plan)

    assert outcome.result is Result.VERIFIED
    assert world.docker.built == ["Dockerfile"]
    assert len(world.docker.discarded) == 1
    assert world.registry.tags == {}
    assert world.gitops.pushed == []


def test_nothing_is_pushed_unless_the_tests_passed(world: World) -> None:
    """
    A failing test leaves no image and no commit behind.
    """
    _fail_tests(world)

    outcome = _run(world)

    assert outcome.result is Result.FAILED
    assert outcome.failure is not None
    assert outcome.failure.code == "tests-failed"
    assert outcome.verify is not None
    assert outcome.verify.failed == 1
    assert world.registry.tags == {}
    assert world.gitops.pushed == []
    assert len(world.docker.discarded) == len(world.docker.built)
    assert _states(outcome)["publish"] == State.SKIPPED


def test_a_build_that_fails_lets_the_tests_speak(world: World) -> None:
    """
    Where neither compiles, both are told and the tests' findings come first.
    """
    _fail_tests(world)
    world.docker.failure = BuildError("no such file", hint="Add it.")

    outcome = _run(world)

    assert outcome.failure is not None
    assert outcome.failure.code == "tests-failed"
    assert any("no such file" in one.message for one in world.log.annotations)


def test_what_neither_compiles_nor_builds_is_told_once(world: World) -> None:
    """
    A compile error ends verify and build alike, and is one error on its line.
    """
    place = Location(PurePosixPath("main.go"), 7, 2)
    finding = Finding(
        kind=FindingKind.COMPILE, package="example.com/shop", message="no", location=place
    )
    _fail_tests(world, finding)
    world.docker.failure = BuildError("main.go:7:2: no", hint="Run `go build`.", location=place)

    _run(world)

    assert [one.message for one in world.log.annotations if one.location == place] == ["no"]


def test_the_log_says_what_runs_at_once_and_tells_a_failure_once(world: World) -> None:
    """
    Whoever watches knows why nothing is printed, and reads the message of a failure in one place.
    """
    world.docker.failure = BuildError("no such file", hint="Add it.")

    _run(world)

    assert world.log.lines[0] == (
        "Running verify, and beside it build and preflight, whose lines follow."
    )
    assert any(line.startswith("✗ build (") and "build-failed" in line for line in world.log.lines)
    assert not any("no such file" in line for line in world.log.lines)


def test_a_preflight_that_fails_ends_the_run(world: World) -> None:
    """
    A token that may not push is found before anything is pushed.
    """
    world.gitops.refusal = GitOpsAccessError("may not push", hint="contents: write")

    outcome = _run(world)

    assert outcome.failure is world.gitops.refusal
    assert _states(outcome)["preflight"] == State.FAILED
    assert world.registry.tags == {}


def test_what_the_preflight_finds_is_told_before_a_build_that_fails_of_it(world: World) -> None:
    """
    A registry that is away is no `build-failed`, though the build lacks its base image.
    """
    world.registry.refusal = RegistryUnavailableError("cannot be reached", hint="Wait.")
    world.docker.failure = BuildError("no base image", hint="Name another one.")

    outcome = _run(world)

    assert outcome.failure is world.registry.refusal
    assert any("no base image" in one.message for one in world.log.annotations)


@pytest.mark.parametrize(
    ("given", "shown"),
    [({}, True), ({"gitops_repository": "acme/gitops", "gitops_branch": "main"}, False)],
)
def test_an_annotation_points_only_into_this_repository(
    world: World, given: dict[str, str], *, shown: bool
) -> None:
    """
    A line of another repository's file is named in the message alone.
    """
    world.gitops.write(OVERLAY, KUSTOMIZATION.replace("images:", "images: [a]\nimages:"))
    world.application.repo_url = plan_of(**given).gitops_url

    outcome = _run(world, plan_of(**given))

    assert outcome.failure is not None
    assert outcome.failure.code == "kustomization"
    assert (outcome.failure.location is not None) is shown
    assert f"{OVERLAY}:" in outcome.failure.message


def test_a_push_that_fails_half_way_says_which_tags_are_there(world: World) -> None:
    """
    The report of a red run still names what was pushed.
    """
    world.registry.refused_tags["latest"] = RegistryLoginError("denied", hint="Ask.")

    outcome = _run(world)

    assert outcome.result is Result.FAILED
    assert outcome.publish is not None
    assert outcome.publish.tags == (SHA.value,)
    assert outcome.image is not None
    assert world.gitops.pushed == []
    assert len(world.docker.discarded) == 1


def test_a_rollout_that_fails_keeps_what_was_done(world: World) -> None:
    """
    Image and commit are in the report of a deployment that went wrong.
    """
    world.application.behaviour = Behaviour(degraded="CrashLoopBackOff")

    outcome = _run(world)

    assert outcome.result is Result.FAILED
    assert outcome.promote is not None
    assert outcome.promote.changed
    assert outcome.sync is not None
    assert outcome.sync.applications[0].health == "Degraded"


def test_what_was_decided_against_the_inputs_is_said(world: World) -> None:
    """
    A tag that is left out leaves a notice.
    """
    plan = make_plan(everything(tags="sha, semver"), context_of())

    _run(world, plan)

    assert any("semver" in one.message for one in world.log.of(Level.NOTICE))


def test_a_bug_in_one_stage_ends_the_others_and_is_not_hidden(world: World) -> None:
    """
    What nobody foresaw reaches the one place that reports it.
    """
    world.go.verify = None  # type: ignore[assignment,method-assign]  # a bug

    with pytest.raises(TypeError):
        _run(world)

    assert world.cancellation.reason
    assert world.registry.tags == {}
    assert len(world.docker.discarded) == len(world.docker.built)


def test_a_full_disk_is_told_and_so_is_what_was_done(world: World) -> None:
    """
    Wherever a file cannot be written any more, the run says so and what it did until then.
    """
    world.docker.failure = OSError(errno.ENOSPC, "No space left on device", "/tmp/layout")

    outcome = _run(world)

    assert outcome.failure is not None
    assert outcome.failure.code == "runner"
    assert "No space left on device: '/tmp/layout'" in outcome.failure.message
    assert "larger disk" in outcome.failure.hint
    assert outcome.verify is not None
    assert _states(outcome)["build"] == State.FAILED


def test_a_cancelled_run_goes_no_further(world: World) -> None:
    """
    Cancelling ends every stage and starts none.
    """
    world.cancellation.cancel("the run was cancelled")

    outcome = _run(world)

    assert outcome.failure is not None
    assert outcome.failure.code == "cancelled"
    assert world.registry.tags == {}
    assert State.PASSED.value not in _states(outcome).values()


def test_the_same_commit_again_builds_nothing(world: World) -> None:
    """
    A second run of a commit pushes nothing, keeps the digest, and goes on to the cluster.
    """
    plan = make_plan(everything(), context_of(clean=True))
    first = run(plan, systems=world.systems(), log=world.log)
    world.docker.digest = digest_of("f")

    again = run(plan, systems=world.systems(), log=world.log)

    assert world.docker.built == ["Dockerfile"]
    assert again.image == first.image
    assert again.failure is None


def test_a_newer_image_in_our_place_while_we_wait_is_superseded(world: World) -> None:
    """
    The next job's promotion ends this one's wait at once, and green.
    """
    newer = KUSTOMIZATION.replace('"0000000"', '"2.0.0"')
    world.application.schedule(0.5, lambda: world.gitops.write(OVERLAY, newer))

    outcome = _run(world, plan_of(tags="1.0.0"))

    assert outcome.failure is None
    assert outcome.result is Result.SUPERSEDED


def test_a_paused_rollout_is_synced(world: World) -> None:
    """
    `suspended` is not called healthy where it is not.
    """
    world.application.extra = {"status": {"health": {"status": "Suspended"}}}

    outcome = _run(world, plan_of(wait_for="suspended"))

    assert outcome.result is Result.SYNCED
