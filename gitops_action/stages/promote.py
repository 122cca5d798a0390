"""Stage 4: the GitOps branch asks for the new tag.

On a rejected push we do not rebase: we take the new head and make the edit again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePosixPath

    from gitops_action.model.source import CommitSha


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteRequest:
    """Which kustomizations shall ask for the image.

    `kustomizations` are files or folders relative to the GitOps repository's root; `entry` is the
    `name` of the entry in `images`, empty for the one that names our image. `message` is the whole
    commit message but for the trailer `Image`, which needs the digest.
    """

    branch: str
    kustomizations: tuple[PurePosixPath, ...]
    entry: str
    subject: str
    trailers: Mapping[str, str]
    deadline_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteResult:
    """What the GitOps branch asks for now.

    `revision` is our commit, or the head at which nothing had to change; `previous` is the image
    reference that the first kustomization asked for before; `diff` is a unified diff.
    """

    revision: CommitSha
    changed: bool
    previous: str
    diff: str
    files: tuple[PurePosixPath, ...]
