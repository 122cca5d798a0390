"""A job's `services:`, as the runner starts them: on a network of the job's own, with their names.

Source: actions/runner, ContainerOperationProvider.cs.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 5432
# What the module `service` of the fixtures waits for.
_SERVER = f"""
import socket

server = socket.create_server(("", {PORT}))
print("listening", flush=True)
while True:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"ready\\n")
"""


@contextmanager
def service(name: str, *, image: str, docker_host: str) -> Iterator[str]:
    """Run a service from an `image` that has Python; gives the network on which it is `name`."""
    env = {**os.environ, "DOCKER_HOST": docker_host}
    network = f"github_network_{secrets.token_hex(16)}"
    container = f"{network}_{name}"
    run = ["docker", "run", "--rm", f"--name={container}", f"--network={network}"]
    run += [f"--network-alias={name}", "--entrypoint=python3", image, "-c", _SERVER]

    def _docker(*argv: str) -> None:
        subprocess.run(["docker", *argv], check=True, env=env, capture_output=True)

    _docker("network", "create", network)
    try:
        with subprocess.Popen(run, env=env, stdout=subprocess.PIPE, text=True) as running:
            try:
                assert running.stdout is not None
                assert running.stdout.readline() == "listening\n"
                yield network
            finally:
                _docker("rm", "--force", container)
    finally:
        _docker("network", "rm", network)
