"""Child processes as the kernel sees them: groups, pipes, signals, environments."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.process import Processes
from gitops_action.errors import RunnerError
from tests.systems.pids import SOON, alive, gone_soon, written_pid

ENV = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


@pytest.fixture
def cancellation() -> Cancellation:
    return Cancellation()


@pytest.fixture
def processes(cancellation: Cancellation) -> Processes:
    return Processes(cancellation)


@pytest.fixture(autouse=True)
def _closes_what_it_opens() -> Iterator[None]:
    before = list(Path("/proc/self/fd").iterdir())
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == len(before)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_returns_how_the_child_ended(processes: Processes, tmp_path: Path) -> None:
    """The exit code and both outputs of a program are told as they were."""
    code = "import sys; print('out'); print('err\\r', file=sys.stderr); sys.exit(3)"

    ended = processes.run(python(code), env=ENV, cwd=tmp_path, timeout=SOON)

    assert (ended.exit_code, ended.stdout, ended.stderr) == (3, "out\n", "err\r\n")
    assert not ended.timed_out


def test_a_missing_program_is_the_runners_lack(processes: Processes, tmp_path: Path) -> None:
    """A program that is not installed is named, with what to do."""
    with pytest.raises(RunnerError, match="`no-such-program` is not there") as raised:
        processes.run(["no-such-program"], env=ENV, cwd=tmp_path, timeout=SOON)

    assert "Install `no-such-program`" in raised.value.hint


def test_looks_programs_up_in_the_childs_path(processes: Processes, tmp_path: Path) -> None:
    """A PATH that the child does not get decides nothing."""
    with pytest.raises(RunnerError):
        processes.run(["ls"], env={"PATH": str(tmp_path)}, cwd=tmp_path, timeout=SOON)


def test_a_folder_that_is_not_there_is_named(processes: Processes, tmp_path: Path) -> None:
    """A wrong folder is not reported as a missing program."""
    with pytest.raises(RunnerError, match="absent, which is not a folder"):
        processes.run(["ls"], env=ENV, cwd=tmp_path / "absent", timeout=SOON)


def test_a_file_that_cannot_be_run_is_explained(processes: Processes, tmp_path: Path) -> None:
    """A broken program is an error with a hint, not a traceback."""
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)

    with pytest.raises(RunnerError, match="could not be started: Exec format error"):
        processes.run([str(broken)], env=ENV, cwd=tmp_path, timeout=SOON)


@pytest.mark.parametrize("env", [{}, {"A": "1"}, {"PATH": ENV["PATH"], "B": "two words"}])
def test_the_child_sees_exactly_its_environment(
    processes: Processes, tmp_path: Path, env: Mapping[str, str]
) -> None:
    """Nothing of the action's own environment reaches a child."""
    ended = processes.run(
        ["/usr/bin/cat", "/proc/self/environ"], env=env, cwd=tmp_path, timeout=SOON
    )

    seen = [entry for entry in ended.stdout.split("\0") if entry]
    assert seen == [f"{name}={value}" for name, value in env.items()]


def test_the_deadline_ends_the_whole_group(processes: Processes, tmp_path: Path) -> None:
    """A hanging program takes its children with it."""
    note = tmp_path / "pid"
    code = f"sleep 60 & echo $! > {note}; wait"

    ended = processes.run(["/bin/sh", "-c", code], env=ENV, cwd=tmp_path, timeout=0.5)

    assert ended.timed_out
    assert ended.exit_code != 0
    assert gone_soon(written_pid(note))


def test_what_a_child_leaves_behind_ends_with_it(processes: Processes, tmp_path: Path) -> None:
    """A program that has ended leaves nothing running in its group."""
    note = tmp_path / "pid"
    code = f"sleep 60 & echo $! > {note}"

    ended = processes.run(["/bin/sh", "-c", code], env=ENV, cwd=tmp_path, timeout=SOON)

    assert (ended.exit_code, ended.timed_out) == (0, False)
    assert gone_soon(written_pid(note))


