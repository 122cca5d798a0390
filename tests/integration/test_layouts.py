"""A BuildKit elsewhere, and that of an engine with containerd's image store: what both can do."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.docker import BuildKit, Docker
from gitops_action.adapters.process import Processes
from gitops_action.adapters.registry import Registry, write_credentials
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.secret import Secret
from gitops_action.stages.build import build
from gitops_action.stages.publish import PublishRequest, PublishResult, publish
from tests.fakes.guard import FakeSourceHistory
from tests.fakes.waiting import FakeClock, LineLog
from tests.systems.buildkit import required_buildkit
from tests.systems.docker_hub import CREATED, DOCKERFILE, PLATFORMS, REQUEST, docker_hub
from tests.systems.engine import add_buildx
from tests.systems.modern_engine import required_modern_engine
from tests.systems.registry import closed_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_action.model.log import Log

CANARY = "canary-s3cret"


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of one run."""

    workspace: Path
    private: Path
    credentials: Path


class Connect(Protocol):
    """Makes the adapter for a run on what builds."""

    def __call__(self, place: Place) -> Docker | BuildKit: ...


Start = Callable[[str], AbstractContextManager[Connect]]


@contextmanager
def _engine(hub: str) -> Iterator[Connect]:
    with required_modern_engine(mirror=hub) as address:
        yield lambda place: Docker(
            Processes(Cancellation()),
            env={"PATH": os.environ["PATH"], "DOCKER_HOST": address},
            workspace=place.workspace,
            private=place.private,
            credentials=place.credentials,
        )


@contextmanager
def _buildkit(hub: str) -> Iterator[Connect]:
    with required_buildkit(mirror=hub) as running:
        yield lambda place: BuildKit(
            Processes(Cancellation()),
            env={"PATH": os.environ["PATH"]},
            workspace=place.workspace,
            private=place.private,
            credentials=place.credentials,
            address=running.address,
            tls=Secret(running.tls),
        )


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    """A registry in Docker Hub's place."""
    with docker_hub() as address:
        yield address


@pytest.fixture(scope="module", params=[_engine, _buildkit], ids=["engine", "elsewhere"])
def builders(request: pytest.FixtureRequest, hub: str) -> Iterator[tuple[Connect, Connect]]:
    """Two of the same kind, that know nothing of each other."""
    start: Start = request.param
    with start(hub) as one, start(hub) as other:
        yield one, other


@pytest.fixture
def docker(builders: tuple[Connect, Connect], place: Place) -> Docker | BuildKit:
    """The adapter, on the one that builds most."""
    return builders[0](place)


@pytest.fixture
def other(builders: tuple[Connect, Connect], place: Place) -> Docker | BuildKit:
    """The adapter, on the other one."""
    return builders[1](place)


@pytest.fixture
def repository() -> Iterator[Repository]:
    """A repository of a registry that knows one user and has nothing yet."""
    with closed_registry("robot", CANARY) as running:
        yield Repository(f"{running.address}/acme/shop")


@pytest.fixture
def place(tmp_path: Path, repository: Repository) -> Place:
    """What checkout leaves, its token included, and the folders of ours."""
    place = Place(*(tmp_path / name for name in ("workspace", "private", "credentials")))
    (place.workspace / ".git").mkdir(parents=True)
    (place.workspace / ".git" / "config").write_text(f"extraheader = {CANARY}")
    (place.workspace / "Dockerfile").write_text(DOCKERFILE)
    (place.workspace / "note").write_text("note")
    place.private.mkdir(mode=0o700)
    write_credentials(place.credentials, repository.registry, "robot", Secret(CANARY))
    add_buildx(place.credentials)
    return place


