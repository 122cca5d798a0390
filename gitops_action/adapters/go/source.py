"""Where a test is written, for failures that name no line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from gitops_action.adapters.go.places import Places
from gitops_action.model.go import Finding, PackageRun
from gitops_action.model.source import Location

_FUNCTION = re.compile(r"^func (\w+)\(")


def locating(
    on_package: Callable[[PackageRun], None], workspace: Path, places: Places
) -> Callable[[PackageRun], None]:
    """Complete the findings of each package before it is handed on.

    The workspace is read and not the copy, in which tests may have put anything.
    """

    def complete(package: PackageRun) -> None:
        # Once for a package: a test can print the names of a million others that fail.
        functions = cache(partial(_functions, workspace, places))
        findings = tuple(_located(finding, functions) for finding in package.findings)
        on_package(replace(package, findings=findings))

    return complete


def _located(finding: Finding, functions: Callable[[str], Mapping[str, Location]]) -> Finding:
    if finding.location or not finding.test:
        return finding
    written = functions(finding.package)
    return replace(finding, location=written.get(finding.test.partition("/")[0]))


def _functions(workspace: Path, places: Places, package: str) -> Mapping[str, Location]:
    """Find every function in the test files of a package, each where it stands first."""
    folder = places.folder(package)
    found: dict[str, Location] = {}
    if folder is None:
        return found
    for file in sorted((workspace / folder).glob("*_test.go")):
        # A link may lead out of the repository, to what never ends.
        if file.is_symlink() or not file.is_file():
            continue
        try:
            lines = file.read_text(errors="replace").splitlines()
        except OSError:
            continue
        for number, line in enumerate(lines, 1):
            if function := _FUNCTION.match(line):
                found.setdefault(function[1], Location(folder / file.name, number))
    return found
