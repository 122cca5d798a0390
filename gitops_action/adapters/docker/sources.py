"""What goes to BuildKit: the context as it is, and a copy of the Dockerfile that hides `.git`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_action.errors import InputError

if TYPE_CHECKING:
    from pathlib import PurePath

    from gitops_action.model.build import BuildRequest


def dockerfiles(workspace: Path, request: BuildRequest) -> tuple[str, ...]:
    """Name the Dockerfile, if it is there."""
    found = (workspace / request.dockerfile).is_file()
    return (str(request.dockerfile),) if found else ()


def copy_dockerfile(workspace: Path, dockerfile: PurePath, context: Path, folder: Path) -> Path:
    """Copy the Dockerfile beside an ignore file that keeps `.git` out of the context.

    checkout leaves the job's token in `.git/config`, and `COPY . .` would put it into a layer.
    BuildKit prefers `NAME.dockerignore` beside the Dockerfile to the context's own file, and
    the last pattern that matches wins: so the workspace stays as it is, and nothing is copied
    but two small files. Raises as `inside` does, which gave `context`.
    """
    source = inside(workspace, dockerfile)
    copy = folder / dockerfile.name
    shutil.copyfile(source, copy)
    ignored = next(
        (
            inside(workspace, file).read_bytes()
            for file in (Path(f"{source}.dockerignore"), context / ".dockerignore")
            if file.is_file()
        ),
        b"",
    )
    Path(f"{copy}.dockerignore").write_bytes(ignored + b"\n**/.git\n")
    return copy


def inside(workspace: Path, path: PurePath) -> Path:
    """Follow links, but not out of the workspace: a Dockerfile could be a link to a secret.

    Raises InputError.
    """
    real = (workspace / path).resolve()
    if not real.is_relative_to(workspace.resolve()):
        raise InputError(
            f"{path} leads out of the workspace.",
            hint="Use files and folders of the repository itself.",
        )
    return real
