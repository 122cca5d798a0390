"""The edit, made and landed.

On a rejected push we do not rebase: we take the new head and make the edit again.
"""

from __future__ import annotations

import difflib
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ConflictError
from gitops_action.kustomization import (
    FileEdit,
    ImageRequest,
    RenderedProof,
    Renderer,
    Snapshot,
    plan_edits,
    prove_rendered,
)
from gitops_action.model.change import Change
from gitops_action.model.image import UNKNOWN_DIGEST, ImageReference
from gitops_action.model.log import Annotation, Level
from gitops_action.stages.promote.message import commit_message
from gitops_action.stages.promote.request import Ending, PromoteRequest, PromoteResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_action.model.log import Log
    from gitops_action.model.source import CommitSha
    from gitops_action.stages.promote.guard import Guard, Judgement

_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 5.0


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


def promote(  # noqa: PLR0913  the collaborators of a stage are named one by one
    request: PromoteRequest,
    image: ImageReference,
    *,
    repository: GitOpsRepository,
    guard: Guard,
    renderer: Renderer,
    clock: Clock,
    log: Log,
    chance: Callable[[], float] = random.random,
) -> PromoteResult:
    """Commit and push the edit; `chance` gives numbers from 0 to 1, as `random.random` does.

    Raises KustomizationError, EntryError, ProofError and RenderError before anything is written,
    ConflictError when every race was lost until the deadline, and what the repository raises.
    """
    deadline = clock.monotonic() + request.deadline_seconds
    attempts = 0
    while True:
        head = repository.head(request.branch)
        edits = _plan(request, image, repository, head)
        # At every head again: the other writer may have promoted a newer commit.
        judgement = guard.judge(edits, head)
        if judgement.newer and not request.allow_downgrade:
            return _superseded(head, edits, judgement, log)
        # After a lost race too: the renderer knows what it has rendered before.
        proof = prove_rendered(
            edits, tree=repository, head=head, renderer=renderer, required=request.proof_required
        )
        files = {edit.path: edit.edit.text.encode() for edit in edits if edit.edit.changed}
        done = _Done(edits, proof, judgement)
        if not files:
            return _result(head, Ending.UNCHANGED, done, log)
        if request.dry_run:
            return _result(head, Ending.PLANNED, done, log)
        message = commit_message(request, image, downgraded=judgement.older_than)
        change = Change(parent=head, files=files, message=message, author=request.author)
        if commit := repository.land(change, request.branch):
            return _result(commit, Ending.PROMOTED, done, log)
        attempts += 1
        delay = chance() * min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2**attempts)
        if clock.monotonic() + delay > deadline:
            raise _lost(request, attempts, head)
        log.say(f"Somebody else pushed to {request.branch} first: starting over from its new head.")
        clock.sleep(delay)


def _plan(
    request: PromoteRequest, image: ImageReference, repository: GitOpsRepository, head: CommitSha
) -> tuple[FileEdit, ...]:
    if request.dry_run and image.digest is None:
        # What was not pushed has no digest yet; any other shows the same edit.
        image = replace(image, digest=UNKNOWN_DIGEST)
    return plan_edits(
        request.kustomizations,
        requests=[ImageRequest(image, request.entry, request.pin)],
        tree=repository,
        head=head,
    )


@dataclass(frozen=True, slots=True)
class _Done:
    edits: tuple[FileEdit, ...]
    proof: RenderedProof
    judgement: Judgement


def _superseded(
    head: CommitSha, edits: tuple[FileEdit, ...], judgement: Judgement, log: Log
) -> PromoteResult:
    log.annotate(
        Annotation(Level.NOTICE, f"Superseded, and nothing was written: {judgement.newer}.")
    )
    return PromoteResult(
        revision=head,
        ending=Ending.SUPERSEDED,
        previous=edits[0].edit.previous,
        diff="",
        files=tuple(file.path for file in edits),
        newer=judgement.newer,
    )


def _result(revision: CommitSha, ending: Ending, done: _Done, log: Log) -> PromoteResult:
    edits, proof = done.edits, done.proof
    for file in edits:
        for notice in file.edit.notices:
            log.annotate(Annotation(Level.NOTICE, f"{file.path}: {notice}"))
        for warning in file.edit.warnings:
            log.annotate(Annotation(Level.WARNING, f"{file.path}: {warning}"))
    downgrade = (f"A downgrade, as asked for: {done.judgement.newer}.",)
    for notice in (
        *(downgrade if done.judgement.newer else ()),
        *done.judgement.notices,
        *proof.notices,
        *proof.unproved,
    ):
        log.annotate(Annotation(Level.NOTICE, notice))
    return PromoteResult(
        revision=revision,
        ending=ending,
        previous=edits[0].edit.previous if edits else "",
        diff="".join(_diff(file) for file in edits if file.edit.changed),
        files=tuple(file.path for file in edits),
        edits=edits,
        rendered_diff=proof.diff,
        unproved=proof.unproved,
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
