"""Stage 1: the module's own tests decide whether anything else happens.

A test can print what looks like an event of another test, so that the verdict is that of the exit
code and of the packages, and both must be good.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from gitops_action.errors import ActionError, InputError, ModuleError, RunnerError, VerifyError
from gitops_action.model.go import (
    Finding,
    FindingKind,
    ModuleRun,
    PackageAction,
    PackageResult,
    PackageRun,
)
from gitops_action.model.log import Annotation, Level, Log

# GitHub shows ten errors of a step; the last one is left for the run's own failure.
_MOST_ERRORS = 9
_MOST_WARNINGS = 5
_NAMED = 5
_DOES_NOT_BUILD = {FindingKind.SETUP, FindingKind.COMPILE, FindingKind.VET}
_FULL = "no space left on device"
_USAGE_EXIT_CODE = 2
_WORDS = {
    PackageAction.PASS: "ok  ",
    PackageAction.FAIL: "FAIL",
    PackageAction.SKIP: "?   ",
    PackageAction.UNFINISHED: "FAIL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Which module to test and how; `module` is relative to the repository's root."""

    module: PurePosixPath
    packages: tuple[str, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """How many tests passed, failed and were skipped, and what was found, most useful first.

    A test with subtests is counted by these.
    """

    passed: int
    failed: int
    skipped: int
    findings: tuple[Finding, ...] = ()
    packages: tuple[PackageResult, ...] = ()
    go_version: str = ""
    seconds: float = 0.0

    @property
    def tests(self) -> int:
        return self.passed + self.failed + self.skipped


class Go(Protocol):
    @property
    def isolated(self) -> bool:
        """Whether tests run as another user than this action."""

    def verify(
        self,
        module: PurePosixPath,
        packages: Sequence[str],
        flags: Sequence[str],
        *,
        on_package: Callable[[PackageRun], None],
    ) -> ModuleRun:
        """Run the tests of a module, calling back for each package that has ended."""


def verify(request: VerifyRequest, *, go: Go, log: Log) -> VerifyResult:
    """Run the tests and say what they found.

    Raises VerifyError with the result as `partial` where they did not all pass, ModuleError where
    the module or a package of it cannot be loaded, InputError where Go refuses the flags,
    RunnerError where a disk is full.
    """
    if not go.isolated:
        _warn(
            log,
            "Tests run as the user of this action: they can read what it can read. On a runner, "
            "use the action's image.",
            "Tests are not isolated",
        )
    packages: list[PackageRun] = []

    def on_package(package: PackageRun) -> None:
        packages.append(package)
        _say(package, log)

    run = go.verify(request.module, request.packages, request.flags, on_package=on_package)
    result = _result(run, packages)
    if run.text:
        log.foreign(run.text)
    for finding in result.findings[:_MOST_ERRORS]:
        log.annotate(_annotation(finding))
    if failure := _failure(request, run, result, packages):
        raise failure
    for message in _suspicions(packages, result)[:_MOST_WARNINGS]:
        _warn(log, message, "Verify")
    return result


def _say(package: PackageRun, log: Log) -> None:
    result = package.result
    count = f"{result.tests} test{'' if result.tests == 1 else 's'}"
    if result.action is PackageAction.SKIP:
        count = "no test files"
    seconds = "(cached)" if result.cached else f"{result.seconds:.2f}s"
    log.say(f"{_WORDS[result.action]} {result.name}  {seconds}  {count}")
    if not result.succeeded and package.output:
        with log.group(f"Output of {result.name}"):
            log.foreign(package.output)


def _result(run: ModuleRun, packages: Sequence[PackageRun]) -> VerifyResult:
    results = tuple(package.result for package in packages)
    return VerifyResult(
        passed=sum(package.passed for package in results),
        failed=sum(package.failed for package in results),
        skipped=sum(package.skipped for package in results),
        findings=tuple(
            _most_useful_first(finding for package in packages for finding in package.findings)
        ),
        packages=results,
        go_version=run.go_version,
        seconds=run.seconds,
    )


def _most_useful_first(findings: Iterable[Finding]) -> list[Finding]:
    """Order findings: what does not build, then tests; one of each file before its second.

    A package that does not compile is reported once for each package that needs it.
    """
    distinct: dict[object, Finding] = {}
    for finding in findings:
        built = finding.kind not in _DOES_NOT_BUILD or finding.location is None
        distinct.setdefault(finding if built else (finding.location, finding.message), finding)
    seen: defaultdict[object, int] = defaultdict(int)
    ranked = []
    for finding in distinct.values():
        file = finding.location.file if finding.location else finding.package
        ranked.append((finding.kind not in _DOES_NOT_BUILD, seen[file], finding))
        seen[file] += 1
    return [finding for *_, finding in sorted(ranked, key=lambda rank: rank[:2])]


def _annotation(finding: Finding) -> Annotation:
    about = f"{finding.test} in {finding.package}" if finding.test else finding.package
    return Annotation(
        Level.ERROR, finding.message, title=f"{finding.kind}: {about}", location=finding.location
    )


def _failure(
    request: VerifyRequest, run: ModuleRun, result: VerifyResult, packages: Sequence[PackageRun]
) -> ActionError | None:
    failed = [package for package in packages if not package.result.succeeded]
    if not packages:
        return _nothing_tested(request, run)
    if run.exit_code == 0 and not failed:
        return None
    full = [one for one in result.findings if one.kind in _DOES_NOT_BUILD and _FULL in one.message]
    if full:
        return RunnerError(
            f"The tests could not be built, because a disk is full: {full[0].message}",
            hint="Free space on the runner before this step, or use a larger one.",
            partial=result,
        )
    unloaded = [one for one in result.findings if one.kind is FindingKind.SETUP]
    if unloaded:
        return ModuleError(
            f"{unloaded[0].package} cannot be loaded: {unloaded[0].message}",
            hint="Run `go mod tidy` and commit go.mod and go.sum; look at `go-packages` and "
            "`working-directory`. Where there is a go.work, name its modules: "
            "`go-packages: ./a/..., ./b/...`.",
            location=unloaded[0].location,
            partial=result,
        )
    reasons = list(_reasons(result, failed)) or [
        f"`go test` ended with exit code {run.exit_code} although no package failed"
    ]
    if run.timed_out:
        reasons.insert(0, "the tests took longer than a job may")
    return VerifyError("; ".join(reasons), hint=_how_to_repeat(request, result), partial=result)


def _nothing_tested(request: VerifyRequest, run: ModuleRun) -> ActionError:
    said = run.text or f"`go test` ended with exit code {run.exit_code}"
    if run.exit_code == _USAGE_EXIT_CODE:
        hint = "Correct `go-test-flags`."
        if "requires cgo" in said:
            hint = (
                "Set `CGO_ENABLED: 1` in the `env:` of this step; a C compiler is needed, or take "
                "`-race` out of `go-test-flags`."
            )
        return InputError(f"`go test` refuses its flags: {said}", hint=hint)
    return ModuleError(
        f"No package of `{request.module}` was tested: {said}",
        hint="Correct `go-packages` and `working-directory`, or leave `verify` out of `stages`.",
    )


def _reasons(result: VerifyResult, failed: Sequence[PackageRun]) -> Iterator[str]:
    unbuilt = {one.package: one for one in result.findings if one.kind in _DOES_NOT_BUILD}
    for package, finding in list(unbuilt.items())[:_NAMED]:
        where = f"{finding.location}: " if finding.location else ""
        yield f"{package} does not pass the compiler or vet: {where}{finding.message}"
    if len(unbuilt) > _NAMED:
        yield f"nor do {len(unbuilt) - _NAMED} more packages"
    if result.failed:
        tests = [one.test for one in result.findings if one.test]
        yield f"{result.failed} of {result.tests} tests failed: {_listed(tests)}"
    others = [
        one.result.name
        for one in failed
        if not one.result.failed and not any(f.kind in _DOES_NOT_BUILD for f in one.findings)
    ]
    if others:
        yield f"{_listed(others)} failed outside of a test"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _how_to_repeat(request: VerifyRequest, result: VerifyResult) -> str:
    command = " ".join(("go test", *request.flags))
    first = next(iter(result.findings), None)
    if first and first.test:
        command += f" -run '^{first.test.partition('/')[0]}$'"
    packages = first.package if first else " ".join(request.packages)
    folder = "" if request.module == PurePosixPath() else f" in `{request.module}`"
    return f"See it on your machine with `{command} {packages}`{folder}."


def _suspicions(packages: Sequence[PackageRun], result: VerifyResult) -> list[str]:
    """Say what looks good and may not be."""
    found = []
    for package in packages:
        name = package.result.name
        if package.no_test_ran:
            found.append(f"{name} passed without running a test: does its TestMain call m.Run()?")
        if package.ignored_failures:
            found.append(
                f"{name} passed although {_listed(package.ignored_failures)} reported a failure: "
                "does its TestMain hand the exit code on, does a test print `--- FAIL`?"
            )
    if not result.tests:
        found.append("No test ran: nothing says that this module works.")
    return found


def _warn(log: Log, message: str, title: str) -> None:
    log.annotate(Annotation(Level.WARNING, message, title=title))
