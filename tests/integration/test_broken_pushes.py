"""Pushes over connections that break: what lands, what is sent again, and when it is given up."""

from __future__ import annotations

import os
import subprocess
import tarfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.docker import Docker
from gitops_action.adapters.ko import Ko
from gitops_action.adapters.layout import layout_digest
from gitops_action.adapters.process import Processes
from gitops_action.adapters.registry import Registry, write_credentials
from gitops_action.errors import CancelledError, RegistryUnavailableError
from gitops_action.model.build import BuiltImage
from gitops_action.model.image import Digest, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.secret import Secret
from gitops_action.stages.publish import (
    Clock,
    PublishRequest,
    PublishResult,
    Pusher,
    publish,
)
from tests.fakes.guard import FakeSourceHistory
from tests.fakes.waiting import FakeClock
from tests.systems.engine import required_engine
from tests.systems.proxy import Break, Proxy, proxy
from tests.systems.registry import RunningRegistry, open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYER_BYTES = 3_000_000
# What is not a layer: questions, the configuration, manifests.
OTHER_BYTES = 100_000
TAGS = ("v1", "latest")
PUSHERS = ("docker", "ko")


@dataclass(frozen=True, slots=True)
class Source:
    """One image of two layers that nothing compresses: `name` in the engine, and an OCI layout."""

    docker_host: str
    name: str
    layout: Path
    configuration: Digest


@dataclass
class Push:
    """One image on its way to `repository`, through a proxy that can break connections."""

    source: Source
    builder: str
    folder: Path
    registry: RunningRegistry
    proxy: Proxy
    cancellation: Cancellation = field(default_factory=Cancellation)

    @property
    def path(self) -> str:
        return f"acme/{self.folder.name.lower().replace('_', '-').strip('-')}"

    def manifest(self, tag: str) -> bytes:
        """How the request begins that gives the tag to the image."""
        return f"PUT /v2/{self.path}/manifests/{tag} ".encode()

    def publish(self, *, clock: Clock | None = None) -> PublishResult:
        """Do as the stage does, with pauses that take no time unless there is a clock."""
        processes = Processes(self.cancellation)
        private, credentials = self.folder / "private", self.folder / "credentials"
        private.mkdir(mode=0o700, exist_ok=True)
        write_credentials(credentials, self.proxy.address, "", Secret())
        env = {"PATH": os.environ["PATH"], "DOCKER_HOST": self.source.docker_host}
        pushers: dict[str, Pusher] = {
            "docker": Docker(
                processes,
                env=env,
                workspace=self.folder,
                private=private,
                credentials=credentials,
            ),
            "ko": Ko(
                processes,
                env=env,
                workspace=self.folder,
                private=private,
                credentials=credentials,
            ),
        }
        layout = layout_digest((self.source.layout / "index.json").read_text())
        built = (
            BuiltImage("docker", self.source.name, (self.source.configuration,))
            if self.builder == "docker"
            else BuiltImage(self.builder, str(self.source.layout), (layout,))
        )
        return publish(
            PublishRequest(
                repository=Repository(f"{self.proxy.address}/{self.path}"),
                tags=TAGS,
                moving=frozenset({"latest"}),
            ),
            built,
            pusher=pushers[self.builder],
            registry=Registry(processes, env=env, private=private, credentials=credentials),
            history=FakeSourceHistory(),
            clock=clock or FakeClock(),
            log=HeldLog(),
        )

    def landed(self) -> dict[str, str]:
        """The tags in the registry with their digests; each names an image that is complete."""
        repository = f"{self.registry.address}/{self.path}"
        listed = subprocess.run(
            ["crane", "ls", repository], check=False, capture_output=True, text=True
        )
        found = {}
        for tag in listed.stdout.split():
            _crane("validate", "--remote", f"{repository}:{tag}")
            found[tag] = _crane("digest", f"{repository}:{tag}")
        return found