@pytest.fixture
def registry(place: Place) -> Registry:
    """The adapter that asks every registry."""
    return Registry(
        Processes(Cancellation()),
        env={"PATH": os.environ["PATH"]},
        private=place.private,
        credentials=place.credentials,
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """An image in the registry, as anybody finds it there."""

    image: ImageReference
    credentials: Path

    def read(self, digest: str = "", *, kind: str = "manifest") -> dict[str, Any]:
        """Read the image's manifest, another one of the repository, or a `blob` that is JSON."""
        found: dict[str, Any] = json.loads(self._crane(kind, self._name(digest)))
        return found

    def files(self, platform: str) -> dict[str, bytes]:
        """Read every file of the image for one platform."""
        rootfs = self._crane("export", f"--platform={platform}", self._name(""), "-")
        with tarfile.open(fileobj=io.BytesIO(rootfs)) as archive:
            opened = {member.name: archive.extractfile(member) for member in archive}
            return {name: file.read() for name, file in opened.items() if file}

    def _name(self, digest: str) -> str:
        return f"{self.image.repository}@{digest}" if digest else self.image.tagged

    def _crane(self, *argv: str) -> bytes:
        env = {**os.environ, "DOCKER_CONFIG": str(self.credentials)}
        return subprocess.run(["crane", *argv], check=True, capture_output=True, env=env).stdout


def test_builds_for_two_platforms(
    docker: Docker | BuildKit, place: Place, repository: Repository, registry: Registry
) -> None:
    """
    One build gives an image for each platform, without checkout's token; what is pushed is that.
    """
    image = ImageReference(repository, "1")

    built = docker.build(REQUEST, "Dockerfile", log=HeldLog())
    pushed = docker.push(built, image, log=HeldLog())
    docker.discard(built)

    assert (pushed,) == built.digests
    assert registry.digest(image) == pushed
    assert registry.labels(image)["note"] == "a, b=c"
    for name in ("amd64", "arm64"):
        files = Seen(image, place.credentials).files(f"linux/{name}")
        assert files == {"app": name.encode(), "note": b"note", "Dockerfile": DOCKERFILE.encode()}
    assert not list(place.private.glob("layout-*"))


def test_leaves_the_layers_of_the_base_as_they_are(
    docker: Docker | BuildKit, hub: str, place: Place, repository: Repository
) -> None:
    """
    Times are set in our own layers alone: registry and nodes have those of the base image already.
    """
    base = Seen(ImageReference(Repository(f"{hub}/library/tool"), "1"), place.credentials)
    (place.workspace / "Dockerfile").write_text("FROM tool:1\nCOPY note /\n")
    image = ImageReference(repository, "1")

    built = docker.build(replace(REQUEST, platforms=()), "Dockerfile", log=HeldLog())
    docker.push(built, image, log=HeldLog())

    below = [layer["digest"] for layer in base.read()["layers"]]
    layers = [layer["digest"] for layer in Seen(image, place.credentials).read()["layers"]]
    assert len(below) == 1
    assert len(layers) == 2
    assert layers[:1] == below


def test_pushes_both_attestations(
    docker: Docker | BuildKit, place: Place, repository: Repository, registry: Registry
) -> None:
    """
    The image of each platform comes with its provenance and the list of its contents, in its index:
    no tag is there that nobody asked for.
    """
    image = ImageReference(repository, "1")
    request = replace(REQUEST, attestations=("provenance", "sbom"))

    built = docker.build(request, "Dockerfile", log=HeldLog())
    docker.push(built, image, log=HeldLog())

    seen = Seen(image, place.credentials)
    listed = seen.read()["manifests"]
    proofs = {
        proof["annotations"]["vnd.docker.reference.digest"]: {
            layer["annotations"]["in-toto.io/predicate-type"]: seen.read(
                layer["digest"], kind="blob"
            )
            for layer in seen.read(proof["digest"])["layers"]
        }
        for proof in listed
        if proof["platform"]["os"] == "unknown"
    }
    images = {one["digest"] for one in listed if one["platform"]["os"] == "linux"}
    assert registry.list_tags(repository) == ("1",)
    assert len(images) == len(PLATFORMS)
    assert set(proofs) == images
    for statements in proofs.values():
        assert min(statements).startswith("https://slsa.dev/provenance/")
        contents = statements["https://spdx.dev/Document"]["predicate"]["files"]
        assert {file["fileName"] for file in contents} == {"/app", "/note", "/Dockerfile"}


def test_the_same_commit_gives_the_same_digest(
    docker: Docker | BuildKit, other: Docker | BuildKit, place: Place
) -> None:
    """
    Another machine, another checkout and another hour make the same image.
    """
    first = docker.build(REQUEST, "Dockerfile", log=HeldLog())
    os.utime(place.workspace / "note", (CREATED + 5000, CREATED + 5000))

    second = other.build(REQUEST, "Dockerfile", log=HeldLog())

    assert first.digests == second.digests


@pytest.mark.parametrize("cache", ["registry", "inline"])
def test_finds_layers_in_the_registry(
    docker: Docker | BuildKit, other: Docker | BuildKit, repository: Repository, cache: str
) -> None:
    """
    Who has not built this yet takes the layers that another one has kept, and makes the same image.
    """
    image = ImageReference(repository, "1")
    kept = {"registry": ImageReference(repository, "buildcache"), "inline": image}[cache]
    request = replace(REQUEST, cache=cache, cached=(kept,), arguments={"CASE": cache})
    log = LineLog()

    first = docker.build(request, "Dockerfile", log=HeldLog())
    docker.push(first, image, log=HeldLog())
    second = other.build(replace(request, found=(kept,)), "Dockerfile", log=log)

    steps = {line.split()[0] for line in log.lines if "RUN" in line}
    assert len(steps) == len(PLATFORMS)
    assert {f"{step} CACHED" for step in steps} <= set(log.lines)
    assert first.digests == second.digests


def test_the_next_commit_builds_only_what_it_changes(
    docker: Docker | BuildKit, place: Place
) -> None:
    """
    That a commit is of another hour is no reason to build anything anew.
    """
    dockerfile = DOCKERFILE.replace("RUN", "WORKDIR /src\nRUN")
    (place.workspace / "Dockerfile").write_text(dockerfile)
    log = LineLog()

    docker.build(REQUEST, "Dockerfile", log=HeldLog())
    docker.build(replace(REQUEST, created=CREATED + 3600), "Dockerfile", log=log)

    steps = {line.split()[0] for line in log.lines if "RUN" in line}
    assert len(steps) == len(PLATFORMS)
    assert {f"{step} CACHED" for step in steps} <= set(log.lines)


@pytest.mark.parametrize(
    "asked",
    [
        replace(REQUEST, platforms=()),
        replace(REQUEST, attestations=("provenance",)),
        replace(REQUEST, platforms=("linux/arm64",), attestations=("provenance",)),
    ],
    ids=["image", "index", "index-of-another-platform"],
)
def test_builds_no_commit_twice(
    docker: Docker | BuildKit, repository: Repository, registry: Registry, asked: BuildRequest
) -> None:
    """
    The image of the same commit is found in the registry, also where it is an index.
    """
    request = replace(asked, clean=True, published=(ImageReference(repository, "1"),))

    first = build(request, docker=docker, ko=docker, images=registry, log=HeldLog())
    published = _publish(first, docker, registry, repository)
    second = build(request, docker=docker, ko=docker, images=registry, log=HeldLog())

    assert first.builder != "registry"
    assert second == BuiltImage("registry", str(published.image.digest), first.digests)


def test_pushes_no_image_twice(
    docker: Docker | BuildKit,
    other: Docker | BuildKit,
    place: Place,
    repository: Repository,
    registry: Registry,
) -> None:
    """
    What another machine has built from the same commit is the image that the tags name already.
    """
    first = docker.build(REQUEST, "Dockerfile", log=HeldLog())
    published = _publish(first, docker, registry, repository)
    (place.workspace / "note").touch()
    log = LineLog()

    second = other.build(REQUEST, "Dockerfile", log=HeldLog())
    again = _publish(second, other, registry, repository, log)

    assert again == published
    assert f"{repository}:1 names this image already." in log.lines
    assert not [line for line in log.lines if line.startswith("Pushing")]


def _publish(
    built: BuiltImage,
    pusher: Docker | BuildKit,
    registry: Registry,
    repository: Repository,
    log: Log | None = None,
) -> PublishResult:
    return publish(
        PublishRequest(repository=repository, tags=("1", "latest"), moving=frozenset({"latest"})),
        built,
        pusher=pusher,
        registry=registry,
        history=FakeSourceHistory(),
        clock=FakeClock(),
        log=log or HeldLog(),
    )
