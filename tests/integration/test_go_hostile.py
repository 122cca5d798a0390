"""A module that means harm, with the real toolchain: it gets nothing, and nothing of it stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitops_action.adapters.go import can_isolate
from gitops_action.errors import VerifyError
from gitops_action.stages.verify import VerifyResult, verify
from tests.fakes.go import MemoryLog
from tests.systems.go import copied, failed_run, go_of, private_folder, request_of

isolates = pytest.mark.skipif(not can_isolate(), reason="tests are isolated only as root")
DAEMON = b"sleep\x0054321\x00"


@pytest.fixture(scope="module")
def private() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    copied("hostile", tmp_path / "workspace")
    (tmp_path / "workspace" / ".git" / "hooks").mkdir(parents=True)
    return tmp_path / "workspace"


def run(workspace: Path, private: Path, log: MemoryLog) -> tuple[VerifyError, VerifyResult]:
    return failed_run(request_of(), go_of(workspace, private), log)


def daemons() -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes() == DAEMON:
                found.append(process.name)
        except OSError:
            continue
    return found


def test_red_stays_red(private: Path, workspace: Path) -> None:
    """Forged events of tests and packages make no failed package pass."""
    error, result = run(workspace, private, MemoryLog())

    assert "really broken" in {one.message.partition(": ")[2] for one in result.findings}
    assert "TestBroken" in error.message


def test_forged_passes_alone_are_no_green(private: Path, workspace: Path) -> None:
    """Where every event says `pass`, the exit code of `go test` still says that one failed."""
    shutil.rmtree(workspace / "early")
    log = MemoryLog()

    error, result = run(workspace, private, log)

    assert "invented" not in error.message
    assert "TestForges" not in {one.test for one in result.findings} or not can_isolate()
    assert not any(one.succeeded for one in result.packages if one.name.endswith("/broken"))


def test_an_early_exit_is_pointed_out(private: Path, workspace: Path) -> None:
    """A test binary that leaves with 0 before it has run anything is not taken for a pass."""
    for folder in ("attack", "broken"):
        shutil.rmtree(workspace / folder)
    log = MemoryLog()

    result = verify(request_of(), go=go_of(workspace, private), log=log)

    assert result.passed == 0
    assert any("without running a test" in one.message for one in log.annotations)


def test_workflow_commands_of_tests_are_foreign_text(private: Path, workspace: Path) -> None:
    """What a test prints as a command is never among the lines that are said as our own."""
    log = MemoryLog()

    run(workspace, private, log)

    assert any("::set-output name=result::healthy" in text for text in log.fenced)
    assert not [line for line in log.lines if "::" in line or "##[" in line]


@isolates
def test_no_process_stays(private: Path, workspace: Path) -> None:
    """Daemons in sessions of their own, orphans among them, end with the tests."""
    before = daemons()

    run(workspace, private, MemoryLog())

    assert [daemon for daemon in daemons() if daemon not in before] == []


@isolates
def test_nothing_is_changed_outside_the_copy(private: Path, workspace: Path) -> None:
    """No hook, no source and no file of the machine: the workspace is as it was."""
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    hooks = workspace / ".git" / "hooks"

    _, result = run(workspace, private, MemoryLog())

    assert {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()} == before
    assert list(hooks.iterdir()) == []
    assert "TestPlants" not in {one.test for one in result.findings}
    assert [file.name for file in private.iterdir()] == ["go-build"]


@isolates
def test_a_filled_disk_is_free_again(tmp_path: Path) -> None:
    """Tests that fill the disk fail, and leave the room to what comes after them."""
    copied("fills", tmp_path / "workspace")
    with small_disk() as disk, private_folder(disk) as private:
        before = os.statvfs(disk).f_bavail
        kept = tmp_path / "kept"

        error, _ = failed_run(request_of(), go_of(tmp_path / "workspace", private, kept=kept))

        free = os.statvfs(disk).f_bavail
    assert "TestFills" in error.message
    assert free > 0.9 * before


@contextmanager
def small_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", name]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            pytest.skip("no file system can be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)
