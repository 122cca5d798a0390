"""Stage 2: an image that is kept on this machine until the tests have passed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import EngineError, InputError, RegistryError, RegistryLoginError
from gitops_action.model.build import BuildRequest, BuiltImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.model.image import Digest, ImageReference
    from gitops_action.model.log import Log

__all__ = ["BuildRequest", "Builder", "BuiltImage", "build"]


class Builder(Protocol):
    def candidates(self, request: BuildRequest) -> tuple[str, ...]:
        """List what there is to build here: the Dockerfile, or the main packages."""

    def settings(self, request: BuildRequest) -> tuple[str, ...]:
        """Say what else than the request decides what the image is."""

    def answers(self) -> bool:
        """Say whether what builds is there: for docker, an engine."""

    def build(self, request: BuildRequest, candidate: str, *, log: Log) -> BuiltImage:
        """Build `candidate`.

        Raises EngineError, BuildError, InputError, CancelledError, RunnerError.
        """


class Images(Protocol):
    """The registry that may have the image already."""

    def digest(self, reference: ImageReference) -> Digest | None:
        """Ask which image the tag names; None where there is none."""

    def labels(self, reference: ImageReference) -> Mapping[str, str]:
        """Read the image's labels; none where the registry does not show them.

        Raises RegistryUnavailableError where it does not answer now.
        """


def build(
    request: BuildRequest, *, docker: Builder, ko: Builder, images: Images, log: Log
) -> BuiltImage:
    """Build the image with the builder that the request asks for, or find it in the registry.

    Raises EngineError where a Dockerfile has no engine, InputError where there is nothing or too
    much to build, and what the builder raises.
    """
    if request.builder != "ko":
        dockerfiles = docker.candidates(request)
        if dockerfiles:
            [dockerfile, *_] = dockerfiles
            request = _labelled(request, "docker", dockerfile, docker)
            there = _find(request, images, log)
            return there or _with_docker(request, dockerfile, docker=docker, images=images, log=log)
        if request.builder == "docker":
            raise InputError(
                f"`builder: docker` needs a Dockerfile, and there is no {request.dockerfile}.",
                hint="Name it with the input `dockerfile`, or use `builder: ko`, which needs none.",
            )
    if request.is_for_docker:
        raise InputError(
            f"There is no {request.dockerfile}, so ko builds, which knows no targets, arguments, "
            "secrets, caches and provenance of a build, and no BuildKit.",
            hint="Name the Dockerfile with the input `dockerfile`, or leave `target`, "
            "`build-args`, `build-secrets`, `build-cache` and `buildkit-address` out. Of "
            "`attestations`, ko makes `sbom`.",
        )
    package = request.main_package or _only_main_package(request, ko)
    request = _labelled(request, "ko", package, ko)
    there = _find(request, images, log)
    if there:
        return there
    log.say(f"Building {package} with ko.")
    return ko.build(request, package, log=log)


def _labelled(request: BuildRequest, name: str, candidate: str, builder: Builder) -> BuildRequest:
    if not request.clean:
        return request
    return request.labelled(name, candidate, builder.settings(request))


def _find(request: BuildRequest, images: Images, log: Log) -> BuiltImage | None:
    """Find the image of the same commit and the same inputs of the build."""
    if not request.clean:
        if request.published:
            log.say("The workspace holds more than the commit: the image is built in any case.")
        return None
    try:
        for reference in request.published:
            digest = images.digest(reference)
            if not digest:
                continue
            exact = replace(reference, tag="", digest=digest)
            found = images.labels(exact)
            if all(found.get(name) == value for name, value in request.labels.items()):
                log.say(f"Nothing is built: {reference} is this commit's image, {digest}.")
                return BuiltImage("registry", str(digest), (digest,))
            log.say(f"{reference} was built from something else than this commit and inputs.")
    except (RegistryError, RegistryLoginError) as error:
        log.say(f"Whether the image is there already is not known: {error.message}")
    return None


def _with_docker(
    request: BuildRequest, dockerfile: str, *, docker: Builder, images: Images, log: Log
) -> BuiltImage:
    if not docker.answers():
        # ko would make another image than the one that the Dockerfile describes.
        raise EngineError(
            f"{dockerfile} is to be built, and no Docker engine answers on this runner.",
            hint="Either use a runner with Docker (for a container of your own: mount "
            "/var/run/docker.sock) or a BuildKit elsewhere (`buildkit-address`), or build without "
            "Dockerfile and engine:\n\n"
            "    builder: ko",
        )
    where = "on the BuildKit of `buildkit-address`" if request.remote else "with Docker"
    log.say(f"Building {dockerfile} {where}.")
    if request.cache != "none":
        # BuildKit calls it an error that a first build finds no layers.
        found = tuple(one for one in request.cached if _may_be_there(one, images))
        request = replace(request, found=found)
        if not found:
            log.say("No layers are in the registry yet.")
    return docker.build(request, dockerfile, log=log)


def _may_be_there(reference: ImageReference, images: Images) -> bool:
    try:
        return images.digest(reference) is not None
    except (RegistryError, RegistryLoginError):
        return True


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
