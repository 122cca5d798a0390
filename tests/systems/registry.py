"""Registries on loopback: Debian's docker-registry, with and without users, and crane's."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS = 20.0
_REFERRERS = Path(__file__).with_name("referrers.go")


@dataclass(frozen=True, slots=True)
class RunningRegistry:
    """A registry that answers at `address`, which is `127.0.0.1:port`; `data` is its folder."""

    address: str
    data: Path


@contextmanager
def open_registry(*, data: Path | None = None) -> Iterator[RunningRegistry]:
    """Run a registry that lets everybody push; what it has is kept where `data` is given."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _running(Path(folder), {}, {}, data=data) as registry,
    ):
        yield registry


@contextmanager
def closed_registry(username: str, password: str) -> Iterator[RunningRegistry]:
    """Run a registry that knows one user."""
    with tempfile.TemporaryDirectory() as folder:
        users = Path(folder, "users")
        command = ["htpasswd", "-Bic", str(users), username]
        subprocess.run(command, check=True, capture_output=True, input=password.encode())
        auth: dict[str, object] = {"htpasswd": {"realm": "tests", "path": str(users)}}
        with _running(Path(folder), {"auth": auth}, {}) as registry:
            yield registry


@contextmanager
def tls_registry() -> Iterator[tuple[RunningRegistry, Path]]:
    """Run a registry with a certificate that nobody trusts; also gives the certificate's file."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        tls: dict[str, object] = {"tls": {"certificate": str(certificate), "key": str(key)}}
        with _running(Path(folder), {}, tls) as registry:
            yield registry, certificate


@contextmanager
def crane_registry(folder: Path, *, port: int = 0) -> Iterator[str]:
    """Serve the registry kept in `folder`, at a free port unless one is asked for.

    It needs nothing but crane; `docker-registry` is the one with users. Gives its address.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{port}" if port else _free_address()
    command = ["crane", "registry", "serve", "--address", address, "--disk", str(folder)]
    with _serving(command, address, folder.with_name(f"{folder.name}.log")):
        yield address


@contextmanager
def referrers_registry() -> Iterator[str]:
    """Run a registry that lists referrers itself, which neither of the other two does.

    It is part of the module that crane is built from, and is built in that. Gives its address.
    """
    crane = shutil.which("crane") or "crane"
    said = _said("go", "version", "-m", crane).split("\n\tmod\t")[1].split()
    place = json.loads(_said("go", "mod", "download", "-json", f"{said[0]}@{said[1]}"))["Dir"]
    with tempfile.TemporaryDirectory() as folder:
        program, address = Path(folder, "registry"), _free_address()
        _said("go", "build", "-C", place, "-o", str(program), str(_REFERRERS))
        with _serving([str(program), address], address, Path(folder, "log")):
            yield address


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def _running(
    folder: Path, more: dict[str, object], http: dict[str, object], *, data: Path | None = None
) -> Iterator[RunningRegistry]:
    address = _free_address()
    data = data or folder / "data"
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(data)}, "delete": {"enabled": True}},
        "http": {"addr": address, **http},
        **more,
    }
    # JSON is YAML.
    file = folder / "config.yml"
    file.write_text(json.dumps(config))
    with _serving(["docker-registry", "serve", str(file)], address, folder / "log"):
        yield RunningRegistry(address, data)


@contextmanager
def _serving(command: list[str], address: str, log: Path) -> Iterator[None]:
    with (
        log.open("wb") as lines,
        # Of its own session: Ctrl-C is for what uses it, which may be in the middle of a push.
        subprocess.Popen(
            command, stdout=lines, stderr=subprocess.STDOUT, start_new_session=True
        ) as child,
    ):
        try:
            _wait(address, child, log)
            yield
        finally:
            child.terminate()


def _wait(address: str, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{address}/v2/", timeout=1):
                return
        except urllib.error.HTTPError as error:
            # 401: it wants a user; 400: it wants TLS.
            error.close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"no registry answers at {address}: {log.read_text()}")


def static_base(address: str) -> str:
    """Push an empty base with an unprivileged user to the registry at `address`; names it."""
    reference = f"{address}/base/static:latest"
    with tempfile.TemporaryDirectory() as folder:
        layer = Path(folder, "layer.tar")
        passwd = b"nonroot:x:65532:65532::/:/sbin/nologin\n"
        with tarfile.open(layer, "w") as archive:
            entry = tarfile.TarInfo("etc/passwd")
            entry.size = len(passwd)
            archive.addfile(entry, io.BytesIO(passwd))
        for argv in (
            ["append", "--oci-empty-base", "--platform=linux/amd64", "-f", str(layer)],
            ["mutate", reference, "--user=65532:65532", "--set-platform=linux/amd64"],
        ):
            subprocess.run(["crane", *argv, "-t", reference], check=True, capture_output=True)
    return reference
