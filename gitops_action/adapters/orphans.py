"""What code of others left running: found by its user and by whom it comes from, and ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from gitops_action.errors import RunnerError

_END_SECONDS = 5.0
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@contextlib.contextmanager
def ending_processes(user: int | None, starter: str) -> Iterator[None]:
    """Let `user` run programs, and then end what they have left; None, the caller, keeps his.

    Raises RunnerError as `_end_processes` does.
    """
    if user is None:
        yield
        return
    _adopt_orphans()
    try:
        yield
    finally:
        _end_processes(user, starter)


def _adopt_orphans() -> None:
    """Become the parent of what our children leave running, as the first process of a container is.

    Raises nothing: where it cannot be, `_end_processes` finds fewer.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_processes(user: int, starter: str) -> None:
    """End every process of a user that descends from ours, in whatever group or session it is.

    Raises RunnerError where one lives on, which forks faster than we look; `starter` is who
    started it, in words.
    """
    deadline = time.monotonic() + _END_SECONDS
    while found := _descendants(user):
        if time.monotonic() > deadline:
            raise RunnerError(
                f"{len(found)} processes that {starter} started cannot be ended.",
                hint="One of them starts others without end: the runner is best restarted.",
            )
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _descendants(user: int) -> list[int]:
    """Find the processes of a user below ours; one that is dead and not ours to reap is none."""
    parents, users = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            status = dict(
                line.split(":", 1) for line in (process / "status").read_text().splitlines()
            )
            pid, parent = int(process.name), int(status["PPid"])
            if status["State"].split()[0] == "Z" and parent != os.getpid():
                continue
            parents[pid], users[pid] = parent, int(status["Uid"].split()[0])
    found = []
    for pid, uid in users.items():
        above = pid
        while above not in {0, os.getpid()}:
            above = parents.get(above, 0)
        if uid == user and above:
            found.append(pid)
    return found
