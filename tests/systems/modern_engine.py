"""Debian trixie's Docker engine, newer than the machine's may be, in a container of that one.

It keeps images in containerd, as engines do that are installed today.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.systems.base_images import DEBIAN, base_images
from tests.systems.engine import lack, required_engine

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

    It finds every image of Docker Hub at `mirror`, a registry's `127.0.0.1:port`. Where it cannot
    be run the test fails in CI, and is skipped elsewhere.
    """
    with (
        required_engine() as outer,
        tempfile.TemporaryDirectory(prefix="modern-engine-") as name,
    ):
        folder = Path(name)
        config = {
            "features": {"containerd-snapshotter": True},
            "registry-mirrors": [f"http://{mirror}"] if mirror else [],
        }
        (folder / "daemon.json").write_text(json.dumps(config))
        container = f"modern-engine-{uuid.uuid4().hex[:8]}"
        try:
            _start(outer, container, folder)
            yield f"unix://{folder}/docker.sock"
        finally:
            _docker(outer, "stop", f"--time={_END_SECONDS}", container)


def _start(outer: str, container: str, folder: Path) -> None:
    told = {
        "BRIDGE": container.replace("modern-engine", "tests"),
        "FOLDER": str(folder),
        "GROUP": str(os.getgid()),
    }
    base_images(outer, [DEBIAN])
    built = _docker(outer, "build", "--network=host", "--tag", _TAG, "-", stdin=_DOCKERFILE)
    ran = _docker(
        outer,
        *("run", "--detach", "--rm", f"--name={container}", *_ALLOWED),
        *("--network=host", "--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup"),
        *("--volume=/var/lib/docker", f"--volume={folder}:{folder}"),
        *(f"--env={key}={value}" for key, value in told.items()),
        *(_TAG, "sh", "-c", _RUN),
    )
    deadline = time.monotonic() + _START_SECONDS
    address = f"unix://{folder}/docker.sock"
    while _docker(address, "version").returncode != 0:
        ended = _docker(outer, "inspect", container).returncode != 0
        if ended or time.monotonic() > deadline:
            log = folder / "log"
            said = log.read_text() if log.exists() else built.stderr + ran.stderr
            lack(f"no Docker engine of Debian trixie can be run here: {said[-2000:]}")
        time.sleep(0.1)


def _docker(address: str, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DOCKER_HOST": address}
    return subprocess.run(
        ["docker", *argv], check=False, env=env, input=stdin, capture_output=True, text=True
    )
