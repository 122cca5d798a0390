"""What to test, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gitops_action.model.go import Coverage, Finding, PackageResult, SlowTest


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Which module to test and how; `module` is relative to the repository's root.

    `variables` are the names of those that tests may see beside Go's own; `coverage_minimum` is a
    percentage, None for none; `dockerfile` is that of the image, None where there is none.
    """

    module: PurePosixPath
    packages: tuple[str, ...]
    flags: tuple[str, ...]
    variables: tuple[str, ...] = ()
    coverage_minimum: float | None = None
    dockerfile: PurePosixPath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """How many tests passed, failed and were skipped, and what was found, most useful first.

    A test with subtests is counted by these. `coverage` is that of each package with statements.
    """

    passed: int
    failed: int
    skipped: int
    findings: tuple[Finding, ...] = ()
    packages: tuple[PackageResult, ...] = ()
    go_version: str = ""
    seconds: float = 0.0
    slowest: tuple[SlowTest, ...] = ()
    coverage: Mapping[str, Coverage] = field(default_factory=dict)

    @property
    def tests(self) -> int:
        return self.passed + self.failed + self.skipped

    @property
    def covered(self) -> Coverage | None:
        """How many of all statements the tests ran; None where there is no statement."""
        statements = sum(one.statements for one in self.coverage.values())
        covered = sum(one.covered for one in self.coverage.values())
        return Coverage(statements, covered) if statements else None
