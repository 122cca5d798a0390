"""The edit, made and landed.

On a rejected push we do not rebase: we take the new head and make the edit again. A server that
fails is asked again in the same loop, under the same deadline.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, ConflictError, GitOpsUnavailableError
from gitops_action.kustomization import FileEdit, RenderedProof, Renderer, Snapshot, prove_rendered
from gitops_action.model.change import Change
from gitops_action.model.log import Annotation, Level
from gitops_action.stages.promote.delivery import deliver
from gitops_action.stages.promote.guard import Judgement
from gitops_action.stages.promote.proposal import GitHub, Standing, settle
from gitops_action.stages.promote.request import Ending, PromoteRequest, PromoteResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_action.model.log import Log
    from gitops_action.model.source import CommitSha

_SHORTEST_ATTEMPT_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 30.0
_MOST_ATTEMPTS_LONG = 8


class GitOpsRepository(Snapshot, Protocol):
    """The GitOps repository: branches that can be read, and moved by compare-and-swap."""

    def head(self, branch: str) -> CommitSha:
        """Ask the server for the branch's newest commit."""

    def land(self, change: Change, branch: str) -> CommitSha | None:
        """Commit, and move the branch from the change's parent to it; None after a lost race."""


class Clock(Protocol):
    """Time, and a sleep that a cancellation ends."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What shall be landed: asked at every head again, because others write too.

    `edits` makes the edits of a head, `judge` says whether something newer is there, and `message`
    is the commit's.
    """

    edits: Callable[[CommitSha], tuple[FileEdit, ...]]
    judge: Callable[[tuple[FileEdit, ...], CommitSha], Judgement]
    message: Callable[[Judgement], str]


def land(  # noqa: PLR0913  the collaborators of a stage are named one by one
    request: PromoteRequest,
    intent: Intent,
    *,
    repository: GitOpsRepository,
    github: GitHub | None,
    renderer: Renderer,
    clock: Clock,
    log: Log,
    chance: Callable[[], float],
) -> PromoteResult:
    """Try until it is landed, or until the deadline; raises as `promote` does."""
    attempt = _retried(
        lambda head: _attempt(request, intent, head, repository, github, renderer),
        request,
        repository=repository,
        clock=clock,
        log=log,
        chance=chance,
    )
    _tell(attempt, log)
    return settle(
        request,
        attempt.result,
        github=github,
        asks=lambda: _asks(request, intent, repository),
        clock=clock,
        log=log,
    )


def _retried(  # noqa: PLR0913  the collaborators of a stage are named one by one
    try_at: Callable[[CommitSha], _Attempt | None],
    request: PromoteRequest,
    *,
    repository: GitOpsRepository,
    clock: Clock,
    log: Log,
    chance: Callable[[], float],
) -> _Attempt:
    deadline = clock.monotonic() + request.deadline_seconds
    attempts = 0
    while True:
        started = clock.monotonic()
        try:
            head = repository.head(request.branch)
            attempt = try_at(head)
            if attempt:
                return attempt
            failure: ActionError = _lost(request, attempts + 1, head)
            why = (
                f"Somebody else pushed to {request.branch} first: starting over from its new head."
            )
        except GitOpsUnavailableError as error:
            failure, why = error, f"{error.message} Trying again."
        attempts += 1
        # Full jitter, measured in attempts: they take longer where the server is slow or many are
        # at it, so that this is what tells a crowd. Waits that grow with every loss instead are
        # longest when the crowd has gone (benchmarks/README.md).
        unit = max(_SHORTEST_ATTEMPT_SECONDS, clock.monotonic() - started)
        left = deadline - clock.monotonic() - unit
        if left < unit:
            raise failure
        window = unit * min(_MOST_ATTEMPTS_LONG, 2**attempts)
        delay = chance() * min(window, _LONGEST_DELAY_SECONDS, left)
        log.say(why)
        clock.sleep(delay)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """How an attempt ended, and what it leaves to be told."""

    result: PromoteResult
    edits: tuple[FileEdit, ...]
    notices: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def _asks(request: PromoteRequest, intent: Intent, repository: GitOpsRepository) -> bool:
    return not any(file.edit.changed for file in intent.edits(repository.head(request.branch)))


