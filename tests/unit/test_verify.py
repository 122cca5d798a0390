"""The verdict of the tests, and what a person reads about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from gitops_action.errors import InputError, ModuleError, RunnerError, VerifyError
from gitops_action.model.go import (
    Coverage,
    Finding,
    FindingKind,
    ModuleRun,
    PackageAction,
    PackageResult,
    PackageRun,
    SlowTest,
)
from gitops_action.model.log import Level
from gitops_action.model.source import Location
from gitops_action.stages.verify import VerifyRequest, VerifyResult, verify
from tests.fakes.go import FakeGo, MemoryLog

REQUEST = VerifyRequest(module=PurePosixPath(), packages=("./...",), flags=("-timeout", "5m"))


def package(
    name: str = "example.com/x",
    action: PackageAction = PackageAction.PASS,
    passed: int = 1,
    failed: int = 0,
    skipped: int = 0,
) -> PackageResult:
    return PackageResult(
        name=name, action=action, seconds=0.123, passed=passed, failed=failed, skipped=skipped
    )


def finding(
    test: str = "",
    file: str = "x_test.go",
    line: int = 1,
    kind: FindingKind = FindingKind.TEST,
    message: str = "got 1, want 2",
) -> Finding:
    return Finding(
        kind=kind,
        package="example.com/x",
        test=test,
        message=message,
        location=Location(PurePosixPath(file), line) if file else None,
    )


def failed_package(*findings: Finding, passed: int = 0) -> PackageRun:
    tests = sum(bool(one.test) for one in findings)
    return PackageRun(
        result=package(action=PackageAction.FAIL, passed=passed, failed=tests),
        findings=findings,
        output="--- FAIL\n##[error]printed by a test\n",
    )


def ended(exit_code: int, text: str = "") -> ModuleRun:
    return ModuleRun(exit_code=exit_code, go_version="go1.26.8", seconds=2.5, text=text)


def result_of(error: VerifyError | ModuleError) -> VerifyResult:
    assert isinstance(error.partial, VerifyResult)
    return error.partial


def test_passes_when_go_and_every_package_say_so() -> None:
    """Green tests let the run go on, counted and timed."""
    untested = PackageResult(name="example.com/y", action=PackageAction.SKIP)
    go = FakeGo([PackageRun(result=package(passed=12, skipped=1)), PackageRun(result=untested)])
    log = MemoryLog()

    result = verify(REQUEST, go=go, log=log)

    assert (result.passed, result.failed, result.skipped, result.tests) == (12, 0, 1, 13)
    assert (result.go_version, result.findings) == ("go1.26.8", ())
    assert log.lines == [
        "ok   example.com/x  0.12s  13 tests",
        "?    example.com/y  0.00s  no test files",
        "go1.26.8; `go test` took 0.0 s, copying its caches 0.0 s",
    ]
    assert log.annotations == []


def test_names_the_failed_tests() -> None:
    """A person reads which tests failed, where, and how to see it on their own machine."""
    findings = (finding("TestHello", line=7), finding("TestBye/sub", "bye_test.go", 9))
    go = FakeGo([failed_package(*findings, passed=12)], ended(1))
    log = MemoryLog()

    with pytest.raises(VerifyError) as raised:
        verify(REQUEST, go=go, log=log)

    assert raised.value.message == "2 of 14 tests failed: TestHello, TestBye/sub"
    assert any(line.endswith("  14 tests, 2 failed") for line in log.lines)
    assert "`go test -timeout 5m -run '^TestHello$' example.com/x`" in raised.value.hint
    assert result_of(raised.value).findings == findings
    assert [(str(one.location), one.title) for one in log.of(Level.ERROR)] == [
        ("x_test.go:7", "Failed test: TestHello in example.com/x"),
        ("bye_test.go:9", "Failed test: TestBye/sub in example.com/x"),
    ]


def test_shows_what_failed_packages_printed_as_foreign_text() -> None:
    """What a test prints stands open where it failed, and cannot give the runner orders."""
    log = MemoryLog()

    with pytest.raises(VerifyError):
        verify(REQUEST, go=FakeGo([failed_package(finding("TestX"))], ended(1)), log=log)

    assert log.groups == []
    assert log.fenced == ["--- FAIL\n##[error]printed by a test\n"]
    assert not any("##[" in line for line in log.lines)


def test_compile_errors_come_first_and_files_take_turns() -> None:
    """The few annotations that GitHub shows are the most useful ones."""
    findings = [
        finding("TestA", "a_test.go", 1),
        finding("TestB", "a_test.go", 2),
        finding("TestC", "c_test.go", 3),
        finding(file="d.go", line=4, kind=FindingKind.COMPILE, message="undefined: x"),
        finding(file="d.go", line=5, kind=FindingKind.COMPILE, message="undefined: y"),
        finding(file="e.go", line=6, kind=FindingKind.VET, message="wrong verb"),
    ]

    with pytest.raises(VerifyError) as raised:
        verify(REQUEST, go=FakeGo([failed_package(*findings)], ended(1)), log=MemoryLog())

    order = [one.location.line for one in result_of(raised.value).findings if one.location]
    assert order == [4, 6, 5, 1, 3, 2]


def test_annotates_no_more_than_github_shows() -> None:
    """One annotation is left for the failure of the run; the result has all findings."""
    findings = [finding(f"Test{number}", f"f{number}_test.go") for number in range(25)]
    log = MemoryLog()

    with pytest.raises(VerifyError) as raised:
        verify(REQUEST, go=FakeGo([failed_package(*findings)], ended(1)), log=log)

    assert len(log.of(Level.ERROR)) == 9
    assert len(result_of(raised.value).findings) == 25
    assert raised.value.message.endswith("Test0, Test1, Test2, Test3, Test4 and 20 more")


def test_a_package_that_does_not_compile_is_told_once() -> None:
    """A compile error in a package that many need is one finding."""
    broken = finding(kind=FindingKind.COMPILE, file="dep/dep.go", line=4, message="undefined: y")
    log = MemoryLog()

    with pytest.raises(VerifyError) as raised:
        verify(
            REQUEST, go=FakeGo([failed_package(broken), failed_package(broken)], ended(1)), log=log
        )

    assert raised.value.message == (
        "example.com/x does not pass the compiler or vet: dep/dep.go:4: undefined: y"
    )
    assert len(log.of(Level.ERROR)) == 1


@pytest.mark.parametrize("action", [PackageAction.FAIL, PackageAction.UNFINISHED])
def test_exit_code_zero_does_not_make_a_failed_package_pass(action: PackageAction) -> None:
    """A package that never said that it passed stops the run."""
    crashed = PackageRun(
        result=package(action=action, passed=3),
        findings=(finding(kind=FindingKind.PACKAGE, file="", message="exit status 3"),),
    )

    with pytest.raises(VerifyError, match=r"example\.com/x failed outside of a test"):
        verify(REQUEST, go=FakeGo([crashed], ended(0)), log=MemoryLog())


def test_passing_packages_do_not_make_a_failed_exit_code_pass() -> None:
    """Events that a test forged cannot turn red into green."""
    go = FakeGo([PackageRun(result=package())], ended(1, "go: something went wrong"))
    log = MemoryLog()

    with pytest.raises(VerifyError, match="exit code 1 although no package failed"):
        verify(REQUEST, go=go, log=log)

    assert log.fenced == ["go: something went wrong"]


def test_a_run_that_took_too_long_says_so() -> None:
    """The longest time a job may take ends the tests, with the reason first."""
    run = ModuleRun(exit_code=-9, go_version="go1.26.8", timed_out=True)
    hung = PackageRun(result=package(action=PackageAction.UNFINISHED))

    with pytest.raises(VerifyError, match=r"^the tests took longer than a job may; "):
        verify(REQUEST, go=FakeGo([hung], run), log=MemoryLog())


def test_a_package_that_cannot_be_loaded_is_the_modules_fault() -> None:
    """A missing requirement is explained with the command that adds it, and with its line."""
    missing = finding(kind=FindingKind.SETUP, file="x.go", line=3, message="no required module")

    with pytest.raises(ModuleError, match="cannot be loaded: no required module") as raised:
        verify(REQUEST, go=FakeGo([failed_package(missing)], ended(1)), log=MemoryLog())

    assert raised.value.hint.startswith("Look at x.go:3 first. Run `go mod tidy`")
    assert str(raised.value.location) == "x.go:3"


@pytest.mark.parametrize(
    ("run", "error", "hint"),
    [
        pytest.param(ended(1, "no packages to test"), ModuleError, "go-packages", id="no-package"),
        pytest.param(ended(0), ModuleError, "go-packages", id="nothing-at-all"),
        pytest.param(
            ended(2, 'invalid value "x" for flag -timeout'), InputError, "go-test-flags", id="flag"
        ),
        pytest.param(
            ended(2, "go: -race requires cgo"), InputError, "CGO_ENABLED: 1", id="race-without-cgo"
        ),
    ],
)
def test_a_run_without_packages_is_never_green(
    run: ModuleRun, error: type[Exception], hint: str
) -> None:
    """What was not tested is not published, and the message says what to correct."""
    with pytest.raises(error) as raised:
        verify(REQUEST, go=FakeGo(run=run), log=MemoryLog())

    assert hint in getattr(raised.value, "hint", "")


@pytest.mark.parametrize(
    ("run", "warning"),
    [
        pytest.param(
            PackageRun(result=package(passed=0), no_test_ran=True),
            "does its TestMain call m.Run()?",
            id="testmain-leaves",
        ),
        pytest.param(
            PackageRun(result=package(), ignored_failures=("TestX",)),
            "passed although TestX reported a failure",
            id="failure-swallowed-or-forged",
        ),
        pytest.param(
            PackageRun(result=package(action=PackageAction.SKIP, passed=0)),
            "No test ran",
            id="no-tests",
        ),
    ],
)
def test_warns_of_a_green_that_says_little(run: PackageRun, warning: str) -> None:
    """Tests that pass without having tested are pointed out, and the run goes on."""
    log = MemoryLog()

    result = verify(REQUEST, go=FakeGo([run]), log=log)

    assert result.failed == 0
    assert any(warning in one.message for one in log.of(Level.WARNING))


def test_warns_where_tests_are_not_isolated() -> None:
    """On a laptop the developer knows that tests run as themselves."""
    log = MemoryLog()

    verify(REQUEST, go=FakeGo([PackageRun(result=package())], isolated=False), log=log)

    assert [one.title for one in log.of(Level.WARNING)] == ["Tests are not isolated"]


def test_a_module_in_a_folder_is_repeated_there() -> None:
    """The command that repeats a failure names the folder to stand in."""
    request = VerifyRequest(module=PurePosixPath("services/api"), packages=("./...",), flags=())
    go = FakeGo([PackageRun(result=package(action=PackageAction.FAIL))], ended(1))

    with pytest.raises(VerifyError) as raised:
        verify(request, go=go, log=MemoryLog())

    assert raised.value.hint == ("See it on your machine with `go test ./...` in `services/api`.")
    assert go.asked == (PurePosixPath("services/api"), ("./...",), (), ())


def test_a_full_disk_is_not_the_code_s_fault() -> None:
    """What the compiler could not write is told to whoever looks after the runner."""
    full = finding(
        kind=FindingKind.COMPILE, file="", line=0, message="write x: no space left on device"
    )

    with pytest.raises(RunnerError, match="a disk is full") as raised:
        verify(REQUEST, go=FakeGo([failed_package(full)], ended(1)), log=MemoryLog())

    assert isinstance(raised.value.partial, VerifyResult)


def test_many_broken_packages_are_counted() -> None:
    """A message stays readable when everything is broken."""
    broken = [
        PackageRun(
            result=package(f"example.com/p{number}", PackageAction.FAIL, passed=0),
            findings=(
                Finding(
                    kind=FindingKind.COMPILE, package=f"example.com/p{number}", message="broken"
                ),
            ),
        )
        for number in range(7)
    ]

    with pytest.raises(VerifyError, match="nor do 2 more packages"):
        verify(REQUEST, go=FakeGo(broken, ended(1)), log=MemoryLog())


def covered(*, minimum: float | None, covered: int) -> tuple[VerifyRequest, FakeGo]:
    run = replace(ended(0), coverage={"example.com/x": Coverage(10_000, covered)})
    return replace(REQUEST, coverage_minimum=minimum), FakeGo([PackageRun(result=package())], run)


@pytest.mark.parametrize(
    ("minimum", "statements"), [(None, 0), (80.0, 8000), (79.96, 7996), (0.0, 0)]
)
def test_enough_coverage_passes(minimum: float | None, statements: int) -> None:
    """`coverage-minimum` is reached by exactly that much."""
    request, go = covered(minimum=minimum, covered=statements)

    result = verify(request, go=go, log=MemoryLog())

    assert result.covered == Coverage(10_000, statements)


def test_too_little_coverage_is_never_rounded_up() -> None:
    """79.96 % is not 80 %, in the log and the output too; the message says where to begin."""
    request, go = covered(minimum=80.0, covered=7996)
    log = MemoryLog()

    with pytest.raises(VerifyError) as raised:
        verify(request, go=go, log=log)

    assert raised.value.message == (
        "The tests cover 79.9 % of the statements; `coverage-minimum` is 80 %."
    )
    assert raised.value.hint == "Least covered: example.com/x (79.9 %)."
    assert "Coverage: 79.9 % of the statements" in log.lines


def test_unknown_coverage_is_not_enough() -> None:
    """A module without a statement, or tests that took the profile away, do not pass a gate."""
    request, go = covered(minimum=1.0, covered=0)
    go.run = ended(0)

    with pytest.raises(VerifyError, match="cover no statement"):
        verify(request, go=go, log=MemoryLog())


@pytest.mark.parametrize(
    "said",
    [
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock",
        "rootless Docker not found: failed to create Docker provider",
        'exec: "docker": executable file not found in $PATH',
    ],
)
def test_tests_that_look_for_docker_get_a_way_out(said: str) -> None:
    """Docker is out of reach on purpose: the hint shows the lines to write instead."""
    go = FakeGo([failed_package(finding("TestDatabase", message=said))], ended(1))

    with pytest.raises(VerifyError) as raised:
        verify(REQUEST, go=go, log=MemoryLog())

    assert "    stages: build publish promote sync\n" in raised.value.hint


@pytest.mark.parametrize(("shipped", "notices"), [("1.26", 0), ("1.25", 1), ("1.2", 1), ("", 0)])
def test_another_go_in_the_dockerfile_is_noticed(shipped: str, notices: int) -> None:
    """What is tested with one Go and shipped with another is said, and fails nothing."""
    go = FakeGo([PackageRun(result=package())], ended(0), dockerfile_version=shipped)
    request = replace(REQUEST, dockerfile=PurePosixPath("Dockerfile"))
    log = MemoryLog()

    verify(request, go=go, log=log)

    assert len(log.of(Level.NOTICE)) == notices


def test_the_log_says_with_which_go_and_what_is_slow() -> None:
    """A fetched Go, the coverage and the slowest tests stand below the packages."""
    slow = [
        SlowTest(package="example.com/x", test=f"Test{number}", seconds=number / 2)
        for number in range(10)
    ]
    run = replace(
        ended(0),
        fetched=True,
        cache_seconds=0.25,
        coverage={"a": Coverage(3, 1)},
        notes=("Go's caches were not kept: No space left on device.",),
    )
    go = FakeGo([PackageRun(result=package(), slowest=tuple(slow))], run)
    log = MemoryLog()

    result = verify(REQUEST, go=go, log=log)

    assert log.lines[1].startswith("go1.26.8, fetched because go.mod asks for it; ")
    assert log.lines[2:4] == [
        "Coverage: 33.3 % of the statements",
        "Slow: 4.5 s Test9 in example.com/x",
    ]
    assert [one.test for one in result.slowest] == ["Test9", "Test8", "Test7", "Test6", "Test5"]
    assert "not kept" in log.of(Level.WARNING)[0].message
