"""The example's image as it lies in a registry: what its program is for, and whether it lives."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import tarfile
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

HOSTNAME = "hello-gitops-7d9f"
_START_SECONDS = 30.0
# Kubernetes grants 30; what takes longer is killed, and its exit code says so.
_STOP_SECONDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What a container was and did from its start to SIGTERM; `said` is its last word."""

    revision: str
    user: str
    greeting: str
    health: int
    said: str
    exit_code: int


def compiled_for(image: str, platform: str) -> str:
    """Read from the program that the image has for `platform` what it was compiled for."""
    with tempfile.TemporaryDirectory() as name:
        files = Path(name, "files.tar")
        subprocess.run(
            ["crane", "export", f"--platform={platform}", image, str(files)],
            check=True,
            capture_output=True,
        )
        with tarfile.open(files) as archive:
            [program] = [one for one in archive if Path(one.name).name == "hello-gitops"]
            archive.extract(program, name, filter="data")
        command = ["go", "version", "-m", str(Path(name, program.name.lstrip("/")))]
        built = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    settings = dict(re.findall(r"\b(GOOS|GOARCH)=(\w+)", built))
    return f"{settings['GOOS']}/{settings['GOARCH']}"


def live(image: str, docker_host: str) -> Life:
    """Pull and start `image` with no more rights than the example's Deployment gives, and stop it.

    The engine at `docker_host` keeps nothing of it.
    """
    name = f"gitops-action-{uuid.uuid4().hex}"

    def _docker(*argv: str) -> str:
        done = subprocess.run(
            ["docker", *argv],
            check=True,
            env={**os.environ, "DOCKER_HOST": docker_host},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout.strip()

    _docker("pull", "--quiet", image)
    try:
        _docker(
            *("run", "--detach", f"--name={name}", f"--hostname={HOSTNAME}", "--read-only"),
            *("--cap-drop=ALL", "--security-opt=no-new-privileges"),
            *("--publish=127.0.0.1::8080", image),
        )
        address = _docker("port", name, "8080/tcp")
        health, _ = _get(address, "/healthz")
        _, greeting = _get(address, "/")
        user = _docker("top", name, "-eo", "pid,uid").split()[-1]
        _docker("stop", f"--time={_STOP_SECONDS}", name)
        label = '{{index .Config.Labels "org.opencontainers.image.revision"}}'
        return Life(
            revision=_docker("inspect", f"--format={label}", name),
            user=user,
            greeting=greeting,
            health=health,
            said=_docker("logs", name).splitlines()[-1].split(" ", 2)[2],
            exit_code=int(_docker("inspect", "--format={{.State.ExitCode}}", name)),
        )
    finally:
        _docker("rm", "--force", name)
        _docker("image", "rm", image)


def _get(address: str, path: str) -> tuple[int, str]:
    """Ask until there is an answer: the engine's proxy accepts before the app listens."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        connection = http.client.HTTPConnection(address, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        finally:
            connection.close()
