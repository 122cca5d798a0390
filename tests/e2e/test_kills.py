"""A step that is ended at any moment, by its runner or with its machine: what is left, and next."""

from __future__ import annotations

import os
import random
import re
import subprocess
import tarfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import PASSWORD, REPOSITORY, USER, World
from tests.systems.buildkit import RunningBuildKit, required_buildkit
from tests.systems.counts import count
from tests.systems.registry import open_registry
from tests.systems.runner import CHECKOUT_TOKEN, RUNTIME_TOKEN, HostedRunner, Step

# What a runner waits for after its first signal: ProcessInvoker.cs.
GRACE_SECONDS = 7.5
BUILDERS = ("docker", "ko", "buildkit")
SEED = 7
# Stands for a compiler: takes a second, and leaves what has to be sent.
TOOL = """package main

import (
	"crypto/rand"
	"os"
	"time"
)

func main() {
	time.Sleep(time.Second)
	app := make([]byte, 4<<20)
	rand.Read(app)
	os.Mkdir("/out", 0o755)
	os.WriteFile("/out/app", app, 0o755)
}
"""
DOCKERFILE = """FROM {tool} AS build
COPY cmd /cmd
RUN ["/{name}"]
FROM scratch
COPY --from=build /out /
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """An image with one program, in the engine and at a BuildKit; its process is `/name`."""

    name: str
    image: str
    buildkit: RunningBuildKit

    @property
    def runs(self) -> bool:
        command = f"/{self.name}\0".encode()
        return any(_argv(process) == command for process in Path("/proc").glob("[0-9]*"))


def _argv(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def tool(docker_host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tool]:
    """What Dockerfiles begin with, where builds with an engine and without one find it."""
    folder = tmp_path_factory.mktemp("tool")
    name = f"tool-{uuid4().hex[:8]}"
    image = f"gitops-action-tests/{name}:1"
    (folder / "main.go").write_text(TOOL)
    go = {**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"}
    build = ["go", "build", "-o", str(folder / name), str(folder / "main.go")]
    subprocess.run(build, check=True, env=go)
    with tarfile.open(folder / "layer.tar", "w") as layer:
        layer.add(folder / name, name)
    with open_registry() as mirror, required_buildkit(mirror=mirror.address) as buildkit:
        pushed = f"{mirror.address}/{image}"
        for command in (
            ["append", "--oci-empty-base", "-f", str(folder / "layer.tar"), "-t", pushed],
            # An engine takes its own image only where the platform is the one asked for.
            ["mutate", "--set-platform=linux/amd64", "-t", pushed, pushed],
        ):
            subprocess.run(["crane", *command], check=True, capture_output=True)
        for command in (["pull", pushed], ["tag", pushed, image]):
            _docker(docker_host, *command)
        yield Tool(name, image, buildkit)
        _docker(docker_host, "image", "rm", pushed, image)


def _docker(docker_host: str, *argv: str) -> str:
    env = {"PATH": os.environ["PATH"], "DOCKER_HOST": docker_host}
    command = ["docker", *argv]
    return subprocess.run(command, check=True, env=env, capture_output=True, text=True).stdout


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_step_that_is_ended_leaves_nothing(world: World, tool: Tool, builder: str) -> None:
    """
    No container, build, credential or half image; and the same job again ends as if it were new.
    """
    draw = random.Random(f"{SEED} {builder}")
    job = world.job()
    job.write("Dockerfile", DOCKERFILE.format(tool=tool.image, name=tool.name))
    inputs = _inputs(world, tool, builder)
    # A guess first, and then what whole runs take; one that finds the image is shorter.
    took = 5.0

    for number in range(count(long=100, short=1)):
        job.write("cmd/hello-gitops/round.go", f"package main\n\nconst round = {number}\n")
        vanish = (number + BUILDERS.index(builder)) % 2 == 1
        moment = took * draw.uniform(0.1, 1)
        where = f"{builder}, round {number}, vanish={vanish}, after {moment:.2f} of {took:.2f} s"

        killed = job.interrupt(inputs, when=_after(moment), vanish=vanish)

        assert vanish or _ended_well(killed), f"{where}\n{killed.log}"
        assert "nothing was pushed" not in killed.log or not world.digest(job.head), where
        _assert_nothing_is_left(world, tool, job, where)
        _assert_engine_is_clean(world, vanish=vanish, where=where)
        _assert_tags_are_whole(world, where)

        again = job.run(inputs)

        assert again.exit_code == 0, f"{where}\n{killed.log}\n{again.log}"
        whole = world.digest(job.head)
        assert again.outputs["digest"] == whole == world.digest("latest") != "", where
        _assert_nothing_is_left(world, tool, job, where)
        _assert_engine_is_clean(world, vanish=False, where=where)
        _assert_tags_are_whole(world, where)
        took = max(0.9 * took, again.seconds)


def _inputs(world: World, tool: Tool, builder: str) -> dict[str, str]:
    more = {
        "docker": {"builder": "docker"},
        "ko": {"builder": "ko", "base_image": f"{world.registry.address}/base/static"},
        "buildkit": {
            "builder": "docker",
            "buildkit_address": tool.buildkit.address,
            "buildkit_tls": tool.buildkit.tls,
        },
    }[builder]
    publish = {
        key: world.inputs()[key] for key in ("image", "registry-username", "registry-password")
    }
    return {**world.only("verify build publish", **more), **publish}


def _after(seconds: float) -> Callable[[str], bool]:
    moment = time.monotonic() + seconds
    return lambda _: time.monotonic() >= moment


def _ended_well(step: Step) -> bool:
    """Whether the step was over when the signal came, or ended on it in time and said so."""
    return "Traceback" not in step.log and (
        step.exit_code == 0 or (step.exit_code in {130, 143} and step.seconds < GRACE_SECONDS)
    )


def _assert_nothing_is_left(world: World, tool: Tool, job: HostedRunner, where: str) -> None:
    deadline = time.monotonic() + 5
    while (tool.runs or job.leftovers()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not tool.runs, f"{where}: the build goes on"
    assert job.leftovers() == [], where
    # A registry's password lies in a file in the form in which it is sent.
    login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    key = tool.buildkit.tls.splitlines()[-2]
    for canary in (login, PASSWORD, world.git.token, RUNTIME_TOKEN, CHECKOUT_TOKEN, key):
        found = subprocess.run(
            ["grep", "-rlF", "-e", canary, str(job.folder)],
            check=False,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        checkouts = {job.workspace / ".git/config", job.folder / "_temp/git-credentials-1.config"}
        allowed = checkouts if canary == CHECKOUT_TOKEN else set()
        assert {Path(file) for file in found} <= allowed, where


def _assert_engine_is_clean(world: World, *, vanish: bool, where: str) -> None:
    """Nothing can tidy up behind a machine that vanished: an image may be left by that one."""
    source = f"label=org.opencontainers.image.source={world.git.address}/{REPOSITORY}"
    listed = ["image", "ls", f"--filter={source}", "--format={{.Repository}}:{{.Tag}}"]
    names = _docker(world.docker_host, *listed).split()
    assert vanish or names == [], where
    ours = rf"gitops-action\.invalid/build:\w+|{re.escape(world.registry.address)}/{REPOSITORY}:\w+"
    assert [name for name in names if not re.fullmatch(ours, name)] == [], where
    if names:
        _docker(world.docker_host, "image", "rm", *names)


def _assert_tags_are_whole(world: World, where: str) -> None:
    repository = f"{world.registry.address}/{REPOSITORY}"
    listed = subprocess.run(
        ["crane", "ls", repository], check=False, capture_output=True, text=True
    )
    for tag in listed.stdout.split():
        validate = ["crane", "validate", "--remote", f"{repository}:{tag}"]
        done = subprocess.run(validate, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{where}: {tag}: {done.stderr}"
