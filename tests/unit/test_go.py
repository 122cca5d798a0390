"""What `go test -json` printed, recorded with Go 1.26, and what is read from it."""

from __future__ import annotations

import pytest

from gitops_action.model.go import PackageAction
from tests.fakes.go_events import counts, recorded, shown


def test_counts_the_tests_of_a_passing_module() -> None:
    """Subtests count and the test around them does not; examples are tests."""
    packages = recorded("passing")

    greeting = packages["example.com/passing/greeting"]
    assert counts(greeting) == (4, 0, 1)
    assert greeting.result.seconds == pytest.approx(0.003, abs=0.01)
    assert (greeting.output, greeting.findings, greeting.ignored_failures) == ("", (), ())
    assert packages["example.com/passing"].result.action is PackageAction.SKIP


def test_points_to_the_failing_line() -> None:
    """Each failed test is found with its file and line, a subtest rather than its parent."""
    packages = recorded("failing")

    greeting, farewell = (
        packages[f"example.com/failing/{name}"] for name in ("greeting", "farewell")
    )
    assert shown(greeting.findings) == [
        ("TEST", "TestHello", "greeting/greeting_test.go:13"),
        ("TEST", "TestSilent", ""),
    ]
    assert shown(farewell.findings) == [("TEST", "TestBye/sub", "farewell/farewell_test.go:16")]
    assert (counts(greeting), counts(farewell)) == ((1, 2, 0), (1, 1, 1))


def test_says_what_the_test_said() -> None:
    """The message is the test's own, with the files named as the repository names them."""
    hello, silent = recorded("failing")["example.com/failing/greeting"].findings

    assert hello.message == (
        "greeting/greeting_test.go:11: about to greet\n"
        "##[error]printed by the failing test\n"
        'greeting/greeting_test.go:13: Hello() = "Hi",\n'
        '    want "Hello"'
    )
    assert silent.message == "The test failed and said nothing."


def test_shows_only_what_failed() -> None:
    """The output of passed tests does not hide that of failed ones."""
    output = recorded("failing")["example.com/failing/farewell"].output

    assert 'farewell/farewell_test.go:16: got "by", want "bye"' in output
    assert "TestBye/fine" not in output


def test_finds_compile_errors() -> None:
    """Every compile error has its file, line and explanation; other packages are tested."""
    packages = recorded("compile")

    app = packages["example.com/compile/app"]
    assert [(str(one.location), one.message) for one in app.findings] == [
        ("app/app.go:4", "undefined: undefinedName"),
        (
            "app/app.go:7",
            "cannot use 42 (untyped int constant) as string value in return statement",
        ),
    ]
    (wrong,) = packages["example.com/compile/wrongtest"].findings
    assert wrong.message == ("not enough arguments in call to Pair\nhave (number)\nwant (int, int)")
    assert shown((wrong,)) == [("COMPILE", "", "wrongtest/wrong_test.go:6")]
    assert "undefined: undefinedName" in app.output
    assert packages["example.com/compile/fine"].result.succeeded


def test_finds_vet_findings() -> None:
    """What vet objects to is told apart from what does not compile."""
    (found,) = recorded("vet")["example.com/vet"].findings

    assert shown((found,)) == [("VET", "", "vet_test.go:9:14")]
    assert found.message.startswith("fmt.Printf format %d has arg")


def test_finds_missing_requirements() -> None:
    """An import that go.mod does not know is found where it is written."""
    (found,) = recorded("setup")["example.com/setup"].findings

    assert shown((found,)) == [("SETUP", "", "setup_test.go:3:8")]
    assert found.message == (
        "no required module provides package example.com/setup/missing; to add it:\n"
        "go get example.com/setup/missing"
    )


def test_points_to_the_line_that_panicked() -> None:
    """A panic is found in the code that panicked, for the subtest that called it."""
    packages = recorded("panic")

    direct, worker = (packages[f"example.com/panic/{name}"] for name in ("direct", "goroutine"))
    assert shown(direct.findings) == [("PANIC", "TestFirst/empty", "direct/direct.go:4")]
    assert shown(worker.findings) == [("PANIC", "TestWorker", "goroutine/goroutine_test.go:10")]
    assert worker.findings[0].message.startswith("panic: worker died\n\ngoroutine 7 [running]:")
    assert counts(direct) == (1, 1, 0)


def test_points_to_the_line_that_hung() -> None:
    """A timeout shows the goroutine of the test, not the one that rang the alarm."""
    timeout = recorded("timeout")["example.com/timeout"]

    assert shown(timeout.findings) == [("TIMEOUT", "TestHangs/sub", "timeout_test.go:9")]
    assert "example.com/timeout.wait(...)" in timeout.findings[0].message
    assert counts(timeout) == (1, 1, 0)


def test_forged_events_fail_no_package() -> None:
    """A test that prints what looks like a failure changes no verdict and no count."""
    forged = recorded("forged")["example.com/forged"]

    assert forged.result.action is PackageAction.PASS
    assert counts(forged) == (1, 0, 0)
    assert (forged.findings, forged.ignored_failures) == ((), ("TestInvented",))


def test_notices_a_testmain_that_runs_nothing() -> None:
    """A package that passed because nothing ran is not like one without tests."""
    assert recorded("testmain")["example.com/testmain"].no_test_ran
    assert not recorded("notests")["example.com/notests"].no_test_ran
    assert not recorded("passing")["example.com/passing/greeting"].no_test_ran


def test_a_package_that_left_early_never_passed() -> None:
    """A test that ends the process with success does not make its package pass."""
    swallowed = recorded("swallowed")["example.com/swallowed"]

    assert swallowed.result.action is PackageAction.UNFINISHED
    assert shown(swallowed.findings) == [
        ("TEST", "TestFails", "swallowed_test.go:14"),
        ("TEST", "TestLeaves", ""),
    ]
