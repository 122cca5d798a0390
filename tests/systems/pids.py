"""Whether a process lives, what it started, and the number that a child wrote of itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

SOON = 5.0


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone_soon(pid: int) -> bool:
    deadline = time.monotonic() + SOON
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def written_pid(file: Path) -> int:
    deadline = time.monotonic() + SOON
    while not (file.exists() and file.read_text().endswith("\n")):
        assert time.monotonic() < deadline, "the child never wrote its pid"
        time.sleep(0.01)
    return int(file.read_text())


def family(pid: int) -> Iterator[int]:
    """A process and all that it started, which die with it where it is a container's first."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for one in threads for child in (one / "children").read_text().split()]
    except OSError:  # it has ended meanwhile
        return
    for child in children:
        yield from family(int(child))
