"""What the Go runtime prints when a test binary dies: a panic, a fatal error, a timeout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from gitops_action.adapters.go.places import Places
from gitops_action.model.go import FindingKind
from gitops_action.model.source import Location

_CRASH = re.compile(r"^(?:panic|fatal error|SIG[A-Z]+): ", re.MULTILINE)
_GOROUTINE = re.compile(r"^goroutine \d+ .*\[.*\]:$", re.MULTILINE)
_FRAME = re.compile(r"^\t(?P<file>.+?):(?P<line>\d+)(?: \+0x[0-9a-f]+)?$", re.MULTILINE)
_TIMEOUT = "panic: test timed out after "


@dataclass(frozen=True, slots=True)
class Crash:
    """One death of a test binary and the place in the repository that it points to."""

    kind: FindingKind
    message: str
    location: Location | None


def find_crash(text: str, test: str, places: Places) -> Crash | None:
    """Read the first crash in a text; `test` helps to find the goroutine that hung."""
    start = _CRASH.search(text)
    if start is None or not (goroutines := list(_goroutines(text, start.start()))):
        return None
    headline = text[start.start() : _first_goroutine(text, start.start())].strip()
    timeout = headline.startswith(_TIMEOUT)
    blocks = sorted(goroutines, key=lambda block: _distance(block, test)) if timeout else goroutines
    for block in blocks:
        location = frame_location(block, places)
        if location is not None:
            break
    else:
        block, location = goroutines[0], None
    return Crash(
        kind=FindingKind.TIMEOUT if timeout else FindingKind.PANIC,
        message=places.shorten(f"{headline}\n\n{block}"),
        location=location,
    )


def frame_location(text: str, places: Places) -> Location | None:
    """Find the first stack frame that lies in the repository."""
    for frame in _FRAME.finditer(text):
        location = places.location(frame["file"], int(frame["line"]))
        if location is not None and frame["file"].startswith("/"):
            return location
    return None


def _first_goroutine(text: str, start: int) -> int:
    match = _GOROUTINE.search(text, start)
    return match.start() if match else len(text)


def _goroutines(text: str, start: int) -> Iterator[str]:
    starts = [match.start() for match in _GOROUTINE.finditer(text, start)]
    for begin, end in pairwise([*starts, len(text)]):
        yield text[begin:end].split("\n\n", 1)[0].rstrip()


def _distance(goroutine: str, test: str) -> int:
    """Rank goroutines by how likely it is that they hung the test: 0 is the likeliest."""
    calls = goroutine.partition("\ncreated by ")[0]
    top = calls.split("\n")[1] if "\n" in calls else ""
    # A test that waits for its subtests has these on top.
    waits_for_others = top.startswith("testing.")
    function = test.partition("/")[0]
    inside_the_test = bool(function) and re.search(rf"\.{re.escape(function)}[.(]", calls)
    return 2 * waits_for_others + (not inside_the_test)