def _crane(*argv: str) -> str:
    done = subprocess.run(["crane", *argv], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def registry() -> Iterator[RunningRegistry]:
    """One registry for all; each test has a repository of its own."""
    with open_registry() as running:
        yield running


@pytest.fixture(scope="module")
def source(registry: RunningRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """The image, as if it had just been built."""
    folder = tmp_path_factory.mktemp("source")
    layers = []
    for name in ("one", "two"):
        (folder / name).write_bytes(os.urandom(LAYER_BYTES))
        with tarfile.open(folder / f"{name}.tar", "w") as layer:
            layer.add(folder / name, name)
        layers += ["-f", str(folder / f"{name}.tar")]
    reference = f"{registry.address}/source/image:1"
    _crane("append", "--oci-empty-base", "--platform=linux/amd64", *layers, "-t", reference)
    _crane("pull", "--format=oci", reference, str(folder / "layout"))
    with required_engine() as docker_host:
        env = {"PATH": os.environ["PATH"], "DOCKER_HOST": docker_host}
        # Checkouts share an engine; a registry's port is one's own.
        subprocess.run(["docker", "pull", reference], check=True, env=env, capture_output=True)
        inspect = ["docker", "image", "inspect", "--format={{.Id}}", reference]
        told = subprocess.run(inspect, check=True, env=env, capture_output=True, text=True)
        yield Source(docker_host, reference, folder / "layout", Digest(told.stdout.strip()))
        remove = ["docker", "image", "rm", reference]
        subprocess.run(remove, check=True, env=env, capture_output=True)


@pytest.fixture(params=PUSHERS)
def push(
    request: pytest.FixtureRequest, source: Source, registry: RunningRegistry, tmp_path: Path
) -> Iterator[Push]:
    """A push by the engine, and by crane as for ko and a BuildKit elsewhere."""
    with proxy(registry.address) as running:
        yield Push(source, request.param, tmp_path, registry, running)


def test_an_upload_that_is_cut_lands(push: Push) -> None:
    """
    A layer whose connection breaks is sent again, the other one is not, and the image is complete.
    """
    push.proxy.breaks(Break.RESET, at=LAYER_BYTES // 2, times=1)

    result = push.publish()

    digest = str(result.image.digest)
    assert push.landed() == {"v1": digest, "latest": digest}
    assert result.tags == TAGS
    assert push.proxy.broken == 1
    assert push.proxy.sent < 3 * LAYER_BYTES + OTHER_BYTES


@pytest.mark.parametrize("how", [Break.CLOSE, Break.LOST_ANSWER], ids=str)
def test_what_the_registry_has_is_not_sent_again(push: Push, how: Break) -> None:
    """
    Where only the tag is missing, another try sends the tag, whether it had arrived or not.
    """
    # crane tries three times by itself.
    push.proxy.breaks(how, at=push.manifest("v1"), times=1 if push.builder == "docker" else 3)

    result = push.publish()

    digest = str(result.image.digest)
    assert push.landed() == {"v1": digest, "latest": digest}
    assert push.proxy.broken >= 1
    assert push.proxy.sent < 2 * LAYER_BYTES + OTHER_BYTES


@pytest.mark.parametrize(("at", "before"), [("v1", ()), ("latest", ("v1",))], ids=["first", "next"])
def test_a_registry_that_stays_away_is_told_with_what_it_has(
    push: Push, at: str, before: tuple[str, ...]
) -> None:
    """
    Four tries over 42 seconds, then one message; each tag that is there is complete.
    """
    push.proxy.breaks(Break.LEAVE, at=push.manifest(at))
    clock = FakeClock()
    started = clock.monotonic()

    with pytest.raises(RegistryUnavailableError) as caught:
        push.publish(clock=clock)

    assert clock.monotonic() - started == 2 + 10 + 30
    assert f"{push.proxy.address} cannot be reached" in caught.value.message
    partial = caught.value.partial
    assert (partial.tags if isinstance(partial, PublishResult) else ()) == before
    assert tuple(push.landed()) == before


def test_a_load_balancer_without_a_registry_is_waited_for(push: Push) -> None:
    """
    A page in the registry's place, in the middle of a push, is an outage and no answer.
    """
    page = b"<html>\r\n<head><title>502 Server Error</title></head>\r\n<body>401</body>\r\n</html>"
    head = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nConnection: close\r\n"
    answer = head + b"Content-Length: %d\r\n\r\n" % len(page) + page
    push.proxy.breaks(answer, at=push.manifest("v1"), times=1 if push.builder == "docker" else 3)
    clock = FakeClock()
    started = clock.monotonic()

    result = push.publish(clock=clock)

    assert clock.monotonic() - started == 2
    assert push.landed() == dict.fromkeys(TAGS, str(result.image.digest))


def test_a_push_that_hangs_ends_with_the_run(push: Push) -> None:
    """
    A cancelled run does not wait for a connection on which nothing moves, and none of ours stays.
    """
    push.proxy.breaks(Break.STALL, at=LAYER_BYTES // 2)
    cancelled: list[float] = []

    def cancel() -> None:
        while not push.proxy.broken:
            time.sleep(0.01)
        cancelled.append(time.monotonic())
        push.cancellation.cancel("the run was cancelled")

    canceller = threading.Thread(target=cancel, daemon=True)
    canceller.start()

    with pytest.raises(CancelledError):
        push.publish()

    assert time.monotonic() - cancelled[0] < 5
    canceller.join()
    # Of two layers on their way, an older engine may let go of one only (20.10).
    assert push.builder == "docker" or _nobody_sends(push.proxy)
    assert push.landed() == {}


def _nobody_sends(running: Proxy) -> bool:
    deadline = time.monotonic() + 5
    while running.waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    return running.waiting == 0


def test_a_pause_ends_with_the_run(push: Push) -> None:
    """
    A cancelled run does not wait for the next try.
    """
    push.proxy.breaks(Break.LEAVE, at=b"HEAD ")
    canceller = threading.Timer(1, lambda: push.cancellation.cancel("the run was cancelled"))
    canceller.start()
    started = time.monotonic()

    with pytest.raises(CancelledError):
        push.publish(clock=push.cancellation)

    canceller.join()
    assert time.monotonic() - started < 5
