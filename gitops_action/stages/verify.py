"""Stage 1: the module's own tests decide whether anything else happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from gitops_action.model.log import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Which module to test and how; `module` is relative to the repository's root."""

    module: PurePosixPath
    packages: tuple[str, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """How many tests passed, failed and were skipped, and what was found."""

    passed: int
    failed: int
    skipped: int
    findings: tuple[object, ...] = ()


class Go(Protocol): ...


def verify(request: VerifyRequest, *, go: Go, log: Log) -> VerifyResult: ...