@pytest.mark.parametrize("size", [0, 10, 1_000_000])
def test_the_child_reads_its_whole_input(processes: Processes, tmp_path: Path, size: int) -> None:
    """An input larger than a pipe arrives whole, also while the child answers."""
    text = "é" * size

    ended = processes.run(["cat"], env=ENV, cwd=tmp_path, timeout=SOON, stdin=text)

    assert ended.stdout == text


def test_a_child_need_not_read_its_input(processes: Processes, tmp_path: Path) -> None:
    """A program that ignores what it is given is not an error."""
    ended = processes.run(["true"], env=ENV, cwd=tmp_path, timeout=SOON, stdin="x" * 1_000_000)

    assert ended.exit_code == 0


def test_lines_come_as_they_are_printed(processes: Processes, tmp_path: Path) -> None:
    """Both outputs are seen while the program runs, without line ends."""
    seen: list[tuple[str, str]] = []
    code = "import sys; print('a\\r\\nb'); print('c', file=sys.stderr); print('é\\xff', end='')"

    processes.run(
        python(code),
        env=ENV | {"PYTHONIOENCODING": "latin-1"},
        cwd=tmp_path,
        timeout=SOON,
        on_stdout=lambda line: seen.append(("out", line)),
        on_stderr=lambda line: seen.append(("err", line)),
    )

    assert [line for stream, line in seen if stream == "out"] == ["a", "b", "\ufffd\ufffd"]
    assert ("err", "c") in seen


def test_a_failing_callback_ends_the_child(processes: Processes, tmp_path: Path) -> None:
    """An error of the reader does not leave the program running."""
    pids: list[int] = []

    def fail(line: str) -> None:
        pids.append(int(line))
        raise ValueError("the reader failed")

    with pytest.raises(ValueError, match="the reader failed"):
        processes.run(
            ["/bin/sh", "-c", "echo $$; exec sleep 60"],
            env=ENV,
            cwd=tmp_path,
            timeout=60,
            on_stdout=fail,
        )

    assert not alive(pids[0])


def test_huge_output_is_not_kept_where_it_was_handed_over(
    processes: Processes, tmp_path: Path
) -> None:
    """A talkative program costs no memory; the end of what it said is kept for errors."""
    lines = 0

    def count(_: str) -> None:
        nonlocal lines
        lines += 1

    ended = processes.run(
        ["/bin/sh", "-c", "seq 1 2000000; echo the end"],
        env=ENV,
        cwd=tmp_path,
        timeout=60,
        on_stdout=count,
    )

    assert lines == 2_000_001
    assert ended.stdout.endswith("\nthe end\n")
    assert len(ended.stdout) <= 64 * 1024


def test_output_is_kept_whole_where_nobody_reads_along(
    processes: Processes, tmp_path: Path
) -> None:
    """What a program prints is not cut."""
    ended = processes.run(["seq", "1", "500000"], env=ENV, cwd=tmp_path, timeout=60)

    assert ended.stdout.count("\n") == 500_000


def test_a_line_without_an_end_comes_in_pieces(processes: Processes, tmp_path: Path) -> None:
    """A program that never ends its line does not fill the memory."""
    pieces: list[int] = []
    code = "head -c 5000000 /dev/zero"

    processes.run(
        ["/bin/sh", "-c", code],
        env=ENV,
        cwd=tmp_path,
        timeout=SOON,
        on_stdout=lambda line: pieces.append(len(line)),
    )

    assert sum(pieces) == 5_000_000
    assert max(pieces) < 2_000_000


@pytest.mark.parametrize("chatter", ["sleep 30", "while :; do echo more; done"])
def test_a_daemon_that_holds_the_pipes_does_not_hold_us(
    processes: Processes, tmp_path: Path, chatter: str
) -> None:
    """A program that left its group and keeps our pipe open cannot stop the run."""
    note = tmp_path / "pid"
    daemon = f"setsid sh -c 'echo $$ > {note}; {chatter}' & while ! [ -s {note} ]; do :; done"
    started = time.monotonic()

    ended = processes.run(
        ["/bin/sh", "-c", f"{daemon}; echo done"], env=ENV, cwd=tmp_path, timeout=60
    )
    took = time.monotonic() - started
    os.killpg(written_pid(note), signal.SIGKILL)

    assert re.search(r"^done$", ended.stdout, re.MULTILINE)
    assert took < 3
