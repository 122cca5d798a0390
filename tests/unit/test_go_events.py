"""Events that no recording has: odd, forged, huge, or of a newer Go."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from gitops_action.adapters.go.crash import find_crash
from gitops_action.adapters.go.excerpt import Excerpt
from gitops_action.adapters.go.findings import read_build
from gitops_action.adapters.go.places import Places
from gitops_action.adapters.go.source import locating
from gitops_action.model.go import Finding, FindingKind, PackageAction, PackageResult, PackageRun
from tests.fakes.go_events import ROOT, counts, event, places, read, shown


def test_locations_are_relative_to_the_repository() -> None:
    """A module in a folder gets annotations on the files of that folder."""
    build = {"Action": "build-output", "ImportPath": "p", "Output": "./b.go:2:3: undefined: c\n"}
    sibling = {**build, "Output": "../lib/l.go:4:5: undefined: d\n"}
    outside = {**build, "Output": "../../../usr/local/go/src/fmt/print.go:1:2: undefined: e\n"}
    lines = [json.dumps(one) for one in (build, sibling, outside)]

    packages, _ = read([*lines, event("fail", FailedBuild="p")], places("services/api"))

    assert [str(one.location) for one in packages["example.com/x"].findings] == [
        "services/api/b.go:2",
        "services/lib/l.go:4",
        "None",
    ]


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param("ok  \texample.com/x\t0.001s [no tests to run]\n", id="nothing-matched"),
        pytest.param("\texample.com/x\t\tcoverage: 0.0% of statements\n", id="with-cover"),
    ],
)
def test_does_not_suspect_packages_without_tests(printed: str) -> None:
    """A package in which there is nothing to run is no suspicion."""
    packages, _ = read([event("output", Output=printed), event("pass", Elapsed=0.1)])

    assert not packages["example.com/x"].no_test_ran


def test_uses_gos_own_marks_for_errors() -> None:
    """From Go 1.27 on, what was logged after the error does not move the annotation."""
    lines = [
        event("run", "TestX"),
        event("output", "TestX", Output=f"    {ROOT}/x_test.go:5: context\n"),
        event("output", "TestX", Output=f"    {ROOT}/x_test.go:6: wrong\n", OutputType="error"),
        event("output", "TestX", Output="        very\n", OutputType="error-continue"),
        event("output", "TestX", Output=f"    {ROOT}/x_test.go:9: cleaning up\n"),
        event("fail", "TestX"),
        event("fail"),
    ]

    (found,) = read(lines)[0]["example.com/x"].findings

    assert str(found.location) == "x_test.go:6"
    assert found.message == "x_test.go:6: wrong\n    very"


def test_finds_the_line_by_the_packages_folder_where_paths_are_short() -> None:
    """A helper that prints only a base name still points to its file."""
    name = "example.com/failing/greeting"
    lines = [
        json.dumps({"Action": "run", "Package": name, "Test": "TestX"}),
        json.dumps(
            {"Action": "output", "Package": name, "Test": "TestX", "Output": "    x.go:5: bad\n"}
        ),
        json.dumps({"Action": "fail", "Package": name}),
    ]

    (found,) = read(lines)[0][name].findings

    assert str(found.location) == "greeting/x.go:5"


def test_a_test_that_exits_is_found() -> None:
    """`log.Fatal` in a test ends the binary; what it said is the finding."""
    lines = [
        event("run", "TestX"),
        event("output", "TestX", Output="2026/01/01 00:00:00 no database\n"),
        event("output", Output="exit status 1\n"),
        event("output", Output="FAIL\texample.com/x\t0.1s\n"),
        event("fail", Elapsed=0.1),
    ]

    (found,) = read(lines)[0]["example.com/x"].findings

    assert (found.test, found.message) == ("TestX", "2026/01/01 00:00:00 no database")


def test_a_failure_stays_where_its_test_is_run_again() -> None:
    """With `-count=2` a test that failed and then passed was reported as no test's failure."""
    lines = [
        event("run", "TestX"),
        event("output", "TestX", Output="    x_test.go:3: not yet\n"),
        event("fail", "TestX"),
        event("run", "TestX"),
        event("output", "TestX", Output="    x_test.go:9: fine now\n"),
        event("pass", "TestX"),
        event("fail"),
    ]

    package = read(lines, places(".", "x"))[0]["example.com/x"]

    assert shown(package.findings) == [("TEST", "TestX", "x_test.go:3")]
    assert counts(package) == (0, 1, 0)
    assert "fine now" in package.output


