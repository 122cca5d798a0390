"""What a request says to `docker buildx build`, and the secrets that only its child is told.

https://docs.docker.com/reference/cli/docker/buildx/build/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.model.environment import allowed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitops_action.model.build import BuildRequest

_SECRET = "GITOPS_ACTION_BUILD_SECRET_"  # noqa: S105  the beginning of a variable's name


def options(request: BuildRequest) -> list[str]:
    """Write the options, without a secret's value; what a driver cannot do, buildx refuses."""
    given = [f"--label={name}={value}" for name, value in request.labels.items()]
    given += [f"--build-arg={name}={value}" for name, value in request.arguments.items()]
    given += [f"--secret=id={name},env={_SECRET}{name}" for name in request.secrets]
    if request.target:
        given.append(f"--target={request.target}")
    if request.platforms:
        given.append(f"--platform={','.join(request.platforms)}")
    # The mode that is the default for public repositories tells the build arguments.
    provenance = "mode=min" if "provenance" in request.attestations else "false"
    given.append(f"--provenance={provenance}")
    if "sbom" in request.attestations:
        given.append("--sbom=true")
    return given + _cache(request)


def environment(request: BuildRequest) -> dict[str, str]:
    """Give the variables in which buildx finds the secrets."""
    return {f"{_SECRET}{name}": value.reveal() for name, value in request.secrets.items()}


def base_environment(
    env: Mapping[str, str], private: Path, credentials: Path, *names: str
) -> dict[str, str]:
    """What every child that builds may know; `names` are of the step's environment `env`."""
    return {
        **allowed(env, *names),
        "HOME": str(private),
        "TMPDIR": str(private),
        "DOCKER_CONFIG": str(credentials),
        # buildx would run git in the context, which may hold a repository's own configuration.
        "BUILDX_GIT_INFO": "false",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }


def _cache(request: BuildRequest) -> list[str]:
    sources = [f"--cache-from=type=registry,ref={one.tagged}" for one in request.found]
    match request.cache:
        case "inline":
            return ["--cache-to=type=inline", *sources]
        case "registry":
            # A cache that cannot be written costs the next build time, and this one nothing.
            [kept] = request.cached
            return [
                f"--cache-to=type=registry,ref={kept.tagged},mode=max,ignore-error=true",
                *sources,
            ]
        case _:
            return []
