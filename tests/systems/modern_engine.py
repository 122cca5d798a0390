"""Debian trixie's Docker engine, newer than the machine's may be, in a container of that one.

It keeps images in containerd, as engines do that are installed today.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.systems.base_images import DEBIAN, base_images
from tests.systems.engine import required_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG = "gitops-action-tests/modern-engine"
_DOCKERFILE = f"""FROM {DEBIAN}
RUN apt-get update \\
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \\
        docker.io iproute2 >/dev/null \\
    && rm -rf /var/lib/apt/lists/*
"""
# The network of the machine, where the tests' registries are, so a bridge of its own; it is made
# and removed here because only root may.
_RUN = """
ip link add "$BRIDGE" type bridge
ip addr add 172.30.1.1/24 dev "$BRIDGE"
ip link set "$BRIDGE" up
dockerd --host="unix://$FOLDER/docker.sock" --group="$GROUP" --bridge="$BRIDGE" \
    --iptables=false --ip-masq=false --config-file="$FOLDER/daemon.json" >"$FOLDER/log" 2>&1 &
trap 'kill $!' TERM
wait
wait
ip link delete "$BRIDGE"
"""
# --privileged asks for every capability, and a virtual machine may lack one that nobody needs here.
_ALLOWED = (
    *("--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--device-cgroup-rule=a *:* rwm"),
    *(f"--security-opt={name}=unconfined" for name in ("seccomp", "apparmor", "systempaths")),
)
_START_SECONDS = 60.0
_END_SECONDS = 30


@contextmanager
def required_modern_engine(*, mirror: str = "") -> Iterator[str]:
    """Run one that has nothing yet; gives its address, as DOCKER_HOST says it.

    It finds every image of Docker Hub at `mirror`, a registry's `127.0.0.1:port`. It needs the
    machine's engine: without one the test fails in CI, and is skipped elsewhere.
    """
    with (
        required_engine() as outer,
        tempfile.TemporaryDirectory(prefix="modern-engine-") as name,
    ):
        _build(outer)
        folder = Path(name)
        config = {
            "features": {"containerd-snapshotter": True},
            "registry-mirrors": [f"http://{mirror}"] if mirror else [],
        }
        (folder / "daemon.json").write_text(json.dumps(config))
        told = {
            "BRIDGE": f"tests-{uuid.uuid4().hex[:8]}",
            "FOLDER": name,
            "GROUP": str(os.getgid()),
        }
        container = _docker(
            outer,
            *("run", "--detach", "--rm", *_ALLOWED, "--network=host", "--cgroupns=host"),
            *("--volume=/sys/fs/cgroup:/sys/fs/cgroup", "--volume=/var/lib/docker"),
            f"--volume={folder}:{folder}",
            *(f"--env={key}={value}" for key, value in told.items()),
            *(_TAG, "sh", "-c", _RUN),
        ).strip()
        try:
            address = f"unix://{folder}/docker.sock"
            _wait(address, folder / "log")
            yield address
        finally:
            _docker(outer, "stop", f"--time={_END_SECONDS}", container)


def _build(outer: str) -> None:
    """Install the packages, once for each engine."""
    base_images(outer, [DEBIAN])
    command = ["docker", "build", "--network=host", "--tag", _TAG, "-"]
    env = {**os.environ, "DOCKER_HOST": outer}
    subprocess.run(
        command, check=True, env=env, input=_DOCKERFILE.encode(), stdout=sys.stderr, stderr=None
    )


def _docker(address: str, *argv: str) -> str:
    return subprocess.run(
        ["docker", *argv],
        check=True,
        env={**os.environ, "DOCKER_HOST": address},
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def _wait(address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    env = {**os.environ, "DOCKER_HOST": address}
    while subprocess.run(command, check=False, env=env, capture_output=True).returncode != 0:
        if time.monotonic() > deadline:
            said = log.read_text() if log.exists() else "nothing"
            raise RuntimeError(f"dockerd does not answer: {said[-2000:]}")
        time.sleep(0.1)
