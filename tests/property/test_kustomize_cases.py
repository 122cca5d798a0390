"""What `kustomize edit set image` was seen to do, and what our edit does in the same case."""

from __future__ import annotations

import base64
import re
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML

from gitops_action.errors import ActionError
from gitops_action.kustomization import plan_edits
from gitops_action.model.source import CommitSha
from tests.fakes.tree import MemoryTree
from tests.systems.kustomize_arguments import as_request, read_argument
from tests.systems.shared import ROOT, cases, needs_shared

HEAD = CommitSha("a" * 40)
DIFFERENCES = ROOT / "docs" / "kustomize-differences.md"
AGREES = "agrees"
NOTHING = {"", "~", "null"}


@needs_shared
def test_agrees_with_kustomize_or_says_where_it_does_not() -> None:
    """
    Whoever knows `kustomize edit set image` finds each difference in one table, with its reason.
    """
    outcomes = {case["id"]: outcome(case) for case in cases("kustomize_cases.json")}

    assert {case: was for case, was in outcomes.items() if was != AGREES} == documented()


def documented() -> dict[str, str]:
    """The cases of each row, and what happens there: the table's first and last column."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([0-9 ]+) \|$", DIFFERENCES.read_text(), re.MULTILINE)
    return {case: was for was, listed in rows for case in listed.split()}


def outcome(case: dict[str, Any]) -> str:
    """Compare what is asked for afterwards: as a set, for Kustomize sorts the list."""
    tree = tree_of(case)
    text = str(case["before"] or (case.get("other_files") or {}).get("real.yaml") or "")
    try:
        requests = [as_request(text, read_argument(argument)) for argument in case["args"]]
    except ValueError:
        return AGREES if case["error"] else "unasked"
    except ActionError:
        return AGREES if case["error"] else "refused"
    if not requests:
        return "unasked"
    try:
        edits = plan_edits([PurePosixPath()], requests=requests, tree=tree, head=HEAD)
    except ActionError:
        return AGREES if case["error"] else "refused"
    if case["error"]:
        return "warned" if edits[0].edit.warnings else "edited"
    ours, theirs = images(edits[0].edit.text), images(case["after"])
    return AGREES if ours == theirs else "kept"


def tree_of(case: dict[str, Any]) -> MemoryTree:
    """The folder of the case."""
    files: dict[str, bytes | None] = {}
    links: dict[str, str] = {}
    for name, text in (case.get("other_files") or {}).items():
        if text.startswith("<link>"):
            links[name] = text.removeprefix("<link>")
        else:
            files[name] = text.encode()
    before = case.get("before_b64")
    if before or case["before"] is not None:
        content = base64.b64decode(before) if before else case["before"].encode()
        files[case.get("filename", "kustomization.yaml")] = content
    return MemoryTree(files, links)


def images(text: str) -> list[list[tuple[str, str]]]:
    """What the text asks for, without what says nothing."""
    yaml = YAML(typ="base")  # every scalar is a text
    yaml.allow_duplicate_keys = True
    first = next(iter(yaml.load_all(text.removeprefix("\ufeff"))))
    listed = first.get("images")
    return sorted(
        sorted((name.lower(), value) for name, value in entry.items() if value not in NOTHING)
        for entry in (listed if isinstance(listed, list) else [])
    )


def test_the_table_of_differences_is_there() -> None:
    """
    The table can be read where the cases are not.
    """
    assert set(documented().values()) == {"kept", "refused", "unasked", "warned", "edited"}
