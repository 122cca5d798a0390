"""Which builder makes the image, and what stands in its way."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from gitops_action.errors import EngineError, InputError
from gitops_action.model.log import HeldLog
from gitops_action.stages.build import BuildRequest, build
from tests.fakes.builders import FakeBuilder


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


def _ko(*packages: str) -> FakeBuilder:
    return FakeBuilder("ko", sources=packages)


def test_auto_builds_the_dockerfile_where_there_is_one() -> None:
    """
    Who wrote a Dockerfile gets the image that it describes.
    """
    docker = FakeBuilder(sources=("Dockerfile",))

    built = build(_request(), docker=docker, ko=_ko("./cmd/app"), log=HeldLog())

    assert built.builder == "docker"
    assert docker.built == ["Dockerfile"]


def test_auto_builds_with_ko_where_there_is_no_dockerfile() -> None:
    """
    A module without Dockerfile needs neither one nor an engine.
    """
    docker = FakeBuilder(running=False)

    built = build(_request(), docker=docker, ko=_ko("./cmd/app"), log=HeldLog())

    assert built.builder == "ko"


@pytest.mark.parametrize("builder", ["auto", "docker"])
def test_never_changes_the_builder_silently(builder: str) -> None:
    """
    A Dockerfile without an engine is an error that offers both ways out, not another image.
    """
    docker, ko = FakeBuilder(sources=("Dockerfile",), running=False), _ko("./cmd/app")

    with pytest.raises(EngineError) as caught:
        build(_request(builder), docker=docker, ko=ko, log=HeldLog())

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
        build(_request("docker"), docker=FakeBuilder(), ko=_ko("./cmd/app"), log=HeldLog())

    assert "there is no Dockerfile" in caught.value.message
    assert "`dockerfile`" in caught.value.hint


def test_ko_passes_a_dockerfile_by() -> None:
    """
    `builder: ko` needs no engine, whatever else lies in the repository.
    """
    docker = FakeBuilder(sources=("Dockerfile",), running=False)

    built = build(_request("ko"), docker=docker, ko=_ko("./cmd/app"), log=HeldLog())

    assert built.builder == "ko"


def test_lists_the_main_packages_when_there_are_several() -> None:
    """
    Which program goes into the image is never guessed.
    """
    ko = _ko("./cmd/api", "./cmd/worker")

    with pytest.raises(InputError) as caught:
        build(_request("ko"), docker=FakeBuilder(), ko=ko, log=HeldLog())

    assert "`./cmd/api`, `./cmd/worker`" in caught.value.message
    assert "main-package: ./cmd/api" in caught.value.hint


def test_builds_the_main_package_that_was_named() -> None:
    """
    `main-package` decides where a module has several programs.
    """
    ko = _ko("./cmd/api", "./cmd/worker")
    request = _request("ko", main_package="./cmd/worker")

    build(request, docker=FakeBuilder(), ko=ko, log=HeldLog())

    assert ko.built == ["./cmd/worker"]


def test_says_that_a_library_has_nothing_to_build() -> None:
    """
    A module without a main package is told so, with the input that may be wrong.
    """
    with pytest.raises(InputError) as caught:
        build(_request("ko"), docker=FakeBuilder(), ko=_ko(), log=HeldLog())

    assert "no main package" in caught.value.message
    assert "`working-directory`" in caught.value.hint
