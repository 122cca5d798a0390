"""Where a failed test is written, for those that name no line."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from gitops_action.adapters.go.places import Places
from gitops_action.adapters.go.source import locating
from gitops_action.model.go import (
    Finding,
    FindingKind,
    PackageAction,
    PackageResult,
    PackageRun,
)

PLACES = Places(root="/copy", module=PurePosixPath(), modules={"example.com/a": PurePosixPath()})


def test_reads_no_link_of_the_repository(tmp_path: Path) -> None:
    """
    A file of tests that is a link to what never ends, or a pipe, does not hold up the report.
    """
    (tmp_path / "a_test.go").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "aa_test.go")
    (tmp_path / "b_test.go").write_text("package a\n\nfunc TestA(t *testing.T) {}\n")
    finding = Finding(kind=FindingKind.TEST, package="example.com/a", test="TestA/b", message="no")
    found: list[PackageRun] = []

    locating(found.append, tmp_path, PLACES)(
        PackageRun(
            result=PackageResult(name="example.com/a", action=PackageAction.FAIL),
            findings=(finding,),
        )
    )

    assert [str(one.findings[0].location) for one in found] == ["b_test.go:3"]
