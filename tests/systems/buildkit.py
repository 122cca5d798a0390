"""A real buildkitd on loopback TCP that asks for a client's certificate."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.systems.engine import lack

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS = 30.0
_END_SECONDS = 20.0
# Where the tests' Dockerfiles have their bases from.
_PUBLIC = ("docker.io", "gcr.io")
# GitHub's runners are not root, and may be.
_AS_ROOT = () if os.geteuid() == 0 else ("sudo", "-n")


@dataclass(frozen=True, slots=True)
class RunningBuildKit:
    """It answers at `address`, `tcp://127.0.0.1:port`, whoever shows what `tls` holds (PEM).

    `stranger` is the same for a client of another authority; `log` is what it has written.
    """

    address: str
    tls: str
    stranger: str
    log: Path


@contextmanager
def required_buildkit(*, mirror: str, root: Path | None = None) -> Iterator[RunningBuildKit]:
    """Run one that asks `mirror`, a registry's `127.0.0.1:port`, first for every public image.

    What it has built is kept where `root` is given, which is for one at a time.

    Where it cannot be run the test fails in CI, and is skipped elsewhere.
    """
    program = os.environ.get("GITOPS_ACTION_BUILDKITD") or shutil.which("buildkitd")
    if program is None or not _may_be_root() or shutil.which("runc") is None:
        lack("buildkitd needs root, runc, and `make test`, which compiles it")
    with tempfile.TemporaryDirectory(prefix="buildkit-") as name:
        folder = Path(name)
        for authority in ("ours", "theirs"):
            _make_authority(folder / authority)
        config = folder / "buildkitd.toml"
        config.write_text(
            "".join(f'[registry."{public}"]\nmirrors = ["{mirror}"]\n' for public in _PUBLIC)
            + f'[registry."{mirror}"]\nhttp = true\n'
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        files = folder / "ours"
        command = [
            *(*_AS_ROOT, program, "--root", str(root or folder / "root"), "--config", str(config)),
            *("--addr", f"tcp://127.0.0.1:{port}", "--containerd-worker=false"),
            *(
                "--oci-worker-net=host",
                "--oci-worker-binary=runc",
                "--tlscacert",
                str(files / "ca.pem"),
            ),
            *("--tlscert", str(files / "server.pem"), "--tlskey", str(files / "server.key")),
        ]
        log = folder / "log"
        with (
            log.open("wb") as lines,
            subprocess.Popen(
                command, stdout=lines, stderr=subprocess.STDOUT, start_new_session=True
            ) as child,
        ):
            try:
                _wait(port, child, log)
                yield RunningBuildKit(
                    f"tcp://127.0.0.1:{port}",
                    _bundle(folder / "ours", "ours", folder),
                    _bundle(folder / "ours", "theirs", folder),
                    log,
                )
            finally:
                _end(child)
                subprocess.run([*_AS_ROOT, "rm", "-rf", str(folder / "root")], check=True)


def _may_be_root() -> bool:
    return not _AS_ROOT or (
        shutil.which("sudo") is not None
        and subprocess.run([*_AS_ROOT, "true"], check=False, capture_output=True).returncode == 0
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    """End it by its pid; sudo hands the signal on."""
    subprocess.run([*_AS_ROOT, "kill", str(child.pid)], check=False, capture_output=True)
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        subprocess.run([*_AS_ROOT, "kill", "-KILL", str(child.pid)], check=True)


def _wait(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"buildkitd does not answer: {log.read_text()[-2000:]}")


def _bundle(trusted: Path, client: str, folder: Path) -> str:
    files = (trusted / "ca.pem", folder / client / "client.pem", folder / client / "client.key")
    return "".join(file.read_text() for file in files)


def _make_authority(folder: Path) -> None:
    """Make an authority, and what it signs: a server's certificate for loopback, and a client's."""
    folder.mkdir()
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    _openssl(
        *(*new, "-days", "2", "-subj", "/CN=authority"),
        *("-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")),
    )
    for who, use in (("server", "serverAuth"), ("client", "clientAuth")):
        _openssl(
            *(*new, "-days", "2", "-subj", f"/CN={who}", "-addext", f"extendedKeyUsage={use}"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"),
            *("-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key")),
            *("-keyout", str(folder / f"{who}.key"), "-out", str(folder / f"{who}.pem")),
        )


def _openssl(*argv: str) -> None:
    subprocess.run(["openssl", *argv], check=True, capture_output=True)
