"""What Go's race detector prints: two accesses to one place, each with its stack."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitops_action.adapters.go.places import Places
from gitops_action.model.source import Location

# The word of `testing` on a test during which something raced, wherever the report stands.
RACED = "race detected during execution of test"
_REPORT = re.compile(r"^WARNING: DATA RACE\n(?P<report>.*?)^={18}$", re.MULTILINE | re.DOTALL)
_FRAME = re.compile(r"^ {6}(?P<file>/.+?):(?P<line>\d+)(?: \+0x[0-9a-f]+)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Race:
    """Both stacks, and where the first of them is in the repository."""

    message: str
    location: Location | None


def find_race(text: str, places: Places) -> Race | None:
    """Read the first report in a text."""
    found = _REPORT.search(text)
    if found is None:
        return None
    report = found["report"].strip()
    # Where the goroutines come from follows; a frame of the standard library may be on top.
    accesses = report.split("\n\n")[:2]
    located = (_location(access, places) for access in accesses)
    return Race(
        message=places.shorten(f"Data race\n{report}"),
        location=next((location for location in located if location), None),
    )


def _location(stack: str, places: Places) -> Location | None:
    found = (places.location(frame["file"], int(frame["line"])) for frame in _FRAME.finditer(stack))
    return next((location for location in found if location), None)
