"""One package while its tests run: its events -> its result and findings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gitops_action.adapters.go.crash import find_crash
from gitops_action.adapters.go.excerpt import Excerpt
from gitops_action.adapters.go.findings import read_build, read_package, read_test, words_of_test
from gitops_action.adapters.go.places import Places
from gitops_action.adapters.go.race import RACED, find_race
from gitops_action.model.go import (
    Finding,
    FindingKind,
    PackageAction,
    PackageResult,
    PackageRun,
    SlowTest,
)

_ENDS = {"pass", "fail", "skip"}
_CRASHES = {FindingKind.PANIC, FindingKind.TIMEOUT}
# `go test` prints the first line where a test binary ended well, and the note where `testing`
# itself saw that there was nothing to run. A TestMain that leaves early prints no note.
_ENDED_WELL = re.compile(r"^ok  \t", re.MULTILINE)
_SLOWEST = 5
_NOTHING_TO_RUN = "[no tests to run]"
_CACHED = re.compile(r"^ok  \t.*\(cached\)", re.MULTILINE)


@dataclass(slots=True)
class _Run:
    """One test: `parent` is the test that started it, `action` how it ended, empty until then.

    `again` means that it failed and is run once more, by `-count` or `-cpu`: the failure stays.
    `left` means that `go test` said the package's result in its place.
    """

    name: str
    parent: str
    started: bool
    action: str = ""
    paused: bool = False
    again: bool = False
    left: bool = False
    seconds: float = 0.0
    output: Excerpt = field(default_factory=Excerpt)
    errors: Excerpt = field(default_factory=Excerpt)


class Package:
    """Collects the events of one package; passed tests leave nothing but their name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._runs: dict[str, _Run] = {}
        self._output = Excerpt()

    def add_output(self, test: str, text: str, *, error: bool) -> None:
        """Keep what the package (`test` is empty) or one of its tests printed."""
        run = self._run(test) if test else None
        if run is None or run.again:
            self._output.add(text)
            return
        run.output.add(text)
        run.left |= text.startswith(f"ok  \t{self.name}\t")
        if error:
            run.errors.add(text)

    def note(self, test: str, action: str, seconds: float) -> None:
        """Note that a test started, paused, went on or ended, after so many seconds."""
        run = self._run(test, started=action == "run")
        run.again |= action == "run" and run.action == "fail"
        if run.again:
            return
        if action == "run":
            run.action = ""
        run.paused = action == "pause"
        if action in _ENDS:
            run.action, run.seconds = action, seconds
        if action in {"pass", "skip"}:
            run.output, run.errors = Excerpt(), Excerpt()

    def end(
        self, action: PackageAction, seconds: float, build: str | None, places: Places
    ) -> PackageRun:
        """Say how the package ended; `build` is what its failed build printed."""
        result = PackageResult(name=self.name, action=action, seconds=seconds)
        for run in self._runs.values():
            if run.left and action is PackageAction.UNFINISHED:
                run.action = ""  # `go test` took its exit for a pass
        passed, skipped = self._count("pass"), self._count("skip")
        printed = str(self._output)
        if result.succeeded:
            ran = any(run.started for run in self._runs.values())
            return PackageRun(
                result=replace(
                    result, passed=passed, skipped=skipped, cached=bool(_CACHED.search(printed))
                ),
                no_test_ran=not ran
                and bool(_ENDED_WELL.search(printed))
                and _NOTHING_TO_RUN not in printed,
                ignored_failures=tuple(
                    run.name for run in self._runs.values() if run.action == "fail"
                ),
                slowest=self._slowest(),
            )
        findings = self._findings(printed, places) if build is None else []
        failed = len(findings)
        if build is not None:
            findings = read_build(self.name, build, printed, places)
        texts = [build or "", *(str(run.output) for run in self._failed()), printed]
        return PackageRun(
            result=replace(result, passed=passed, failed=failed, skipped=skipped),
            findings=tuple(findings or [read_package(self.name, printed, places)]),
            output=places.shorten("".join(texts)),
            slowest=self._slowest(),
        )

    def _findings(self, printed: str, places: Places) -> list[Finding]:
        """Read the failed tests, leaving out those that only a crash elsewhere ended."""
        failed = list(self._failed())
        ancestors = {name for run in failed for name in self._ancestors(run)}
        timeout = self._timeout(failed, printed, places)
        pairs = [
            (run, self._read(run, timeout, places)) for run in failed if run.name not in ancestors
        ]
        crashed = any(finding.kind in _CRASHES for _, finding in pairs) or bool(
            find_crash(printed, "", places)
        )
        return [
            finding
            for run, finding in pairs
            if run.action or finding.kind in _CRASHES or not crashed
        ]

    def _read(self, run: _Run, timeout: str, places: Places) -> Finding:
        text = str(run.output)
        if run.left and not run.action:
            message = "The test ended its test binary, and with it all tests that were to follow."
            return Finding(kind=FindingKind.TEST, package=self.name, test=run.name, message=message)
        if timeout and not run.action:
            text = timeout
        elif not words_of_test(text):
            # A subtest that panics says so in the output of the test that started it.
            said = (str(self._runs[name].output) for name in self._ancestors(run))
            text = next((one for one in said if find_crash(one, run.name, places)), text)
        elif RACED in text and not find_race(text, places):
            # Two tests that run at once share the report: it stands with one of them.
            texts = (str(self._output), *(str(one.output) for one in self._runs.values()))
            text = next((one for one in texts if find_race(one, places)), text)
        return read_test(self.name, run.name, text, str(run.errors), places)

    def _timeout(self, failed: list[_Run], printed: str, places: Places) -> str:
        """Find the text of a timeout, which stands with whichever test printed last."""
        for text in (*(str(run.output) for run in failed), printed):
            crash = find_crash(text, "", places)
            if crash and crash.kind is FindingKind.TIMEOUT:
                return text
        return ""

    def _run(self, test: str, *, started: bool = False) -> _Run:
        run = self._runs.get(test)
        if run is None:
            run = self._runs[test] = _Run(test, self._parent(test), started)
        run.started |= started
        return run

    def _parent(self, test: str) -> str:
        """Find the test that started a subtest, whose own name may contain slashes."""
        while "/" in test:
            test = test.rpartition("/")[0]
            if test in self._runs:
                return test
        return ""

    def _ancestors(self, run: _Run) -> Iterator[str]:
        while run.parent:
            yield run.parent
            run = self._runs[run.parent]

    def _failed(self) -> Iterator[_Run]:
        """Go through the tests that failed or did not end; forged ones never started."""
        for run in self._runs.values():
            if run.started and (run.action == "fail" or not (run.action or run.paused)):
                yield run

    def _slowest(self) -> tuple[SlowTest, ...]:
        runs = [run for run in self._runs.values() if run.started and not run.parent]
        runs.sort(key=lambda run: run.seconds, reverse=True)
        return tuple(
            SlowTest(package=self.name, test=run.name, seconds=run.seconds)
            for run in runs[:_SLOWEST]
        )

    def _count(self, action: str) -> int:
        parents = {run.parent for run in self._runs.values() if run.started}
        return sum(
            run.started and run.action == action and run.name not in parents
            for run in self._runs.values()
        )
