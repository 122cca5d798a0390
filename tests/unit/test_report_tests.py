"""The tests of a run as outputs and in the job summary."""

from __future__ import annotations

from dataclasses import replace

from gitops_action.model.go import Coverage, SlowTest
from gitops_action.outcome import Outcome, Result
from gitops_action.report import outputs
from gitops_action.stages.verify import VerifyResult
from gitops_action.summary import summary

VERIFIED = VerifyResult(
    passed=3,
    failed=0,
    skipped=1,
    go_version="go1.26.8",
    slowest=(SlowTest(package="example.com/x", test="TestSlow|`", seconds=4.25),),
    coverage={"example.com/x": Coverage(3, 1), "example.com/y": Coverage(1, 0)},
)


def outcome(verified: VerifyResult | None) -> Outcome:
    return Outcome(plan=None, result=Result.VERIFIED, verify=verified)


def test_coverage_is_an_output() -> None:
    """A later step reads one number; empty where nothing was measured."""
    nothing = VerifyResult(passed=1, failed=0, skipped=0)
    nearly = replace(VERIFIED, coverage={"example.com/x": Coverage(10_000, 7996)})

    assert outputs(outcome(VERIFIED))["coverage"] == "25.0"
    assert outputs(outcome(nearly))["coverage"] == "79.9"
    assert outputs(outcome(nothing))["coverage"] == ""
    assert outputs(outcome(None))["coverage"] == ""


def test_the_summary_tells_of_the_tests() -> None:
    """With which Go, how much of the code ran, what was slow, and where to look first."""
    lines = summary(outcome(VERIFIED)).replace("\N{NO-BREAK SPACE}", " ").splitlines()

    assert (
        "- **Tests** 3 tests passed, 1 skipped, which cover 25.0 % of the statements; `go1.26.8`"
        in lines
    )
    assert "  - 4.2 s `TestSlow\\|'` in `example.com/x`" in lines
    rows = [line for line in lines if line.startswith("| `")]
    assert rows == ["| `example.com/y` | 1 | 0.0 % |", "| `example.com/x` | 3 | 33.3 % |"]
