"""Nouns of a Go module's tests."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitops_action.model.source import Location

# They run a program of their own choice, or read a file from outside, in place of the module's.
_REFUSED_IN_GOFLAGS = re.compile(r"""(?:^|[\s'"])--?(toolexec|exec|overlay)(?=[\s='"]|$)""")


def refused_flag(goflags: str) -> str:
    """Name the flag in a value of GOFLAGS that nobody may hand to Go here; empty without one.

    Searched as text, because a parser that reads quotes another way than Go can be fooled.
    """
    match = _REFUSED_IN_GOFLAGS.search(goflags)
    return f"-{match[1]}" if match else ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of a package's statements the tests ran."""

    statements: int
    covered: int

    @property
    def percent(self) -> float:
        return 100 * self.covered / self.statements if self.statements else 0.0

    @property
    def rounded(self) -> str:
        """The percentage to a tenth, never rounded up: 79.96 is not the 80.0 that is asked for."""
        tenths = 1000 * self.covered // self.statements if self.statements else 0
        return f"{tenths // 10}.{tenths % 10}"


class FindingKind(enum.StrEnum):
    """What was found, in words for a heading."""

    SETUP = "Setup error"
    COMPILE = "Compile error"
    VET = "Vet finding"
    TEST = "Failed test"
    PANIC = "Panic"
    TIMEOUT = "Timeout"
    RACE = "Data race"
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
class SlowTest:
    """A test and its wall time, that of its subtests included."""

    package: str
    test: str
    seconds: float


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
    slowest: tuple[SlowTest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleRun:
    """How `go test` ended; `text` is what it said beside its events, `seconds` its wall time.

    `fetched` means that Go is not the image's own, because go.mod asks for a newer one;
    `cache_seconds` is what it took to bring and keep Go's caches, and `notes` say what to know of
    them; `coverage` is that of each package with statements.
    """

    exit_code: int
    go_version: str
    seconds: float = 0.0
    text: str = ""
    timed_out: bool = False
    fetched: bool = False
    cache_seconds: float = 0.0
    notes: tuple[str, ...] = ()
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
