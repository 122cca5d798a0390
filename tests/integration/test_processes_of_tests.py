"""What the tests start must not outlive them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.systems.pids import alive, gone_soon, written_pid
from tests.systems.processes import Processes

ROOT = Path(__file__).parents[2]
SCRIPT = """
    import sys, time
    from pathlib import Path
    from tests.systems.processes import Processes
    with Processes(Path(sys.argv[1])) as processes:
        processes.start("child", ["sh", "-c", f"echo $$ > {sys.argv[1]}/pid; exec sleep 600"])
        time.sleep(600)
"""


def test_what_was_started_ends_with_the_block(tmp_path: Path) -> None:
    """
    Ended by its id, also while it is paused.
    """
    with Processes(tmp_path) as processes:
        processes.start("child", ["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 600"])
        pid = written_pid(tmp_path / "pid")
        processes.pause("child")
        was_alive = alive(pid)

    assert was_alive
    assert not alive(pid)


def test_what_was_started_ends_where_the_tests_are_killed(tmp_path: Path) -> None:
    """
    No database and no API server stays behind a test run that crashed half way.
    """
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment) as parent:
        pid = written_pid(tmp_path / "pid")
        was_alive = alive(pid)

        parent.send_signal(signal.SIGKILL)

    assert was_alive
    assert gone_soon(pid)
