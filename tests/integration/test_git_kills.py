"""A job that is killed, at any moment: the branch is before or after, and the next job is right."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.systems.counts import LONG, count
from tests.systems.pids import family
from tests.systems.promoter import FILE, NAME, NEW, TEXT, Place

if TYPE_CHECKING:
    pass

ROOT = Path(__file__).parents[2]


def job(place: Place, name: str) -> subprocess.Popen[str]:
    folder = place.folder / name
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.systems.promote_once", place.server.url(NAME), folder],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    process.stdin.write(f"{place.server.token}\n")
    process.stdin.flush()
    return process


def kill(process: subprocess.Popen[str]) -> None:
    for pid in list(family(process.pid)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate()


def test_a_killed_job_leaves_the_branch_before_or_after(place: Place) -> None:
    """
    Whenever a runner dies, the branch has our whole commit or none of it, and a re-run ends right.
    """
    draw = random.Random(5)
    first = place.server.head(NAME)
    started = time.monotonic()
    whole = job(place, "whole").communicate()[0]
    took = time.monotonic() - started
    seen = set()

    for number in range(count(long=200, short=2)):
        place.server.git(NAME, "update-ref", "refs/heads/main", first)
        process = job(place, f"killed-{number}")
        # Most of the time goes into starting Python: the moments lie in what comes after it.
        time.sleep(took * draw.uniform(0.3, 1.1))
        kill(process)
        # What the server has received may land a moment after its sender was killed.
        after = place.server.head(NAME)
        content = place.server.git(NAME, "show", f"{after}:{FILE}")
        again = job(place, f"again-{number}").communicate()[0]

        assert content == (TEXT if after == first else NEW).strip()
        assert again == place.server.head(NAME)
        assert place.server.read(NAME, FILE).decode() == NEW
        assert place.server.git(NAME, "rev-list", "--count", f"{first}..main") == "1"
        seen.add(after == first)

    assert whole
    assert place.server.git(NAME, "fsck", "--strict", "--no-dangling") == ""
    assert not LONG or seen == {True, False}
