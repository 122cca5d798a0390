"""The order of the stages, and what becomes of the others when one fails."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from gitops_action.errors import ActionError, CancelledError, RegistryError
from gitops_action.model.image import ImageReference
from gitops_action.model.log import Annotation, HeldLog, Level, Log
from gitops_action.model.stage import Stage
from gitops_action.model.wait import WaitFor
from gitops_action.outcome import Outcome, Result, StageRun, State, words
from gitops_action.plan import Plan
from gitops_action.stages import build as build_stage
from gitops_action.stages import preflight as preflight_stage
from gitops_action.stages import promote as promote_stage
from gitops_action.stages import publish as publish_stage
from gitops_action.stages import sync as sync_stage
from gitops_action.stages import verify as verify_stage
from gitops_action.stages.build import BuildRequest, BuiltImage, build
from gitops_action.stages.preflight import (
    PREFLIGHT,
    PreflightRequest,
    PreflightResult,
    preflight,
)
from gitops_action.stages.promote import PromoteResult, promote
from gitops_action.stages.publish import PublishResult, publish
from gitops_action.stages.sync import SyncResult, sync
from gitops_action.stages.verify import VerifyRequest, VerifyResult, verify

_T = TypeVar("_T")
_MARKS = {State.PASSED: "✓", State.FAILED: "✗", State.CANCELLED: "-"}


class Cancellation(Protocol):
    """The clock of every wait, and the event that ends every wait and child."""

    def cancel(self, reason: str) -> None: ...

    def check(self) -> None: ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class Builder(build_stage.Builder, publish_stage.Pusher, Protocol):
    def discard(self, built: BuiltImage) -> None:
        """Remove what was built from this machine."""


class Registry(publish_stage.Registry, preflight_stage.Registry, Protocol): ...


class GitOps(
    promote_stage.GitOpsRepository, preflight_stage.GitOps, sync_stage.Ancestry, Protocol
): ...


class ArgoCD(sync_stage.ArgoCD, preflight_stage.ArgoCD, Protocol): ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """Everything outside, one door each."""

    go: verify_stage.Go
    docker: Builder
    ko: Builder
    registry: Registry
    gitops: GitOps
    argocd: ArgoCD
    cancellation: Cancellation
    chance: Callable[[], float]


def run(plan: Plan, *, systems: Systems, log: Log) -> Outcome:
    """Run the stages of the plan; a failure ends the run and is part of the outcome."""
    record = _Record(plan, systems.cancellation, log)
    try:
        for notice in plan.notices:
            log.annotate(Annotation(Level.NOTICE, notice))
        built = _verify_and_build(record, systems)
        try:
            _publish(record, systems, built)
        finally:
            if built:
                _builder(systems, built).discard(built)
        _promote_and_sync(record, systems)
    except ActionError as error:
        return record.outcome(error)
    return record.outcome(None)


def _verify_and_build(record: _Record, systems: Systems) -> BuiltImage | None:
    """Run verify, build and preflight side by side: the wall time is that of the longest.

    The first failure of verify or preflight ends the other two. A build that fails lets the tests
    go on, because their findings say more.
    """
    plan = record.plan
    jobs: dict[str, Callable[[Log], object]] = {}
    if plan.verify:
        jobs[Stage.VERIFY] = partial(_verify, plan.verify, systems)
    if plan.build:
        jobs[Stage.BUILD] = partial(_build, plan.build, systems)
    if plan.preflight:
        jobs[PREFLIGHT] = partial(_preflight, plan.preflight, systems)
    failures = _side_by_side(record, jobs)
    built = record.result(BuiltImage)
    if failures:
        if built:
            _builder(systems, built).discard(built)
        raise failures[0]
    return built


def _verify(request: VerifyRequest, systems: Systems, log: Log) -> VerifyResult:
    return verify(request, go=systems.go, log=log)


def _build(request: BuildRequest, systems: Systems, log: Log) -> BuiltImage:
    return build(request, docker=systems.docker, ko=systems.ko, log=log)


def _preflight(request: PreflightRequest, systems: Systems, log: Log) -> PreflightResult:
    return preflight(
        request, registry=systems.registry, gitops=systems.gitops, argocd=systems.argocd, log=log
    )


def _side_by_side(record: _Record, jobs: dict[str, Callable[[Log], object]]) -> list[ActionError]:
    """Run `jobs` at once; the first one's lines are printed as they come, the others' after it."""
    live = next(iter(jobs), "")
    held = {name: HeldLog() for name in jobs if name != live}
    failures: list[ActionError] = []
    with ThreadPoolExecutor(len(jobs) or 1) as threads:
        futures = {
            threads.submit(record.stage, name, job, held.get(name, record.log)): name
            for name, job in jobs.items()
        }
        for future in as_completed(futures):
            error = future.exception()
            if error is None:
                continue
            if futures[future] != Stage.BUILD or not isinstance(error, ActionError):
                record.cancellation.cancel(f"the stage {futures[future]} failed")
            if not isinstance(error, ActionError):
                raise error
            failures.append(error)
    for name, lines in held.items():
        record.show(name, lines)
    # A stage that was ended because another one failed is not what went wrong.
    return sorted(failures, key=lambda error: isinstance(error, CancelledError))


def _publish(record: _Record, systems: Systems, built: BuiltImage | None) -> None:
    plan = record.plan
    if plan.publish and built:
        request = plan.publish
        record.stage(
            Stage.PUBLISH,
            lambda log: publish(
                request,
                built,
                pusher=_builder(systems, built),
                registry=systems.registry,
                log=log,
            ),
        )


def _promote_and_sync(record: _Record, systems: Systems) -> None:
    plan = record.plan
    if plan.promote is None or plan.image is None:
        return
    image = record.image or _already_published(plan.image, systems.registry)
    record.image = image
    promotion = plan.promote
    promoted = record.stage(
        Stage.PROMOTE,
        lambda log: promote(
            promotion,
            image,
            repository=systems.gitops,
            clock=systems.cancellation,
            chance=systems.chance,
            log=log,
        ),
    )
    if plan.sync:
        request = plan.sync
        record.stage(
            Stage.SYNC,
            lambda log: sync(
                request,
                promoted.revision,
                argocd=systems.argocd,
                ancestry=systems.gitops,
                clock=systems.cancellation,
                log=log,
            ),
        )


def _already_published(image: ImageReference, registry: Registry) -> ImageReference:
    """Ask for the image that an earlier job pushed: a kustomization never names a missing one."""
    digest = registry.digest(image)
    if digest is None:
        raise RegistryError(
            f"{image} is not in the registry, and this step does not build it.",
            hint="Let `stages` include `build publish`, or push the image in an earlier step.",
        )
    return replace(image, digest=digest)


def _builder(systems: Systems, built: BuiltImage) -> Builder:
    return systems.docker if built.builder == "docker" else systems.ko


def _reached(plan: Plan, promoted: PromoteResult | None) -> Result:
    if promoted is None:
        return Result.PUBLISHED if plan.publish else Result.VERIFIED
    if not promoted.changed:
        return Result.UNCHANGED
    if plan.sync is None:
        return Result.PROMOTED
    return Result.SYNCED if plan.sync.wait_for is WaitFor.SYNCED else Result.HEALTHY


class _Record:
    """What has been done so far: one line in the log and one StageRun for every stage."""

    def __init__(self, plan: Plan, cancellation: Cancellation, log: Log) -> None:
        self.plan = plan
        self.cancellation = cancellation
        self.log = log
        self.image: ImageReference | None = None
        self._runs: dict[str, StageRun] = {}
        self._results: list[object] = []

    def stage(self, name: str, work: Callable[[Log], _T], log: Log | None = None) -> _T:
        """Do the work of one stage and keep its result, or what there is of it."""
        started = self.cancellation.monotonic()
        state = State.FAILED
        said = ""
        try:
            self.cancellation.check()
            result = work(log or self.log)
            self._keep(result)
            state, said = State.PASSED, words(result)
        except ActionError as error:
            self._keep(error.partial)
            state = State.CANCELLED if isinstance(error, CancelledError) else State.FAILED
            said = error.message
            raise
        finally:
            seconds = self.cancellation.monotonic() - started
            self._runs[name] = StageRun(name, state, seconds, said)
            if log is None or log is self.log:
                self._close(name)
        return result

    def show(self, name: str, lines: HeldLog) -> None:
        """Print the held lines of a stage: folded where it passed, open where it did not."""
        passed = self._runs[name].state is State.PASSED
        with self.log.group(name) if passed else nullcontext():
            lines.release(self.log)
        self._close(name)

    def result(self, kind: type[_T]) -> _T | None:
        return next((result for result in self._results if isinstance(result, kind)), None)

    def outcome(self, failure: ActionError | None) -> Outcome:
        promoted = self.result(PromoteResult)
        return Outcome(
            plan=self.plan,
            result=_reached(self.plan, promoted) if failure is None else Result.FAILED,
            runs=tuple(
                self._runs.get(name, StageRun(name, State.SKIPPED)) for name in (PREFLIGHT, *Stage)
            ),
            failure=failure,
            image=self.image,
            verify=self.result(VerifyResult),
            publish=self.result(PublishResult),
            promote=promoted,
            sync=self.result(SyncResult),
        )

    def _keep(self, result: object) -> None:
        self._results.append(result)
        if isinstance(result, PublishResult):
            self.image = result.image

    def _close(self, name: str) -> None:
        run = self._runs[name]
        self.log.say(f"{_MARKS[run.state]} {name} ({run.seconds:.1f} s): {run.words}")
