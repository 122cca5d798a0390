"""Stage 4: the GitOps branch asks for the new tag.

On a rejected push we do not rebase: we take the new head and make the edit again. A server that
fails is asked again in the same loop, under the same deadline.
"""

from __future__ import annotations

import difflib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, ConflictError, GitOpsUnavailableError
from gitops_action.kustomization import (
    FileEdit,
    ImageChange,
    ImageRequest,
    RenderedProof,
    Renderer,
    Snapshot,
    plan_edits,
    prove_rendered,
)
from gitops_action.model.change import Change
from gitops_action.model.identity import GITHUB_ACTIONS, Identity
from gitops_action.model.log import Annotation, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import PurePosixPath

    from gitops_action.model.image import ImageReference
    from gitops_action.model.log import Log
    from gitops_action.model.pin import Pin
    from gitops_action.model.source import CommitSha

_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteRequest:
    """Which kustomizations shall ask for the image.

    `kustomizations` are files or folders relative to the GitOps repository's root; `entry` is the
    `name` of the entry in `images`, empty for the one that names our image. `subject` and
    `trailers` are the commit message but for the trailer `Image`, which needs the digest.
    `deadline_seconds` is how long races for the branch may be lost; with `proof_required` what
    cannot be rendered is not promoted.
    """

    branch: str
    kustomizations: tuple[PurePosixPath, ...]
    entry: str
    pin: Pin
    subject: str
    trailers: Mapping[str, str]
    deadline_seconds: float
    proof_required: bool = False
    author: Identity = GITHUB_ACTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteResult:
    """What the GitOps branch asks for now.

    `revision` is our commit, or the head at which nothing had to change; `previous` is the image
    reference that the first kustomization asked for before; `diff` is a unified diff; `files` are
    all kustomizations that ask for the image, and `changes` each entry that was changed in them;
    `rendered_diff` is what changes in the manifests that they render, `unproved` says of each that
    could not be rendered why.
    """

    revision: CommitSha
    changed: bool
    previous: str
    diff: str
    files: tuple[PurePosixPath, ...]
    changes: tuple[tuple[PurePosixPath, ImageChange], ...] = ()
    rendered_diff: str = ""
    unproved: tuple[str, ...] = ()


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
    renderer: Renderer,
    clock: Clock,
    log: Log,
    chance: Callable[[], float] = random.random,
) -> PromoteResult:
    """Commit and push the edit; `chance` gives numbers from 0 to 1, as `random.random` does.

    Raises KustomizationError, EntryError, ProofError and RenderError before anything is written,
    ConflictError when every race was lost until the deadline, and what the repository raises;
    GitOpsUnavailableError only when it was so until the deadline.
    """
    deadline = clock.monotonic() + request.deadline_seconds
    message = commit_message(request, image)
    attempts = 0
    while True:
        try:
            head = repository.head(request.branch)
            edits = _plan(request, image, repository, head)
            # After a lost race too: the renderer knows what it has rendered before.
            proof = prove_rendered(
                edits,
                tree=repository,
                head=head,
                renderer=renderer,
                required=request.proof_required,
            )
            files = {edit.path: edit.edit.text.encode() for edit in edits if edit.edit.changed}
            if not files:
                return _result(head, edits, proof, log)
            change = Change(parent=head, files=files, message=message, author=request.author)
            if commit := repository.land(change, request.branch):
                return _result(commit, edits, proof, log)
            failure: ActionError = _lost(request, attempts + 1, head)
            why = (
                f"Somebody else pushed to {request.branch} first: starting over from its new head."
            )
        except GitOpsUnavailableError as error:
            failure, why = error, f"{error.message} Trying again."
        attempts += 1
        delay = chance() * min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2**attempts)
        if clock.monotonic() + delay > deadline:
            raise failure
        log.say(why)
        clock.sleep(delay)


def commit_message(request: PromoteRequest, image: ImageReference) -> str:
    """Compose the commit message: the subject, and trailers for `git interpret-trailers`."""
    trailers = {**request.trailers, "Image": str(image)}
    lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items()]
    return "\n".join([" ".join(request.subject.split()), "", *lines, ""])


def _plan(
    request: PromoteRequest, image: ImageReference, repository: GitOpsRepository, head: CommitSha
) -> tuple[FileEdit, ...]:
    return plan_edits(
        request.kustomizations,
        requests=[ImageRequest(image, request.entry, request.pin)],
        tree=repository,
        head=head,
    )


def _result(
    revision: CommitSha, edits: tuple[FileEdit, ...], proof: RenderedProof, log: Log
) -> PromoteResult:
    for file in edits:
        for notice in file.edit.notices:
            log.annotate(Annotation(Level.NOTICE, f"{file.path}: {notice}"))
        for warning in file.edit.warnings:
            log.annotate(Annotation(Level.WARNING, f"{file.path}: {warning}"))
    for warning in proof.warnings:
        log.annotate(Annotation(Level.WARNING, warning))
    for notice in (*proof.notices, *proof.unproved):
        log.annotate(Annotation(Level.NOTICE, notice))
    return PromoteResult(
        revision=revision,
        changed=any(file.edit.changed for file in edits),
        previous=edits[0].edit.previous if edits else "",
        diff="".join(_diff(file) for file in edits if file.edit.changed),
        files=tuple(file.path for file in edits),
        changes=tuple(
            (file.path, change) for file in edits for change in file.edit.images if change.changed
        ),
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
