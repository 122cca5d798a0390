"""Reports of the race detector: both stacks, on the line that touched what another did."""

from __future__ import annotations

from tests.fakes.go_events import ROOT, event, read, shown

REPORT = f"""==================
WARNING: DATA RACE
Read at 0x00c000018298 by goroutine 8:
  internal/race.Read()
      /usr/local/go/src/internal/race/race.go:40 +0x44
  example.com/x.(*Counter).Add()
      {ROOT}/counter.go:6 +0x90

Previous write at 0x00c000018298 by goroutine 7:
  example.com/x.TestRace()
      {ROOT}/race_test.go:12 +0xfa

Goroutine 8 (running) created at:
  example.com/x.TestRace()
      {ROOT}/race_test.go:8 +0xf9
==================
"""
RACED = "    /usr/local/go/src/testing/testing.go:1712: race detected during execution of test\n"


def test_both_stacks_are_shown_at_the_first_line_of_ours() -> None:
    """The finding stands where the repository's own code raced, not in the standard library."""
    lines = [
        event("run", "TestRace"),
        event("output", "TestRace", Output=REPORT),
        event("output", "TestRace", Output=RACED),
        event("fail", "TestRace"),
        event("fail"),
    ]

    package = read(lines)[0]["example.com/x"]

    assert shown(package.findings) == [("RACE", "TestRace", "counter.go:6")]
    message = package.findings[0].message
    assert "counter.go:6" in message
    assert "race_test.go:12" in message
    assert ROOT not in message


def test_tests_that_run_at_once_share_a_report() -> None:
    """The detector writes into whichever test printed last; each that failed for it has it."""
    lines = [
        event("run", "TestA"),
        event("run", "TestB"),
        event("output", "TestB", Output=REPORT),
        event("output", "TestB", Output=RACED),
        event("fail", "TestB"),
        event("output", "TestA", Output=RACED),
        event("fail", "TestA"),
        event("fail"),
    ]

    package = read(lines)[0]["example.com/x"]

    assert shown(package.findings) == [
        ("RACE", "TestA", "counter.go:6"),
        ("RACE", "TestB", "counter.go:6"),
    ]


def test_a_race_outside_of_a_test_fails_its_package() -> None:
    """A goroutine that races after the tests have ended is found all the same."""
    lines = [
        event("run", "TestA"),
        event("pass", "TestA"),
        event("output", Output=REPORT + "Found 1 data race(s)\n"),
        event("fail"),
    ]

    package = read(lines)[0]["example.com/x"]

    assert shown(package.findings) == [("RACE", "", "counter.go:6")]


def test_a_report_that_was_cut_is_no_report() -> None:
    """Half a report, or words like it, are what the test said."""
    lines = [
        event("run", "TestA"),
        event("output", "TestA", Output="WARNING: DATA RACE\nRead at"),
        event("output", "TestA", Output=RACED),
        event("fail", "TestA"),
        event("fail"),
    ]

    package = read(lines)[0]["example.com/x"]

    assert [finding[0] for finding in shown(package.findings)] == ["TEST"]


def test_the_slowest_tests_are_named() -> None:
    """Of each package, the tests that took longest, subtests in their parents."""
    seconds = {"TestA": 0.5, "TestB": 2.0, "TestB/sub": 1.9, "TestC": 1.0}
    lines = [event("run", name) for name in seconds]
    lines += [event("pass", name, Elapsed=took) for name, took in seconds.items()]

    package = read([*lines, event("pass")])[0]["example.com/x"]

    assert [(one.test, one.seconds) for one in package.slowest] == [
        ("TestB", 2.0),
        ("TestC", 1.0),
        ("TestA", 0.5),
    ]
