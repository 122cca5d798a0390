"""Start the real Argo CD, run a command beside it, and end it: `serve.py COMMAND...`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.systems.argocd import PROGRAMS, STARTED, install  # noqa: E402  the checkout's
from tests.systems.processes import Processes  # noqa: E402  the checkout's


def main() -> int:
    """Return the command's exit code."""
    # A `kill` ends us as Ctrl-C does: with all that was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    programs = Path(os.environ[PROGRAMS])
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="argocd-") as folder,
        Processes(Path(folder)) as processes,
    ):
        installation = install(processes, programs)
        print(f"== Argo CD runs at {installation.url} after {time.monotonic() - begun:.0f} s")
        environment = {**os.environ, STARTED: installation.dumped(), "PYTHONPATH": str(ROOT)}
        return subprocess.run(sys.argv[1:], check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
