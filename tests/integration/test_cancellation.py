"""Signals, waits and children: everything ends soon after a cancellation."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.process import Processes
from gitops_action.errors import CancelledError
from tests.systems.pids import SOON, alive, written_pid

ENV = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


@pytest.fixture
def cancellation() -> Cancellation:
    return Cancellation()


@pytest.fixture
def processes(cancellation: Cancellation) -> Processes:
    return Processes(cancellation)


def sleep_for_ever(cancellation: Cancellation) -> None:
    while True:
        cancellation.sleep(0.0001)


def test_cancelling_ends_a_child_that_ignores_it(
    processes: Processes, cancellation: Cancellation, tmp_path: Path
) -> None:
    """A cancelled run does not wait for a stubborn program."""
    note = tmp_path / "pid"
    code = f"trap '' INT TERM; echo $$ > {note}; while :; do sleep 0.1; done"
    cancelled_at = 0.0

    def cancel() -> None:
        nonlocal cancelled_at
        written_pid(note)
        cancelled_at = time.monotonic()
        cancellation.cancel("SIGINT")

    canceller = threading.Thread(target=cancel, daemon=True)
    canceller.start()
    with pytest.raises(CancelledError, match="Stopped: SIGINT"):
        processes.run(["/bin/sh", "-c", code], env=ENV, cwd=tmp_path, timeout=60)
    took = time.monotonic() - cancelled_at
    canceller.join()

    assert took < 2
    assert not alive(written_pid(note))


def test_cancelling_lets_a_child_end_by_itself(
    processes: Processes, cancellation: Cancellation, tmp_path: Path
) -> None:
    """A program that listens to SIGINT may clean up."""
    ready, cleaned = tmp_path / "ready", tmp_path / "cleaned"
    code = f"trap 'echo > {cleaned}; exit 0' INT; echo $$ > {ready}; while :; do sleep 0.01; done"

    def cancel() -> None:
        written_pid(ready)
        cancellation.cancel("SIGINT")

    canceller = threading.Thread(target=cancel, daemon=True)

    canceller.start()
    with pytest.raises(CancelledError):
        processes.run(["/bin/sh", "-c", code], env=ENV, cwd=tmp_path, timeout=60)
    canceller.join()

    assert cleaned.exists()


def test_nothing_starts_once_cancelled(
    processes: Processes, cancellation: Cancellation, tmp_path: Path
) -> None:
    """After a signal no further program is begun, but for cleaning up."""
    cancellation.cancel("SIGTERM")

    with pytest.raises(CancelledError):
        processes.run(["touch", "began"], env=ENV, cwd=tmp_path, timeout=SOON)
    processes.run(["touch", "cleaned"], env=ENV, cwd=tmp_path, timeout=SOON, uncancelled=True)

    assert [file.name for file in tmp_path.iterdir()] == ["cleaned"]


def test_a_sleep_ends_with_the_run(cancellation: Cancellation) -> None:
    """A wait is over as soon as the run is cancelled, and the first reason counts."""
    canceller = threading.Timer(0.1, lambda: cancellation.cancel("SIGINT"))
    canceller.start()
    started = time.monotonic()

    with pytest.raises(CancelledError, match="SIGINT"):
        cancellation.sleep(60)
    canceller.join()
    cancellation.cancel("SIGTERM")

    assert time.monotonic() - started < 2
    assert (cancellation.requested, cancellation.reason) == (True, "SIGINT")


def test_a_signal_handler_may_cancel_at_any_moment(cancellation: Cancellation) -> None:
    """A signal that comes while the same thread asks for one does not lock it up."""
    before = signal.signal(signal.SIGALRM, lambda *_: cancellation.cancel("SIGALRM"))
    signal.setitimer(signal.ITIMER_REAL, 0.05)

    with pytest.raises(CancelledError, match="SIGALRM"):
        sleep_for_ever(cancellation)
    signal.signal(signal.SIGALRM, before)
