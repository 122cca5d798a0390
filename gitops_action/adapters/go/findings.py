"""Go's words -> findings: what did not compile, which test failed, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_action.adapters.go.crash import find_crash, frame_location
from gitops_action.adapters.go.places import Places
from gitops_action.adapters.go.race import find_race
from gitops_action.model.go import Finding, FindingKind
from gitops_action.model.source import Location

# GitHub cuts an annotation at 4096 characters: runner.md of actions/runner, ExecutionContext.cs.
_LONGEST_MESSAGE = 4000
# What `-coverprofile` makes of a file is read before the compiler reads it: cmd/cover.
_PROBLEM = re.compile(
    r"^(?:vet: |\S+ \S+ cover: [^:]+: )?"
    r"(?P<file>[^\s:][^:]*):(?P<line>\d+)(?::(?P<column>\d+))?: (?P<message>.*)$"
)
# The name of the package that vet read; another tool's whole command stands there too.
_VET_HEADING = re.compile(r"^# \[\S+(?: \[\S+\])?\]$", re.MULTILINE)
# The package that does not build, which another one may need.
_HEADING = re.compile(r"^# (?P<package>[^\s\[]+?)(?:_test(?= ))?(?: \[|$)")
_SETUP_FAILED = "[setup failed]"
# The lines that frame a test's own output in `go test -v`.
_FRAME = re.compile(r"^\s*(?:=== (?:RUN|PAUSE|CONT|NAME) |--- (?:PASS|FAIL|SKIP): )")
_ERROR_LINE = re.compile(r"^ +(?P<file>[^\s:][^:]*\.go):(?P<line>\d+): ?")


def read_build(package: str, build: str, output: str, places: Places) -> list[Finding]:
    """Read what the compiler, vet or the package loader said: one finding for each problem."""
    kind = FindingKind.COMPILE
    if _SETUP_FAILED in output:
        kind = FindingKind.SETUP
    elif _VET_HEADING.search(build):
        kind = FindingKind.VET
    findings = [
        Finding(
            kind=kind, package=package, message=_cut(places.shorten(message)), location=location
        )
        for location, message in _problems(
            package, build, places, columns=kind is not FindingKind.COMPILE
        )
    ]
    return findings or [Finding(kind=kind, package=package, message=_cut(_words(build or output)))]


def _problems(
    package: str, build: str, places: Places, *, columns: bool
) -> Iterator[tuple[Location | None, str]]:
    """Join each problem with the indented lines that explain it.

    Without `columns` for the compiler, which counts those of what `-coverprofile` made of a file.
    """
    location: Location | None = None
    message = ""
    for line in build.splitlines():
        if heading := _HEADING.match(line):
            package = heading["package"]
        if match := _PROBLEM.match(line):
            if message:
                yield location, message
            column = int(match["column"]) if columns and match["column"] else None
            # Go names a folder, but for what a `//line` of generated code names.
            bare = "/" not in match["file"] and places.folder(package) is not None
            location = places.location(
                match["file"], int(match["line"]), column, package=package if bare else ""
            )
            message = match["message"] if location else line
        elif message and line.startswith(("\t", " ")):
            message += "\n" + line.strip()
    if message:
        yield location, message


def _words(text: str) -> str:
    """Leave out the headings that only name the package."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return "\n".join(lines)


def read_test(package: str, test: str, output: str, errors: str, places: Places) -> Finding:
    """Read a failed test's output; `errors` is the part that Go itself marked as errors."""
    if crash := find_crash(output, test, places):
        return Finding(
            kind=crash.kind,
            package=package,
            test=test,
            message=_cut(crash.message),
            location=crash.location,
        )
    if race := find_race(output, places):
        return Finding(
            kind=FindingKind.RACE,
            package=package,
            test=test,
            message=_cut(race.message),
            location=race.location,
        )
    text = words_of_test(output)
    said = _dedent(places.shorten(errors or text)).strip()
    return Finding(
        kind=FindingKind.TEST,
        package=package,
        test=test,
        message=_cut(said) or "The test failed and said nothing.",
        location=_error_location(package, errors, text, places),
    )


def words_of_test(output: str) -> str:
    """Leave out the lines by which `go test` frames what a test printed."""
    lines = [line for line in output.splitlines() if not _FRAME.match(line)]
    return "\n".join(lines).strip("\n")


def read_package(package: str, output: str, places: Places) -> Finding:
    """Say why a package failed in which no test did."""
    if crash := find_crash(output, "", places):
        kind, message, location = crash.kind, crash.message, crash.location
    elif race := find_race(output, places):
        kind, message, location = FindingKind.RACE, race.message, race.location
    else:
        kind, location = FindingKind.PACKAGE, None
        message = places.shorten(output).strip() or "The package's tests did not come to an end."
    return Finding(kind=kind, package=package, message=_cut(message), location=location)


def _error_location(package: str, errors: str, text: str, places: Places) -> Location | None:
    marked = _located_lines(package, errors, places)
    if marked:
        return marked[0]
    # Until Go 1.27 t.Log and t.Error print alike; what ends a test is seldom followed by a log.
    located = _located_lines(package, text, places)
    return located[-1] if located else frame_location(text, places)


def _located_lines(package: str, text: str, places: Places) -> list[Location]:
    found = []
    for line in text.splitlines():
        if match := _ERROR_LINE.match(line):
            absolute = match["file"].startswith("/")
            location = places.location(
                match["file"], int(match["line"]), package="" if absolute else package
            )
            found += [location] if location else []
    return found


def _dedent(text: str) -> str:
    """Take off the four blanks by which `go test` indents what a test logs."""
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())


def _cut(message: str) -> str:
    if len(message) <= _LONGEST_MESSAGE:
        return message
    return message[: _LONGEST_MESSAGE - 2].rstrip() + " …"
