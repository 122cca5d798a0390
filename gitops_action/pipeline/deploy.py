"""From the image in the registry to the cluster that runs it, or back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from gitops_action.errors import ActionError
from gitops_action.kustomization import ImageRequest
from gitops_action.model.image import ImageReference
from gitops_action.model.log import Annotation, Level, Log
from gitops_action.model.source import CommitSha
from gitops_action.model.stage import Stage
from gitops_action.pipeline.systems import Systems
from gitops_action.progress import Progress
from gitops_action.stages.promote import (
    REVERT,
    Ending,
    Guard,
    PromoteRequest,
    PromoteResult,
    before,
    find_echo,
    promote,
    revert,
)
from gitops_action.stages.promote.existing import already_published, source_of
from gitops_action.stages.sync import (
    Promoted,
    ReportedRequest,
    SyncRequest,
    SyncResult,
    sync,
    wait_for_report,
)


def is_echo(progress: Progress, systems: Systems) -> bool:
    """End a run that our own promotion has started: as unchanged, once Argo CD has it."""
    plan = progress.plan
    if not plan.may_be_echo or plan.promote is None or plan.image is None:
        return False
    echo = find_echo(
        plan.promote,
        plan.image,
        repository=systems.gitops,
        guard=_guard(plan.image, plan.promote.source, systems),
    )
    if echo is None:
        return False
    progress.log.annotate(Annotation(Level.NOTICE, f"Nothing is built: {echo.why}."))
    progress.image = echo.image
    progress.stage(Stage.PROMOTE, lambda _: echo.result)
    goal = Promoted(commit=echo.result.revision, files=echo.result.files)
    guard = _guard(echo.image, None, systems)
    if plan.sync:
        progress.stage(Stage.SYNC, partial(_sync, plan.sync, goal, guard, systems))
    if plan.reported:
        progress.stage(Stage.SYNC, partial(_wait_for_report, plan.reported, goal, guard, systems))
    return True


def deploy(progress: Progress, systems: Systems) -> None:
    """Promote and wait; put the old image back where the rollout failed and the plan says so."""
    plan = progress.plan
    if plan.promote is None or plan.image is None:
        return
    promotion, image = _with_image(plan.promote, plan.image, progress, systems)
    promoted = progress.stage(Stage.PROMOTE, partial(_promote, promotion, image, systems))
    if not promoted.asks:
        return
    asked = ImageRequest(image, promotion.entry, promotion.pin)
    goal, guard = _goal(promoted, asked), _guard(image, promotion.source, systems)
    if plan.reported:
        reported = replace(plan.reported, changed=promoted.changed)
        progress.stage(Stage.SYNC, partial(_wait_for_report, reported, goal, guard, systems))
    if plan.sync is None:
        return
    try:
        progress.stage(Stage.SYNC, partial(_sync, plan.sync, goal, guard, systems))
    except ActionError:
        synced = progress.result(SyncResult)
        if plan.revert and promoted.changed and synced and synced.rollout_failed:
            _put_back(promotion, promoted, plan.sync, progress, systems)
        raise


def _with_image(
    request: PromoteRequest, named: ImageReference, progress: Progress, systems: Systems
) -> tuple[PromoteRequest, ImageReference]:
    """Find out what is promoted: what was pushed, what would have been, or what exists."""
    image = progress.image
    if image is None and progress.plan.build:  # a dry run: only the push tells the digest
        image = named
    elif image is None:
        image = already_published(named, request.pin, systems.registry)
        request = replace(request, source=source_of(image, request, systems.registry))
    progress.image = image
    return request, image


def _promote(
    request: PromoteRequest, image: ImageReference, systems: Systems, log: Log
) -> PromoteResult:
    return promote(
        request,
        image,
        repository=systems.gitops,
        github=systems.github,
        guard=_guard(image, request.source, systems),
        renderer=systems.kustomize,
        clock=systems.cancellation,
        chance=systems.chance,
        log=log,
    )


def _guard(image: ImageReference, source: CommitSha | None, systems: Systems) -> Guard:
    return Guard(
        image,
        source,
        history=systems.source,
        images=systems.registry,
        commits=systems.commits,
    )


def _goal(promoted: PromoteResult, image: ImageRequest | None) -> Promoted:
    known = promoted.changed and not promoted.unproved
    return Promoted(
        commit=promoted.revision,
        files=promoted.files,
        image=image,
        rendered_diff=promoted.rendered_diff if known else None,
    )


def _sync(
    request: SyncRequest, goal: Promoted, guard: Guard, systems: Systems, log: Log
) -> SyncResult:
    return sync(
        request,
        goal,
        argocd=systems.argocd,
        ancestry=systems.gitops,
        sources=guard,
        clock=systems.cancellation,
        log=log,
    )


def _wait_for_report(
    request: ReportedRequest, goal: Promoted, guard: Guard, systems: Systems, log: Log
) -> SyncResult:
    return wait_for_report(
        request,
        goal,
        reports=systems.reports,
        history=systems.gitops,
        sources=guard,
        clock=systems.cancellation,
        log=log,
    )


def _put_back(
    request: PromoteRequest,
    promoted: PromoteResult,
    wait: SyncRequest,
    progress: Progress,
    systems: Systems,
) -> None:
    """Put the old image back and wait for it; what fails here is told beside the rollout."""

    def work(log: Log) -> PromoteResult:
        log.say("The rollout failed: putting the old image back.")
        image = progress.image or progress.plan.image
        assert image is not None  # noqa: S101  it was promoted
        guard = _guard(image, request.source, systems)
        reverted = revert(
            request,
            promoted,
            repository=systems.gitops,
            github=systems.github,
            guard=guard,
            renderer=systems.kustomize,
            clock=systems.cancellation,
            chance=systems.chance,
            log=log,
        )
        if reverted.ending is Ending.PROMOTED:
            olds = {before(path, change) for path, change in promoted.changes}
            only = olds.pop() if len(olds) == 1 else None
            old = only.image if only else image
            source = guard.source_of(str(old), promoted.revision)
            # Argo CD may still be trying the commit that is taken back.
            ends = replace(wait, reverts=promoted.revision)
            _sync(ends, _goal(reverted, only), _guard(old, source, systems), systems, log)
        return reverted

    try:
        reverted = progress.stage(REVERT, work)
    except ActionError as error:
        progress.log.annotate(Annotation(Level.ERROR, error.told, error.code, error.location))
    else:
        progress.reverted = reverted if reverted.changed else None
