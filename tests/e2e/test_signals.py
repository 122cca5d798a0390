"""A person's Ctrl-C and a service's SIGTERM, where the step runs without its container."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import REPOSITORY, World
from tests.fakes.argocd_memory import Behaviour


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=str,
)
def test_a_signal_ends_the_wait(
    laptop: World, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """
    The exit status tells the signal, and the log what was done by then.
    """
    laptop.publish(laptop.git.head(REPOSITORY))
    laptop.application.behaviour = Behaviour(never_healthy=True)
    lines = []
    signalled = 0.0

    with laptop.started_here(laptop.inputs(stages="promote sync"), tmp_path) as step:
        assert step.stdout is not None
        for line in step.stdout:
            lines.append(line)
            if "Progressing" in line:
                signalled = time.monotonic()
                step.send_signal(number)
                break
        lines += list(step.stdout)
        step.wait(timeout=10)

    log = "".join(lines)
    assert step.returncode == status, log
    assert time.monotonic() - signalled < 5
    assert "failure=cancelled" in log
    assert "changed=true" in log