def test_a_test_that_hangs_in_its_second_round_did_not_pass() -> None:
    """With `-count=2` a test that passed once and then ended the binary was reported as passed."""
    lines = [
        event("run", "TestX"),
        event("pass", "TestX"),
        event("run", "TestX"),
        event("output", "TestX", Output="no database\n"),
        event("fail"),
    ]

    package = read(lines)[0]["example.com/x"]

    assert shown(package.findings) == [("TEST", "TestX", "")]
    assert counts(package) == (0, 1, 0)


def test_what_go_prints_about_no_package_is_no_build_error() -> None:
    """With `-work` or `-x` every failed test was reported as a compile error, without its line."""
    lines = [
        json.dumps({"ImportPath": "", "Action": "build-output", "Output": "WORK=/tmp/go-build1\n"}),
        event("run", "TestX"),
        event("output", "TestX", Output="    x_test.go:3: broken\n"),
        event("fail", "TestX"),
        event("fail"),
    ]

    packages, text = read(lines, places(".", "x"))

    assert shown(packages["example.com/x"].findings) == [("TEST", "TestX", "x_test.go:3")]
    assert text == "WORK=/tmp/go-build1"


def test_tests_that_a_crash_ended_are_not_blamed() -> None:
    """Of the tests that were under way, only the one that panicked is a finding."""
    stack = f"goroutine 9 [running]:\nexample.com/x.TestB(0x1)\n\t{ROOT}/x_test.go:3 +0x1\n"
    lines = [
        event("run", "TestA"),
        event("output", "TestA", Output="still working\n"),
        event("run", "TestP"),
        event("pause", "TestP"),
        event("run", "TestB"),
        event("output", "TestB", Output=f"panic: boom\n\n{stack}"),
        event("fail", "TestB"),
        event("fail"),
    ]

    package = read(lines)[0]["example.com/x"]

    assert shown(package.findings) == [("PANIC", "TestB", "x_test.go:3")]
    assert counts(package) == (0, 1, 0)


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "{",
        "[]",
        "null",
        '"text"',
        "1e999",
        "[" * 20_000,
        '{"Action": 3, "Package": "x"}',
        '{"Action": "output", "Package": ["x"]}',
        "\x00\ufffd",
    ],
    ids=range(10),
)
def test_lines_that_are_no_events_are_text(line: str) -> None:
    """Whatever a test or `go` writes into the stream, it is kept and nothing breaks."""
    packages, text = read([line, event("pass")])

    assert packages["example.com/x"].result.succeeded
    assert text == line.strip()


@pytest.mark.parametrize("elapsed", ["x", -1, 1e300, True, None, [], float("nan")])
def test_odd_times_are_no_times(elapsed: object) -> None:
    """A forged duration does not break the report."""
    packages, _ = read([event("pass", Elapsed=elapsed)])

    assert packages["example.com/x"].result.seconds in {0.0, 1.0}


def test_odd_events_break_nothing() -> None:
    """Events in an order that Go never prints are read as far as they make sense."""
    lines = [
        event("pass", "TestNeverStarted"),
        event("output", "TestA/b", Output="x"),
        event("run", "TestA/b"),
        event("unknown"),
        event("unknown", "TestA/b"),
        json.dumps({"Action": "build-fail", "ImportPath": "p"}),
        event("fail", FailedBuild="never-built"),
        event("fail"),
    ]

    packages, _ = read(lines)

    assert packages["example.com/x"].result.action is PackageAction.FAIL


def test_long_messages_are_cut() -> None:
    """A message fits into an annotation."""
    lines = [
        event("run", "TestX"),
        event("output", "TestX", Output=f"    {ROOT}/x_test.go:5: {'long ' * 20_000}\n"),
        event("fail", "TestX"),
        event("fail"),
    ]

    (found,) = read(lines)[0]["example.com/x"].findings

    assert len(found.message) <= 4000
    assert str(found.location) == "x_test.go:5"


def test_an_excerpt_keeps_both_ends() -> None:
    """A test that prints without end fills no memory, and its first and last words stay."""
    excerpt = Excerpt()

    excerpt.add("first\n")
    for _ in range(50_000):
        excerpt.add("noise " * 10)
    excerpt.add("last\n")

    text = str(excerpt)
    assert text.startswith("first\n")
    assert text.endswith("last\n")
    assert "characters left out" in text
    assert len(text) < 100_000


