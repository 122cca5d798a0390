"""A Docker engine: the machine's own where it answers, else one that is started here.

What is expensive to make is kept between runs in the folder that GITOPS_ACTION_CACHE names.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILDX = "github.com/docker/buildx/cmd/buildx"
_PLUGIN_FOLDERS = (
    Path("/usr/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    Path("/usr/local/lib/docker/cli-plugins"),
    Path("/usr/local/libexec/docker/cli-plugins"),
)
_BRIDGE = "docker0"
_BRIDGE_NETWORK = "172.30.0.1/24"
_START_SECONDS = 60.0


class NoEngineError(RuntimeError):
    """No engine answers, and none can be started."""


def cache() -> Path:
    """Name the folder for what is kept between runs; it is outside every checkout."""
    default = Path.home() / ".cache" / "gitops-action"
    folder = Path(os.environ.get("GITOPS_ACTION_CACHE", default))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def engine() -> Iterator[str]:
    """Give the address of an engine, as DOCKER_HOST says it; raises NoEngineError."""
    given = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if _answers(given):
        yield given
        return
    with _shared() as address:
        yield address


@contextmanager
def required_engine() -> Iterator[str]:
    """Give an engine's address to a test: without one it fails in CI, and is skipped elsewhere."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(engine())
        except NoEngineError as error:
            lack(str(error))
        yield address


def lack(reason: str) -> NoReturn:
    """End a test whose system cannot run here: it fails in CI, and is skipped elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let one process at a time do what follows."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def add_buildx(credentials: Path) -> None:
    """Make `docker buildx` work with this DOCKER_CONFIG folder, where the machine has none."""
    if any((folder / "docker-buildx").exists() for folder in _PLUGIN_FOLDERS):
        return
    (credentials / "cli-plugins").mkdir()
    (credentials / "cli-plugins" / "docker-buildx").symlink_to(_buildx())


def _buildx() -> Path:
    """Compile the version that our image ships, once."""
    dockerfile = Path(__file__).parents[2] / "Dockerfile"
    pinned = next(word for word in dockerfile.read_text().split() if word.startswith(BUILDX))
    folder = cache() / "buildx" / pinned.rpartition("@")[2]
    if not (folder / "buildx").exists():
        env = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
        command = ["go", "install", "-trimpath", "-ldflags=-s -w", pinned]
        subprocess.run(command, check=True, env=env, capture_output=True)
    return folder / "buildx"


def _answers(address: str) -> bool:
    if shutil.which("docker") is None:
        return False
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    env = {**os.environ, "DOCKER_HOST": address}
    return subprocess.run(command, check=False, env=env, capture_output=True).returncode == 0


@contextmanager
def _shared() -> Iterator[str]:
    """Share one engine among all test processes; the last one to leave ends it, by its pid."""
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        raise NoEngineError("no Docker engine answers; starting one needs root and dockerd")
    folder = cache() / "engine"
    folder.mkdir(exist_ok=True)
    socket = f"unix://{folder}/docker.sock"
    with (folder / "users").open("w") as users:
        with locked(folder / "starting"):
            # Whoever ends an engine holds this lock alone, so what answers now stays.
            fcntl.flock(users, fcntl.LOCK_SH)
            if not _answers(socket):
                _start(folder, socket)
        try:
            yield socket
        finally:
            with locked(folder / "starting"), contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _answers(socket):
                    _end(int((folder / "pid").read_text()))
                # dockerd leaves its own network namespace mounted.
                namespace = str(folder / "exec" / "netns" / "default")
                subprocess.run(["umount", namespace], check=False, capture_output=True)
                _remove_bridge(folder)


def _start(folder: Path, socket: str) -> None:
    _add_bridge(folder)
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [
                *("dockerd", "--iptables=false", "--ip-masq=false", f"--bridge={_BRIDGE}"),
                *("-H", socket, "--data-root", str(folder / "data")),
                *("--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid")),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(socket):
        if time.monotonic() > deadline or child.poll() is not None:
            raise RuntimeError(f"dockerd does not answer: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.1)
    # It outlives this process when another one uses it, so nobody waits for it.
    child.returncode = 0


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _START_SECONDS
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    """Say whether the process runs; one of our own children is reaped first."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _add_bridge(folder: Path) -> None:
    """Give plain `RUN` instructions a network to start in: without one they fail."""
    if Path("/sys/class/net", _BRIDGE).exists():
        return
    (folder / _BRIDGE).touch()
    for command in (
        ["link", "add", _BRIDGE, "type", "bridge"],
        ["addr", "add", _BRIDGE_NETWORK, "dev", _BRIDGE],
        ["link", "set", _BRIDGE, "up"],
    ):
        subprocess.run(["ip", *command], check=True, capture_output=True)


def _remove_bridge(folder: Path) -> None:
    if (folder / _BRIDGE).exists():
        subprocess.run(["ip", "link", "delete", _BRIDGE], check=False, capture_output=True)
        (folder / _BRIDGE).unlink()
