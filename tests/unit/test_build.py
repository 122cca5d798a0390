"""Which builder makes the image, and what stands in its way."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.docker import Docker
from gitops_action.adapters.ko import Ko
from gitops_action.adapters.process import Processes
from gitops_action.errors import EngineError, InputError, RegistryLoginError
from gitops_action.model.build import BuiltImage
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.secret import Secret
from gitops_action.stages.build import BuildRequest, build
from tests.fakes.builders import FakeBuilder, FakeRegistry, digest_of
from tests.fakes.waiting import LineLog


def _request(builder: str = "auto", *, main_package: str = "") -> BuildRequest:
    return BuildRequest(
        builder=builder,
        module=PurePosixPath(),
        context=PurePosixPath(),
        dockerfile=PurePosixPath("Dockerfile"),
        main_package=main_package,
        base_image="",
        labels={},
        created=1_700_000_000,
    )


def _build(request: BuildRequest, *, docker: FakeBuilder, ko: FakeBuilder) -> BuiltImage:
    return build(request, docker=docker, ko=ko, images=FakeRegistry(), log=HeldLog())


def _ko(*packages: str) -> FakeBuilder:
    return FakeBuilder("ko", sources=packages)


def test_auto_builds_the_dockerfile_where_there_is_one() -> None:
    """
    Who wrote a Dockerfile gets the image that it describes.
    """
    docker = FakeBuilder(sources=("Dockerfile",))

    built = build(
        _request(), docker=docker, ko=_ko("./cmd/app"), images=FakeRegistry(), log=HeldLog()
    )

    assert built.builder == "docker"
    assert docker.built == ["Dockerfile"]


def test_auto_builds_with_ko_where_there_is_no_dockerfile() -> None:
    """
    A module without Dockerfile needs neither one nor an engine.
    """
    docker = FakeBuilder(running=False)

    built = build(
        _request(), docker=docker, ko=_ko("./cmd/app"), images=FakeRegistry(), log=HeldLog()
    )

    assert built.builder == "ko"


@pytest.mark.parametrize("builder", ["auto", "docker"])
def test_never_changes_the_builder_silently(builder: str) -> None:
    """
    A Dockerfile without an engine is an error that offers both ways out, not another image.
    """
    docker, ko = FakeBuilder(sources=("Dockerfile",), running=False), _ko("./cmd/app")

    with pytest.raises(EngineError) as caught:
        _build(_request(builder), docker=docker, ko=ko)

    assert ko.built == []
    assert caught.value.message == (
        "Dockerfile is to be built, and no Docker engine answers on this runner."
    )
    assert "/var/run/docker.sock" in caught.value.hint
    assert "builder: ko" in caught.value.hint


def test_names_the_missing_dockerfile() -> None:
    """
    `builder: docker` without a Dockerfile says which file was looked for.
    """
    with pytest.raises(InputError) as caught:
        build(
            _request("docker"),
            docker=FakeBuilder(),
            ko=_ko("./cmd/app"),
            images=FakeRegistry(),
            log=HeldLog(),
        )

    assert "there is no Dockerfile" in caught.value.message
    assert "`dockerfile`" in caught.value.hint


@pytest.mark.parametrize(
    "request_",
    [
        replace(_request(), target="runtime"),
        replace(_request(), arguments={"A": "b"}),
        replace(_request(), secrets={"A": Secret("b")}),
        replace(_request(), cache="inline"),
        replace(_request(), attestations=("provenance", "sbom")),
        replace(_request(), remote=True),
    ],
)
def test_ignores_nothing_that_ko_cannot_do(request_: BuildRequest) -> None:
    """
    Where the Dockerfile is missing that the inputs are for, another image would be a surprise.
    """
    ko = _ko("./cmd/app")

    with pytest.raises(InputError, match="There is no Dockerfile"):
        _build(request_, docker=FakeBuilder(), ko=ko)

    assert ko.built == []


@pytest.mark.parametrize("builder", ["auto", "ko"])
def test_ko_makes_an_sbom(builder: str) -> None:
    """
    `attestations: sbom` needs no Dockerfile.
    """
    ko = _ko("./cmd/app")

    built = _build(replace(_request(builder), attestations=("sbom",)), docker=FakeBuilder(), ko=ko)

    assert built.builder == "ko"


def test_says_what_ko_cannot_attest() -> None:
    """
    Who asks for provenance without a Dockerfile reads that ko makes none, and what it makes.
    """
    request = replace(_request(), attestations=("provenance",))

    with pytest.raises(InputError) as caught:
        _build(request, docker=FakeBuilder(), ko=_ko("./cmd/app"))

    assert "provenance" in caught.value.message
    assert "ko makes `sbom`" in caught.value.hint


def test_says_which_buildkit_builds() -> None:
    """
    The log names where a Dockerfile is built, so that nobody looks at the wrong machine.
    """
    log = LineLog()

    build(
        replace(_request(), remote=True),
        docker=FakeBuilder(sources=("Dockerfile",)),
        ko=_ko(),
        images=FakeRegistry(),
        log=log,
    )

    assert "Building Dockerfile on the BuildKit of `buildkit-address`." in log.lines


def test_ko_passes_a_dockerfile_by() -> None:
    """
    `builder: ko` needs no engine, whatever else lies in the repository.
    """
    docker = FakeBuilder(sources=("Dockerfile",), running=False)

    built = build(
        _request("ko"), docker=docker, ko=_ko("./cmd/app"), images=FakeRegistry(), log=HeldLog()
    )

    assert built.builder == "ko"


def test_lists_the_main_packages_when_there_are_several() -> None:
    """
    Which program goes into the image is never guessed.
    """
    ko = _ko("./cmd/api", "./cmd/worker")

    with pytest.raises(InputError) as caught:
        _build(_request("ko"), docker=FakeBuilder(), ko=ko)

    assert "`./cmd/api`, `./cmd/worker`" in caught.value.message
    assert "main-package: ./cmd/api" in caught.value.hint


def test_builds_the_main_package_that_was_named() -> None:
    """
    `main-package` decides where a module has several programs.
    """
    ko = _ko("./cmd/api", "./cmd/worker")
    request = _request("ko", main_package="./cmd/worker")

    _build(request, docker=FakeBuilder(), ko=ko)

    assert ko.built == ["./cmd/worker"]


def test_says_that_a_library_has_nothing_to_build() -> None:
    """
    A module without a main package is told so, with the input that may be wrong.
    """
    with pytest.raises(InputError) as caught:
        _build(_request("ko"), docker=FakeBuilder(), ko=_ko())

    assert "no main package" in caught.value.message
    assert "`working-directory`" in caught.value.hint


PUBLISHED = ImageReference(Repository("ghcr.io/acme/shop"), "9d0f7e3")


class Closed(FakeRegistry):
    """A registry that lets nobody ask."""

    def digest(self, reference: ImageReference) -> Digest | None:
        """Refuse."""
        raise RegistryLoginError(f"{reference} is denied.", hint="Log in.")


def _again(images: FakeRegistry, request: BuildRequest, **given: object) -> tuple[BuiltImage, bool]:
    """Build, and say whether something was built for it."""
    elsewhere = given.pop("elsewhere", ())
    docker = FakeBuilder(sources=("Dockerfile",), registry=images, elsewhere=elsewhere)  # type: ignore[arg-type]
    asked = replace(request, **{"clean": True, "published": (PUBLISHED,), **given})  # type: ignore[arg-type]
    built = build(asked, docker=docker, ko=_ko("."), images=images, log=HeldLog())
    return built, bool(docker.built)


def _in_registry(**given: object) -> FakeRegistry:
    images = FakeRegistry()
    _again(images, _request(), **given)
    images.tags[PUBLISHED.tagged] = digest_of("a")
    return images


def test_builds_nothing_when_the_registry_has_this_commits_image() -> None:
    """
    The same commit again keeps its digest, and costs no build.
    """
    built, worked = _again(_in_registry(), _request())

    assert built == BuiltImage("registry", str(digest_of("a")), (digest_of("a"),))
    assert not worked


@pytest.mark.parametrize(
    "changed",
    [
        {"context": PurePosixPath("other")},
        {"module": PurePosixPath("other")},
        {"labels": {"team": "shop"}},
        {"target": "debug"},
        {"arguments": {"EDITION": "pro"}},
        {"secrets": {"NPM_TOKEN": Secret("npm-token")}},
        {"platforms": ("linux/arm64",)},
        {"attestations": ("sbom",)},
        {"base_image": "ghcr.io/acme/base"},
        {"elsewhere": ("aarch64",)},
        {"builder": "ko", "main_package": "./cmd/other"},
        {"clean": False},
        {"published": ()},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_builds_when_anything_is_different(changed: dict[str, object]) -> None:
    """
    Only the same inputs of the build make the same image.
    """
    built, _ = _again(_in_registry(), _request(), **changed)

    assert built.builder != "registry"


def test_trusts_no_image_of_changed_files() -> None:
    """
    What was built from more than the commit is not what the commit means.
    """
    images = _in_registry(clean=False)

    built, _ = _again(images, _request())

    assert built.builder == "docker"


def test_builds_when_the_registry_cannot_be_asked() -> None:
    """
    A registry that answers later, or is about to get its first image, stops no build.
    """

    built, worked = _again(Closed(), _request())

    assert built.builder == "docker"
    assert worked


def test_what_go_is_told_by_the_step_is_an_input_of_ko(tmp_path: Path) -> None:
    """
    A job with `GOFLAGS: -tags=pro` took the image that another one had built without, and called
    it its own.
    """

    def settings(**env: str) -> tuple[str, ...]:
        ko = Ko(
            Processes(Cancellation()),
            env={"PATH": "/bin", **env},
            workspace=tmp_path,
            private=tmp_path,
            credentials=tmp_path,
        )
        return ko.settings(_request(builder="ko"))

    assert settings(GOFLAGS="-tags=pro") != settings()
    assert settings(GOEXPERIMENT="greenteagc") != settings()
    assert settings(GOPROXY="https://proxy.example.com") == settings()


def test_the_machine_is_an_input_of_docker_where_no_platform_is_named(tmp_path: Path) -> None:
    """
    Without `platforms` an image is for the machine that builds it: one made on another is not it.
    """
    docker = Docker(
        Processes(Cancellation()),
        env={},
        workspace=tmp_path,
        private=tmp_path,
        credentials=tmp_path,
    )

    unnamed = docker.settings(_request())
    named = docker.settings(replace(_request(), platforms=("linux/amd64",)))

    assert unnamed == (platform.machine(),)
    assert named == ()


LAYERS = ImageReference(Repository("ghcr.io/acme/shop"), "buildcache")


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (FakeRegistry(), ()),
        (FakeRegistry({LAYERS.tagged: digest_of("b")}), (LAYERS,)),
        (Closed(), (LAYERS,)),
    ],
    ids=["first build", "later build", "cannot be asked"],
)
def test_looks_for_layers_only_where_there_are_some(
    images: FakeRegistry, found: tuple[ImageReference, ...]
) -> None:
    """
    A first build has no line that calls the missing cache an error.
    """
    docker = FakeBuilder(sources=("Dockerfile",))
    asked = replace(_request(), cache="registry", cached=(LAYERS,))

    build(asked, docker=docker, ko=_ko(), images=images, log=HeldLog())

    assert docker.found == found
