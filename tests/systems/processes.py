"""Plain processes on loopback: started, watched and ended by their ids."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_END_SECONDS = 10.0


class Processes:
    """Processes with their logs in `folder`, ended in reverse at the end of the `with` block.

    The kernel ends them where we are killed half way.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Start one under a name that no other running one has."""
        assert name not in self._running
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *argv],
                env=dict(env) if env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests, which end these in order.
                start_new_session=True,
            )

    def stop(self, name: str) -> None:
        """End one and wait for its end."""
        child = self._running.pop(name)
        child.terminate()
        child.send_signal(signal.SIGCONT)
        try:
            child.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def pause(self, name: str) -> None:
        """Let one do nothing more, as if it hung."""
        self._running[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self._running[name].send_signal(signal.SIGCONT)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def await_that(self, name: str, answers: Callable[[], bool], seconds: float) -> None:
        """Wait until it answers; raises RuntimeError with the end of its log where it does not."""
        deadline = time.monotonic() + seconds
        while not answers():
            if self._running[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not answer: {self.log(name).read_text()[-3000:]}")
            time.sleep(0.05)


def free_port() -> int:
    """Find a port that nothing listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def listens(port: int) -> bool:
    """Say whether something takes connections at this port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for loopback; give its file and its key's."""
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-keyout", str(key), "-out", str(pem)),
        ],
        check=True,
        capture_output=True,
    )
    ssl.create_default_context(cafile=str(pem))
    return pem, key


def path_with(*folders: Path) -> str:
    """PATH with these folders before it."""
    return os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
