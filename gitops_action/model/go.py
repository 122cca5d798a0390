"""Nouns of a Go module's tests."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gitops_action.model.source import Location


class FindingKind(enum.StrEnum):
    """What was found, in words for a heading."""

    SETUP = "Setup error"
    COMPILE = "Compile error"
    VET = "Vet finding"
    TEST = "Failed test"
    PANIC = "Panic"
    TIMEOUT = "Timeout"
    PACKAGE = "Failed package"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason why the tests did not pass; `test` is empty where it is about no single test."""

    kind: FindingKind
    package: str
    message: str
    test: str = ""
    location: Location | None = None


class PackageAction(enum.StrEnum):
    """How a package ended; `UNFINISHED` where `go test` never said it."""

    PASS = "pass"  # noqa: S105  a word of `go test -json`
    FAIL = "fail"
    SKIP = "skip"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageResult:
    """One package and its tests; a test with subtests is counted by these.

    `cached` means that Go knew the result, because nothing had changed since it ran them.
    """

    name: str
    action: PackageAction
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    cached: bool = False

    @property
    def tests(self) -> int:
        return self.passed + self.failed + self.skipped

    @property
    def succeeded(self) -> bool:
        return self.action in {PackageAction.PASS, PackageAction.SKIP}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRun:
    """A package that has ended, with what was found and what there is to read.

    `output` is empty where it passed. `no_test_ran` means that its test binary ended well without
    having run anything, `ignored_failures` are tests that reported a failure and did not make the
    package fail.
    """

    result: PackageResult
    findings: tuple[Finding, ...] = ()
    output: str = ""
    no_test_ran: bool = False
    ignored_failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRun:
    """How `go test` ended; `text` is what it said beside its events, `seconds` its wall time."""

    exit_code: int
    go_version: str
    seconds: float = 0.0
    text: str = ""
    timed_out: bool = False
