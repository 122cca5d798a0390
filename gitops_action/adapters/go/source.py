"""Where a test is written, for failures that name no line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gitops_action.adapters.go.places import Places
from gitops_action.model.go import Finding, PackageRun
from gitops_action.model.source import Location


def locating(
    on_package: Callable[[PackageRun], None], workspace: Path, places: Places
) -> Callable[[PackageRun], None]:
    """Complete the findings of each package before it is handed on.

    The workspace is read and not the copy, in which tests may have put anything.
    """

    def complete(package: PackageRun) -> None:
        findings = tuple(_located(finding, workspace, places) for finding in package.findings)
        on_package(replace(package, findings=findings))

    return complete


def _located(finding: Finding, workspace: Path, places: Places) -> Finding:
    folder = places.folder(finding.package)
    if finding.location or not finding.test or folder is None:
        return finding
    function = re.compile(rf"^func {re.escape(finding.test.partition('/')[0])}\(")
    for file in sorted((workspace / folder).glob("*_test.go")):
        if file.is_symlink():  # it may lead out of the repository, to what never ends
            continue
        try:
            lines = file.read_text(errors="replace").splitlines()
        except OSError:
            continue
        for number, line in enumerate(lines, 1):
            if function.match(line):
                return replace(finding, location=Location(folder / file.name, number))
    return finding
