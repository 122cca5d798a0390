"""Stand-ins for the base images that the Dockerfiles name, where no image registry is reachable.

The Dockerfiles name ordinary public images and are built as they are; what can be pulled is
pulled. Run by itself, it makes them in the engine that answers or that it starts.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.systems.engine import cache, engine, locked

if TYPE_CHECKING:
    from collections.abc import Iterable

DEBIAN = "debian:trixie-slim"
GO = "golang:1.26-trixie"
STATIC = "gcr.io/distroless/static-debian12:nonroot"
_PULL_SECONDS = 600
_SUITE = "trixie"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_OWN_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_GO_PATH = "/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What the slim images leave out.
_NOT_SLIM = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
_SLIM = "".join(f"path-exclude /{folder}/*\n" for folder in _NOT_SLIM)
# As in Debian's own images: apt keeps nothing of what it has fetched.
_CLEAN = (
    'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n'
    'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
)


def base_images(docker_host: str, names: Iterable[str] = (DEBIAN, GO, STATIC)) -> None:
    """Let the engine at `docker_host` have these base images; the second is made from the first."""
    make = {DEBIAN: _debian, GO: _go, STATIC: _static}
    with locked(cache() / "base-images.lock"):
        for name in names:
            if not _has(docker_host, name) and not _pull(docker_host, name):
                _say(f"{name} cannot be pulled: making a stand-in")
                make[name](docker_host)


def _has(docker_host: str, name: str) -> bool:
    return _docker(docker_host, "image", "inspect", name, check=False).returncode == 0


def _pull(docker_host: str, name: str) -> bool:
    _say(f"pulling {name}")
    return _docker(docker_host, "pull", "--quiet", name, check=False).returncode == 0


def _debian(docker_host: str) -> None:
    archive = cache() / f"{_SUITE}.tar"
    if not archive.exists():
        _bootstrap(archive)
    with archive.open("rb") as rootfs:
        _docker(docker_host, "import", "--change=CMD bash", "-", DEBIAN, stdin=rootfs)


def _bootstrap(archive: Path) -> None:
    _say("running debootstrap, about a minute")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", _SUITE]
        subprocess.run([*command, str(root), _mirror()], check=True, stdout=sys.stderr)
        # The machine may trust more than Debian does, a proxy's authority for one.
        shutil.copy(_CERTIFICATES, root / _CERTIFICATES.relative_to("/"))
        for certificate in _OWN_CERTIFICATES.glob("*.crt"):
            shutil.copy(certificate, root / _OWN_CERTIFICATES.relative_to("/"))
        (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(_SLIM)
        (root / "etc/apt/apt.conf.d/docker-clean").write_text(_CLEAN)
        for path in ("var/cache/apt/archives", "var/lib/apt/lists", *_NOT_SLIM):
            shutil.rmtree(root / path)
            (root / path).mkdir()
        unfinished = archive.with_suffix(".part")
        subprocess.run(["tar", "-C", str(root), "-cf", str(unfinished), "."], check=True)
        unfinished.replace(archive)


def _mirror() -> str:
    """Find the first address that apt itself uses."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return next(address for address in found if "debian" in address and "security" not in address)


def _go(docker_host: str) -> None:
    """Put the machine's own toolchain on the Debian stand-in."""
    command = ["go", "env", "GOROOT"]
    root = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["cp", "-rL", root, f"{folder}/go"], check=True)
        lines = (
            f"FROM {DEBIAN}",
            "COPY go /usr/local/go",
            f"ENV GOPATH=/go GOTOOLCHAIN=local PATH=/go/bin:{_GO_PATH}",
            "WORKDIR /go",
        )
        Path(folder, "Dockerfile").write_text("\n".join(lines))
        _docker(docker_host, "build", "--quiet", "--tag", GO, folder)


def _static(docker_host: str) -> None:
    """Make a rootfs of nothing but an unprivileged user and the trusted certificates."""
    rootfs = io.BytesIO()
    with tarfile.open(fileobj=rootfs, mode="w") as archive:
        files = {
            "etc/passwd": b"root:x:0:0:root:/root:/sbin/nologin\n"
            b"nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
            str(_CERTIFICATES.relative_to("/")): _CERTIFICATES.read_bytes(),
        }
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    with tempfile.TemporaryFile() as file:
        file.write(rootfs.getvalue())
        file.seek(0)
        _docker(docker_host, "import", "--change=USER 65532", "-", STATIC, stdin=file)


def _docker(
    docker_host: str, *argv: str, check: bool = True, stdin: int | IO[bytes] = subprocess.DEVNULL
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["docker", *argv],
        check=check,
        env={**os.environ, "DOCKER_HOST": docker_host},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=None if check else subprocess.DEVNULL,
        timeout=_PULL_SECONDS,
    )


def _say(line: str) -> None:
    print(f"base images: {line}", file=sys.stderr)  # noqa: T201  what makes the first run long


if __name__ == "__main__":
    with engine() as address:
        base_images(address)
