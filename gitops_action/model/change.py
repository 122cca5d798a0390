"""A change to a branch, before and independent of the way it is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from gitops_action.model.identity import Identity
from gitops_action.model.source import CommitSha


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One commit that differs from its parent in these files; their modes are kept."""

    parent: CommitSha
    files: Mapping[PurePosixPath, bytes]
    message: str
    author: Identity
