"""Whether the tests passed, and if not, what a person should know of it.

A test can print what looks like an event of another test, so that the verdict is that of the exit
code and of the packages, and both must be good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from gitops_action.errors import ActionError, InputError, ModuleError, RunnerError, VerifyError
from gitops_action.model.go import FindingKind, ModuleRun, PackageRun
from gitops_action.stages.verify.ranking import DOES_NOT_BUILD
from gitops_action.stages.verify.request import VerifyRequest, VerifyResult

_NAMED = 5
_FULL = "no space left on device"
_USAGE_EXIT_CODE = 2
# The words of Docker's client, of testcontainers-go, dockertest, and of os/exec.
_LOOKS_FOR_DOCKER = re.compile(
    r"Docker daemon|docker\.sock|[Rr]ootless Docker|Docker (?:host|provider)|"
    r'"docker(?:-compose)?": executable file not found',
)


def failure_of(
    request: VerifyRequest, run: ModuleRun, result: VerifyResult, packages: Sequence[PackageRun]
) -> ActionError | None:
    failed = [package for package in packages if not package.result.succeeded]
    if not packages:
        return _nothing_tested(request, run)
    if run.exit_code == 0 and not failed:
        return _too_little_covered(request, result)
    full = [one for one in result.findings if one.kind in DOES_NOT_BUILD and _FULL in one.message]
    if full:
        return RunnerError(
            f"The tests could not be built, because a disk is full: {full[0].message}",
            hint="Free space on the runner before this step, or use a larger one.",
            partial=result,
        )
    unloaded = [one for one in result.findings if one.kind is FindingKind.SETUP]
    if unloaded:
        first = f"Look at {unloaded[0].location} first. " if unloaded[0].location else ""
        return ModuleError(
            f"{unloaded[0].package} cannot be loaded: {unloaded[0].message}",
            hint=f"{first}Run `go mod tidy` and commit go.mod and go.sum; look at `go-packages` "
            "and `working-directory`. Where there is a go.work, name its modules: "
            "`go-packages: ./a/..., ./b/...`.",
            location=unloaded[0].location,
            partial=result,
        )
    reasons = list(_reasons(result, failed)) or [
        f"`go test` ended with exit code {run.exit_code} although no package failed"
    ]
    if run.timed_out:
        reasons.insert(0, "the tests took longer than a job may")
    hint = _how_to_repeat(request, result)
    if any(_LOOKS_FOR_DOCKER.search(one.message) for one in result.findings):
        hint = (
            "Tests cannot reach Docker here. Run those that need it in a step of your own, before "
            "this one, and let this one begin after it:\n"
            "    stages: build publish promote sync\n" + hint
        )
    return VerifyError("; ".join(reasons), hint=hint, partial=result)


def _too_little_covered(request: VerifyRequest, result: VerifyResult) -> ActionError | None:
    minimum, covered = request.coverage_minimum, result.covered
    if minimum is None or (covered and covered.percent >= minimum):
        return None
    least = sorted(
        (one.percent, name, one.rounded)
        for name, one in result.coverage.items()
        if one.covered < one.statements
    )
    named = ", ".join(f"{name} ({rounded} %)" for _, name, rounded in least[:_NAMED])
    said = f"{covered.rounded} % of the statements" if covered else "no statement"
    return VerifyError(
        f"The tests cover {said}; `coverage-minimum` is {minimum:g} %.",
        hint=f"Least covered: {named}." if named else "Let tests run the module's code.",
        partial=result,
    )


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
    unbuilt = {one.package: one for one in result.findings if one.kind in DOES_NOT_BUILD}
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
        if not one.result.failed and not any(f.kind in DOES_NOT_BUILD for f in one.findings)
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


def suspicions(packages: Sequence[PackageRun], result: VerifyResult) -> list[str]:
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
