"""Stage 2: an image that is kept on this machine until the tests have passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import EngineError, InputError
from gitops_action.model.build import BuildRequest, BuiltImage

if TYPE_CHECKING:
    from gitops_action.model.log import Log

__all__ = ["BuildRequest", "Builder", "BuiltImage", "build"]


class Builder(Protocol):
    def candidates(self, request: BuildRequest) -> tuple[str, ...]:
        """List what there is to build here: the Dockerfile, or the main packages."""

    def answers(self) -> bool:
        """Say whether what builds is there: for docker, an engine."""

    def build(self, request: BuildRequest, candidate: str, *, log: Log) -> BuiltImage:
        """Build `candidate`; raises BuildError, CancelledError, RunnerError."""


def build(request: BuildRequest, *, docker: Builder, ko: Builder, log: Log) -> BuiltImage:
    """Build the image with the builder that the request asks for.

    Raises EngineError where a Dockerfile has no engine, InputError where there is nothing or too
    much to build, and what the builder raises.
    """
    if request.builder != "ko":
        dockerfiles = docker.candidates(request)
        if dockerfiles:
            return _with_docker(request, dockerfiles[0], docker=docker, log=log)
        if request.builder == "docker":
            raise InputError(
                f"`builder: docker` needs a Dockerfile, and there is no {request.dockerfile}.",
                hint="Name it with the input `dockerfile`, or use `builder: ko`, which needs none.",
            )
    package = request.main_package or _only_main_package(request, ko)
    log.say(f"Building {package} with ko.")
    return ko.build(request, package, log=log)


def _with_docker(
    request: BuildRequest, dockerfile: str, *, docker: Builder, log: Log
) -> BuiltImage:
    if not docker.answers():
        # ko would make another image than the one that the Dockerfile describes.
        raise EngineError(
            f"{dockerfile} is to be built, and no Docker engine answers on this runner.",
            hint="Either use a runner with Docker (for a container of your own: mount "
            "/var/run/docker.sock), or build without Dockerfile and engine:\n\n"
            "    builder: ko",
        )
    log.say(f"Building {dockerfile} with Docker.")
    return docker.build(request, dockerfile, log=log)


def _only_main_package(request: BuildRequest, ko: Builder) -> str:
    packages = ko.candidates(request)
    if not packages:
        raise InputError(
            f"There is no main package in {request.module}, so there is no program to build.",
            hint="Name the module's folder with the input `working-directory`.",
        )
    if len(packages) > 1:
        listed = ", ".join(f"`{package}`" for package in packages)
        raise InputError(
            f"{request.module} has several main packages: {listed}.",
            hint=f"Say which one goes into the image:\n\n    main-package: {packages[0]}",
        )
    return packages[0]
