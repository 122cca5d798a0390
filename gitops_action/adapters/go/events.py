"""The lines of `go test -json` -> packages, as they end.

The schema: cmd/test2json and `go help buildjson`. A test writes into the same stream, so that no
line is trusted to be well formed, and how a package ended is told by its own event alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from gitops_action.adapters.go.excerpt import Excerpt
from gitops_action.adapters.go.package import Package
from gitops_action.adapters.go.places import Places
from gitops_action.model.go import PackageAction, PackageRun

_TEST_ACTIONS = {"run", "pause", "cont", "pass", "fail", "skip"}
_PACKAGE_ENDS = {action.value for action in PackageAction} - {PackageAction.UNFINISHED}
_LONGEST_SECONDS = 1e6


class Events:
    """Reads the lines one by one; `on_package` is called for each package that ends."""

    def __init__(self, places: Places, on_package: Callable[[PackageRun], None]) -> None:
        self._places = places
        self._on_package = on_package
        self._packages: dict[str, Package] = {}
        self._builds: dict[str, Excerpt] = {}
        self._text = Excerpt()

    def read(self, line: str) -> None:
        """Read one line; what is no event is kept as text."""
        event = _event(line)
        action = _string(event, "Action")
        if action in {"build-output", "build-fail"}:
            path = _string(event, "ImportPath")
            # `-x` and `-work` print about no package.
            build = self._builds.setdefault(path, Excerpt()) if path else self._text
            build.add(_string(event, "Output"))
        elif action and (name := _string(event, "Package")):
            self._read_test_event(event, action, name)
        elif line.strip():
            self.read_text(line)

    def read_text(self, line: str) -> None:
        """Keep a line that `go` printed beside its events."""
        self._text.add(line + "\n")

    def finish(self) -> str:
        """End the packages that never reported an end; returns the text beside the events."""
        for package in list(self._packages.values()):
            self._end(package, PackageAction.UNFINISHED, {})
        return self._places.shorten(str(self._text)).strip()

    def _read_test_event(self, event: dict[str, object], action: str, name: str) -> None:
        package = self._packages.get(name)
        if package is None:
            package = self._packages[name] = Package(name)
        test = _string(event, "Test")
        if action == "output":
            error = _string(event, "OutputType").startswith("error")
            package.add_output(test, _string(event, "Output"), error=error)
        elif test and action in _TEST_ACTIONS:
            package.note(test, action, _seconds(event.get("Elapsed")))
        elif not test and action in _PACKAGE_ENDS:
            self._end(package, PackageAction(action), event)

    def _end(self, package: Package, action: PackageAction, event: dict[str, object]) -> None:
        build = self._builds.get(_string(event, "FailedBuild"))
        del self._packages[package.name]
        self._on_package(
            package.end(
                action,
                _seconds(event.get("Elapsed")),
                None if build is None else str(build),
                self._places,
            )
        )


def _event(line: str) -> dict[str, object]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _string(event: dict[str, object], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _seconds(value: object) -> float:
    known = isinstance(value, int | float) and 0 <= value < _LONGEST_SECONDS
    return float(value) if known and isinstance(value, int | float) else 0.0
