"""The order of the stages, and what becomes of the others when one fails."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

from gitops_action.errors import (
    ActionError,
    CancelledError,
    EntryError,
    KustomizationError,
    ProofError,
    RenderError,
)
from gitops_action.model.log import Annotation, HeldLog, Level, Log
from gitops_action.model.stage import Stage
from gitops_action.outcome import Outcome
from gitops_action.pipeline.deploy import deploy, is_echo
from gitops_action.pipeline.systems import Cancellation, Systems
from gitops_action.plan import Plan
from gitops_action.progress import Progress
from gitops_action.stages.build import BuildRequest, BuiltImage, build
from gitops_action.stages.preflight import (
    PREFLIGHT,
    PreflightRequest,
    PreflightResult,
    preflight,
)
from gitops_action.stages.publish import publish
from gitops_action.stages.verify import VerifyRequest, VerifyResult, verify


def run(plan: Plan, *, systems: Systems, log: Log) -> Outcome:
    """Run the stages of the plan; a failure ends the run and is part of the outcome."""
    progress = Progress(plan, systems.cancellation, log)
    try:
        for notice in plan.notices:
            log.annotate(Annotation(Level.NOTICE, notice))
        if is_echo(progress, systems):
            return progress.outcome(None)
        built = _verify_and_build(progress, systems)
        try:
            _publish(progress, systems, built)
        finally:
            _discard(progress, systems)
        deploy(progress, systems)
    except ActionError as error:
        if plan.elsewhere and isinstance(
            error, KustomizationError | EntryError | ProofError | RenderError
        ):
            # An annotation would point to a file of this repository.
            error.location = None
        return progress.outcome(error)
    return progress.outcome(None)


def _verify_and_build(progress: Progress, systems: Systems) -> BuiltImage | None:
    """Run verify, build and preflight side by side: the wall time is that of the longest.

    The first failure of verify or preflight ends the other two. A build that fails lets the tests
    go on, because their findings say more.
    """
    plan = progress.plan
    jobs: dict[str, Callable[[Log], object]] = {}
    if plan.verify:
        jobs[Stage.VERIFY] = partial(_verify, plan.verify, systems)
    if plan.build:
        jobs[Stage.BUILD] = partial(_build, plan.build, systems)
    if plan.preflight:
        jobs[PREFLIGHT] = partial(_preflight, plan.preflight, systems)
    try:
        failures = _side_by_side(progress, systems.cancellation, jobs)
    except BaseException:
        _discard(progress, systems)
        raise
    if failures:
        _discard(progress, systems)
        verified = progress.result(VerifyResult)
        # A compile error ends both verify and build: it is told once.
        told = {one.location for one in verified.findings} - {None} if verified else set()
        for error in failures[1:]:
            if not isinstance(error, CancelledError) and error.location not in told:
                progress.log.annotate(
                    Annotation(Level.ERROR, error.told, error.code, error.location)
                )
        raise failures[0]
    return progress.result(BuiltImage)


def _discard(progress: Progress, systems: Systems) -> None:
    if built := progress.result(BuiltImage):
        systems.builder(built).discard(built)


def _verify(request: VerifyRequest, systems: Systems, log: Log) -> VerifyResult:
    return verify(request, go=systems.go, log=log)


def _build(request: BuildRequest, systems: Systems, log: Log) -> BuiltImage:
    return build(request, docker=systems.docker, ko=systems.ko, images=systems.registry, log=log)


def _preflight(request: PreflightRequest, systems: Systems, log: Log) -> PreflightResult:
    return preflight(
        request,
        registry=systems.registry,
        gitops=systems.gitops,
        argocd=systems.argocd,
        renderer=systems.kustomize,
        clock=systems.cancellation,
        log=log,
    )


def _side_by_side(
    progress: Progress, cancellation: Cancellation, jobs: dict[str, Callable[[Log], object]]
) -> list[ActionError]:
    """Run `jobs` at once; the first one's lines are printed as they come, the others' after it."""
    live = next(iter(jobs), "")
    held = {name: HeldLog() for name in jobs if name != live}
    failures: dict[str, ActionError] = {}
    if held:
        beside = " and ".join(held)
        progress.log.say(f"Running {live}, and beside it {beside}, whose lines follow.")
    running = dict.fromkeys(jobs)
    with ThreadPoolExecutor(len(jobs) or 1) as threads:
        futures = {
            threads.submit(progress.stage, name, job, held.get(name, progress.log)): name
            for name, job in jobs.items()
        }
        for future in as_completed(futures):
            del running[futures[future]]
            error = future.exception()
            if error is None:
                if futures[future] == live and running:
                    progress.log.say(f"Waiting for {' and '.join(running)}.")
                continue
            if futures[future] != Stage.BUILD or not isinstance(error, ActionError):
                cancellation.cancel(f"the stage {futures[future]} failed")
            if not isinstance(error, ActionError):
                raise error
            failures[futures[future]] = error
    for name, lines in held.items():
        progress.show(name, lines)
    # A registry that is away has no base image either, which the preflight says better; and a stage
    # that was ended because another one failed is not what went wrong.
    in_order = [
        failures[name] for name in (Stage.VERIFY, PREFLIGHT, Stage.BUILD) if name in failures
    ]
    return sorted(in_order, key=lambda error: isinstance(error, CancelledError))


def _publish(progress: Progress, systems: Systems, built: BuiltImage | None) -> None:
    plan = progress.plan
    if plan.publish and built:
        request = plan.publish
        progress.stage(
            Stage.PUBLISH,
            lambda log: publish(
                request,
                built,
                pusher=systems.builder(built),
                registry=systems.registry,
                history=systems.source,
                clock=systems.cancellation,
                log=log,
            ),
        )
