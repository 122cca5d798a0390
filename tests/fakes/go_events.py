"""Readings of `go test -json`: recorded with Go 1.26, or made up line by line."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from gitops_action.adapters.go.events import Events
from gitops_action.adapters.go.places import Places
from gitops_action.model.go import Finding, PackageRun

EVENTS = Path(__file__).parents[1] / "fixtures" / "go" / "events"
ROOT = "/verify/workspace"


def places(module: str = ".", *names: str) -> Places:
    return Places(
        root=ROOT,
        module=PurePosixPath(module),
        modules={f"example.com/{name}": PurePosixPath(module) for name in names},
    )


def read(lines: list[str], where: Places | None = None) -> tuple[dict[str, PackageRun], str]:
    packages: dict[str, PackageRun] = {}
    events = Events(
        where or places(".", "failing"),
        lambda package: packages.update({package.result.name: package}),
    )
    for line in lines:
        events.read(line)
    return packages, events.finish()


def recorded(name: str) -> dict[str, PackageRun]:
    packages, text = read((EVENTS / f"{name}.jsonl").read_text().splitlines(), places(".", name))
    assert text == ""
    return packages


def event(action: str, test: str = "", **more: object) -> str:
    fields = {"Action": action, "Package": "example.com/x", **more}
    return json.dumps(fields | ({"Test": test} if test else {}))


def shown(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return [(one.kind.name, one.test, str(one.location or "")) for one in findings]


def counts(package: PackageRun) -> tuple[int, int, int]:
    result = package.result
    return (result.passed, result.failed, result.skipped)
