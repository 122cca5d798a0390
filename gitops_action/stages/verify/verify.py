"""Runs the module's tests, and says what they found as they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Protocol

from gitops_action.model.go import Finding, ModuleRun, PackageAction, PackageRun, SlowTest
from gitops_action.model.log import Annotation, Level, Log
from gitops_action.stages.verify.ranking import most_useful_first
from gitops_action.stages.verify.request import VerifyRequest, VerifyResult
from gitops_action.stages.verify.verdict import failure_of, suspicions

# GitHub shows ten errors of a step; the last one is left for the run's own failure.
_MOST_ERRORS = 9
_MOST_WARNINGS = 5
_SLOWEST = 5
_SLOW_SECONDS = 1.0
_WORDS = {
    PackageAction.PASS: "ok  ",
    PackageAction.FAIL: "FAIL",
    PackageAction.SKIP: "?   ",
    PackageAction.UNFINISHED: "FAIL",
}


class Go(Protocol):
    @property
    def isolated(self) -> bool:
        """Whether tests run as another user than this action."""

    def verify(
        self,
        module: PurePosixPath,
        packages: Sequence[str],
        flags: Sequence[str],
        variables: Sequence[str],
        *,
        on_package: Callable[[PackageRun], None],
    ) -> ModuleRun:
        """Run the tests of a module, calling back for each package that has ended."""

    def version_in(self, dockerfile: PurePosixPath) -> str:
        """Say with which Go a Dockerfile builds, as `1.26`; empty where it does not say."""


def verify(request: VerifyRequest, *, go: Go, log: Log) -> VerifyResult:
    """Run the tests and say what they found.

    Raises VerifyError with the result as `partial` where they did not all pass, ModuleError where
    the module or a package of it cannot be loaded, InputError where Go refuses the flags or the
    tests may not see a variable, RunnerError where a disk is full.
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

    run = go.verify(
        request.module,
        request.packages,
        request.flags,
        request.variables,
        on_package=on_package,
    )
    result = _result(run, packages)
    if run.text:
        log.foreign(run.text)
    _say_how(run, result, log)
    _compare_versions(request, run, go, log)
    for finding in result.findings[:_MOST_ERRORS]:
        log.annotate(_annotation(finding))
    if failure := failure_of(request, run, result, packages):
        raise failure
    for message in (*run.notes, *suspicions(packages, result))[:_MOST_WARNINGS]:
        _warn(log, message, "Verify")
    return result


def _say(package: PackageRun, log: Log) -> None:
    result = package.result
    failed = f", {result.failed} failed" if result.failed else ""
    count = f"{result.tests} test{'' if result.tests == 1 else 's'}{failed}"
    if result.action is PackageAction.SKIP:
        count = "no test files"
    seconds = "(cached)" if result.cached else f"{result.seconds:.2f}s"
    log.say(f"{_WORDS[result.action]} {result.name}  {seconds}  {count}")
    if not result.succeeded and package.output:
        log.foreign(package.output)


def _say_how(run: ModuleRun, result: VerifyResult, log: Log) -> None:
    """Say with which Go, how long, and how much of the code was run."""
    fetched = ", fetched because go.mod asks for it" if run.fetched else ""
    log.say(
        f"{run.go_version}{fetched}; `go test` took {run.seconds:.1f} s, copying its caches "
        f"{run.cache_seconds:.1f} s"
    )
    if result.covered:
        log.say(f"Coverage: {result.covered.rounded} % of the statements")
    for slow in result.slowest:
        log.say(f"Slow: {slow.seconds:.1f} s {slow.test} in {slow.package}")


def _compare_versions(request: VerifyRequest, run: ModuleRun, go: Go, log: Log) -> None:
    shipped = go.version_in(request.dockerfile) if request.dockerfile else ""
    if shipped and not f"{run.go_version}.".startswith(f"go{shipped}."):
        said = (
            f"{request.dockerfile} builds with Go {shipped}, and the tests ran with "
            f"{run.go_version}. A `toolchain` line in go.mod lets both use one."
        )
        log.annotate(Annotation(Level.NOTICE, said, title="Two versions of Go"))


def _result(run: ModuleRun, packages: Sequence[PackageRun]) -> VerifyResult:
    results = tuple(package.result for package in packages)
    # Packages end in another order each time.
    in_order = sorted(packages, key=lambda package: package.result.name)
    return VerifyResult(
        passed=sum(package.passed for package in results),
        failed=sum(package.failed for package in results),
        skipped=sum(package.skipped for package in results),
        findings=tuple(
            most_useful_first(finding for package in in_order for finding in package.findings)
        ),
        packages=results,
        go_version=run.go_version,
        seconds=run.seconds,
        slowest=_slowest(packages),
        coverage=run.coverage,
    )


def _slowest(packages: Sequence[PackageRun]) -> tuple[SlowTest, ...]:
    tests = (test for package in packages for test in package.slowest)
    ranked = sorted(tests, key=lambda test: test.seconds, reverse=True)
    return tuple(test for test in ranked[:_SLOWEST] if test.seconds >= _SLOW_SECONDS)


def _annotation(finding: Finding) -> Annotation:
    about = f"{finding.test} in {finding.package}" if finding.test else finding.package
    return Annotation(
        Level.ERROR, finding.message, title=f"{finding.kind}: {about}", location=finding.location
    )


def _warn(log: Log, message: str, title: str) -> None:
    log.annotate(Annotation(Level.WARNING, message, title=title))