def _attempt(  # noqa: PLR0913, PLR0917  what an attempt is made of
    request: PromoteRequest,
    intent: Intent,
    head: CommitSha,
    repository: GitOpsRepository,
    github: GitHub | None,
    renderer: Renderer,
) -> _Attempt | None:
    """Make the edit on this head and land it; None after a lost race."""
    edits = intent.edits(head)
    judgement = intent.judge(edits, head)
    if judgement.newer and not request.allow_downgrade:
        planned = _result(edits, head, Ending.SUPERSEDED)
        return _superseded(replace(planned, newer=judgement.newer))
    # After a lost race too: the renderer knows what it has rendered before.
    proof = prove_rendered(
        edits, tree=repository, head=head, renderer=renderer, required=request.proof_required
    )
    notices = (*_downgrade(judgement), *judgement.notices, *proof.notices, *proof.unproved)
    files = {edit.path: edit.edit.text.encode() for edit in edits if edit.edit.changed}
    if not files or request.dry_run:
        ending = Ending.PLANNED if files else Ending.UNCHANGED
        return _Attempt(_result(edits, head, ending, proof), edits, notices, proof.warnings)
    change = Change(
        parent=head, files=files, message=intent.message(judgement), author=request.author
    )
    delivered = deliver(
        request,
        change,
        _result(edits, head, Ending.PROMOTED, proof),
        repository=repository,
        github=github,
        standing=lambda: _standing(request, intent, repository),
    )
    result = delivered.result
    if result is None:
        return None
    if result.ending is Ending.SUPERSEDED:
        return _superseded(result)
    return _Attempt(result, edits, (*delivered.refused, *notices), proof.warnings)


def _superseded(result: PromoteResult) -> _Attempt:
    return _Attempt(result, (), (f"Superseded, and nothing was written: {result.newer}.",))


def _standing(request: PromoteRequest, intent: Intent, repository: GitOpsRepository) -> Standing:
    head = repository.head(request.proposal)
    edits = intent.edits(head)
    ours = not any(file.edit.changed for file in edits)
    return Standing(head, ours, intent.judge(edits, head).newer)


def _downgrade(judgement: Judgement) -> tuple[str, ...]:
    return (f"A downgrade, as asked for: {judgement.newer}.",) if judgement.newer else ()


def _tell(attempt: _Attempt, log: Log) -> None:
    if attempt.result.ending is Ending.PLANNED:
        with log.group("A dry run: what would change, and what that renders to"):
            log.foreign(attempt.result.diff)
            log.foreign(attempt.result.rendered_diff)
    for file in attempt.edits:
        for notice in file.edit.notices:
            log.annotate(Annotation(Level.NOTICE, f"{file.path}: {notice}"))
        for warning in file.edit.warnings:
            log.annotate(Annotation(Level.WARNING, f"{file.path}: {warning}"))
    for warning in attempt.warnings:
        log.annotate(Annotation(Level.WARNING, warning))
    for notice in attempt.notices:
        log.annotate(Annotation(Level.NOTICE, notice))


def _result(
    edits: tuple[FileEdit, ...],
    revision: CommitSha,
    ending: Ending,
    proof: RenderedProof | None = None,
) -> PromoteResult:
    return PromoteResult(
        revision=revision,
        ending=ending,
        previous=edits[0].edit.previous if edits else "",
        diff="".join(_diff(file) for file in edits if file.edit.changed) if proof else "",
        files=tuple(file.path for file in edits),
        changes=tuple(
            (file.path, change)
            for file in edits
            for change in file.edit.images
            if change.changed and proof
        ),
        rendered_diff=proof.diff if proof else "",
        unproved=proof.unproved if proof else (),
    )


def _diff(file: FileEdit) -> str:
    lines = difflib.unified_diff(
        file.before.splitlines(keepends=True),
        file.edit.text.splitlines(keepends=True),
        f"a/{file.path}",
        f"b/{file.path}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _lost(request: PromoteRequest, attempts: int, head: CommitSha) -> ConflictError:
    return ConflictError(
        f"{attempts} pushes to the branch {request.branch} came too late within "
        f"{request.deadline_seconds:.0f} s: others pushed first each time, last at {head.short}. "
        "Nothing of ours is on the branch.",
        hint="Run the job again. Where many jobs promote at once, let them take turns with\n"
        "concurrency:\n  group: gitops",
    )