def test_a_crash_without_goroutines_is_no_crash() -> None:
    """A test that merely prints the word panic is a failed test."""
    assert find_crash("panic: is what we expect\n", "TestX", places()) is None


def test_a_crash_outside_the_repository_has_no_place() -> None:
    """A crash in Go's own code is told without pointing at a file that is not there."""
    text = (
        "fatal error: all goroutines are asleep\n\ngoroutine 1 [select]:\nmain()\n\t/usr/x.go:1\n"
    )

    crash = find_crash(text, "", places())

    assert crash is not None
    assert (crash.kind, crash.location) == (FindingKind.PANIC, None)


def test_build_output_without_a_line_is_told_whole() -> None:
    """What the linker says about no file is a finding all the same."""
    said = "# example.com/x\nimport cycle not allowed\n"
    build = {"Action": "build-output", "ImportPath": "p", "Output": said}

    packages, _ = read([json.dumps(build), event("fail", FailedBuild="p")])

    (found,) = packages["example.com/x"].findings
    assert (found.kind, found.message) == (FindingKind.COMPILE, "import cycle not allowed")


def test_a_syntax_error_is_found_where_coverage_reads_the_file() -> None:
    """A syntax error was a vet finding without a line: cmd/cover meets it before the compiler."""
    build = (
        "# example.com/failing/w\n# [/usr/local/go/pkg/tool/linux_amd64/cover -mode set w/a.go]\n"
        f"2026/11/29 13:35:11 cover: {ROOT}/w/a.go: {ROOT}/w/a.go:5:2: expected operand\n"
    )

    (found,) = read_build("example.com/failing/w", build, "", places())

    assert (found.kind, found.message) == (FindingKind.COMPILE, "expected operand")
    assert str(found.location) == "w/a.go:5"


@pytest.mark.parametrize(
    ("heading", "file"),
    [
        ("example.com/failing/w", "w/grammar.y"),
        ("example.com/failing/w [example.com/failing/w.test]", "w/grammar.y"),
        ("example.com/failing/w_test [example.com/failing/w.test]", "w/grammar.y"),
        ("example.org/elsewhere", "grammar.y"),
    ],
)
def test_generated_code_is_found_in_the_folder_of_its_package(heading: str, file: str) -> None:
    """A `//line grammar.y:2` of a package in a folder was annotated in the module's root."""
    (found,) = read_build(
        "example.com/failing/needs-w", f"# {heading}\ngrammar.y:2: no\n", "", places(".", "failing")
    )

    assert str(found.location) == f"{file}:2"


def test_a_package_that_crashes_outside_of_its_tests_is_found() -> None:
    """A panic in an init function points to its line."""
    said = f"panic: no\n\ngoroutine 1 [running]:\nexample.com/x.init.0()\n\t{ROOT}/x.go:7 +0x1\n"

    packages, _ = read([event("output", Output=said), event("fail")])

    assert shown(packages["example.com/x"].findings) == [("PANIC", "", "x.go:7")]


def test_files_of_packages_outside_the_module_have_no_place() -> None:
    """A short file name of a package that is not ours is not guessed."""
    assert places(".", "failing").location("x.go", 1, package="example.org/other") is None
    assert Places(root=ROOT, module=PurePosixPath()).folder("example.com/x") is None


def test_a_silent_test_is_found_where_it_is_written(tmp_path: Path) -> None:
    """A test that failed without a word is annotated at its first line."""
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "a_test.go").write_text("package api\n")
    (tmp_path / "api" / "b_test.go").write_text("package api\n\nfunc TestX(t *testing.T) {}\n")
    (tmp_path / "api" / "gone_test.go").symlink_to("absent")
    seen: list[PackageRun] = []
    where = Places(root=ROOT, module=PurePosixPath(), modules={"m": PurePosixPath()})
    findings = [
        Finding(kind=FindingKind.TEST, package=package, test=test, message="")
        for package, test in (("m/api", "TestX/sub"), ("m/api", "TestGone"), ("other", "TestX"))
    ]
    result = PackageResult(name="m/api", action=PackageAction.FAIL)

    locating(seen.append, tmp_path, where)(PackageRun(result=result, findings=tuple(findings)))

    assert [str(one.location) for one in seen[0].findings] == ["api/b_test.go:3", "None", "None"]
