"""What the promote stage is asked for, and what it answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_action.model.delivery import Delivery
from gitops_action.model.identity import GITHUB_ACTIONS, Identity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePosixPath

    from gitops_action.kustomization import ImageChange
    from gitops_action.model.pin import Pin
    from gitops_action.model.pull_request import PullRequest
    from gitops_action.model.source import CommitSha

# The name of what follows a failed rollout.
REVERT = "revert"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteRequest:
    """Which kustomizations shall ask for the image.

    `kustomizations` are files or folders relative to the GitOps repository's root; `entry` is the
    `name` of the entry in `images`, empty for the one that names our image. `source` is the commit
    that the image is made from, None where that is not known. `subject` and `trailers` are the
    commit message but for the trailers that need the image. `deadline_seconds` is how long races
    for the branch may be lost; with `proof_required` what cannot be rendered is not promoted; with
    `allow_downgrade` an older image is; with `dry_run` nothing is written. `proposal` is the branch
    of a pull request, which gets `labels`; `wait_seconds` is how long its merge is waited for.
    """

    branch: str
    kustomizations: tuple[PurePosixPath, ...]
    entry: str
    pin: Pin
    subject: str
    trailers: Mapping[str, str]
    deadline_seconds: float
    source: CommitSha | None = None
    allow_downgrade: bool = False
    dry_run: bool = False
    delivery: Delivery = Delivery.PUSH
    proposal: str = ""
    labels: tuple[str, ...] = ()
    auto_merge: bool = False
    wait_seconds: float = 0.0
    proof_required: bool = False
    author: Identity = GITHUB_ACTIONS


class Ending(enum.Enum):
    """What became of the promotion; all but the first two leave the branch without our image."""

    PROMOTED = enum.auto()
    UNCHANGED = enum.auto()  # the branch asks for our image already
    PROPOSED = enum.auto()  # a pull request asks for it
    SUPERSEDED = enum.auto()  # it asks for a newer one
    PLANNED = enum.auto()  # a dry run


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteResult:
    """What the GitOps branch asks for now.

    `revision` is our commit, or the head at which nothing was written; `previous` is the image
    reference that the first kustomization asked for before; `diff` is a unified diff; `files` are
    all kustomizations that were looked at, `changes` each entry that was changed in them;
    `rendered_diff` is what changes in the manifests that they render, `unproved` says of each that
    could not be rendered why. `newer` says who has superseded us; `updated` that the pull
    request was open before.
    """

    revision: CommitSha
    ending: Ending
    previous: str
    diff: str
    files: tuple[PurePosixPath, ...]
    changes: tuple[tuple[PurePosixPath, ImageChange], ...] = ()
    rendered_diff: str = ""
    unproved: tuple[str, ...] = ()
    newer: str = ""
    pull_request: PullRequest | None = None
    updated: bool = False

    @property
    def changed(self) -> bool:
        """Whether the branch has a commit of ours."""
        return self.ending is Ending.PROMOTED

    @property
    def asks(self) -> bool:
        """Whether the branch asks for our image."""
        return self.ending in {Ending.PROMOTED, Ending.UNCHANGED}
