"""Why BuildKit did not build: the Dockerfile, buildx, or an engine that cannot do what is asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitops_action.adapters.refusal import last_words
from gitops_action.errors import ActionError, BuildError, EngineError, RunnerError
from gitops_action.model.source import Location

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from gitops_action.adapters.process import Completed

BUILD_SECONDS = 7200.0
# BuildKit shows the failing instruction below the Dockerfile's name, its line and a rule.
_FAILED_LINE = re.compile(r"^\S+:(\d+)\n-{10,}$", re.MULTILINE)
_UNSUPPORTED = re.compile(r"(.+) is not supported for the docker driver")
# buildx tries to reach a remote BuildKit for 20 s.
_NO_CONNECTION = re.compile(r"\[internal\] waiting for connection\n#\d+ ERROR")
# The kernel's words, and the loader's: a program of another platform, and nothing that emulates it.
_FOREIGN_PROGRAM = re.compile(r"exec format error|Invalid ELF image for this architecture")
_NO_BUILDX = re.compile(r"is not a docker command|unknown command|unknown flag: --progress")


def build_error(done: Completed, dockerfile: PurePosixPath) -> ActionError:
    """Say what `docker buildx build` could not do."""
    said = last_words(done.stderr)
    if _NO_BUILDX.search(done.stderr):
        return RunnerError(
            f"Docker has no buildx here: {said}",
            hint="Install the buildx plugin, or use the action's image, which carries it.",
        )
    if unsupported := _UNSUPPORTED.search(done.stderr):
        what = unsupported[1].rpartition(": ")[2]
        return EngineError(
            f"This runner's Docker engine cannot do this, and nothing was built: {what} needs "
            "another image store.",
            hint='Turn on the engine\'s containerd image store (`"features": '
            '{"containerd-snapshotter": true}` in its daemon.json), or build on a BuildKit of '
            "your own (`buildkit-address`). Or do without: several "
            "`platforms` of a Go program need no engine with `builder: ko`; a cache that every "
            "engine has is `build-cache: inline`; `attestations: none`.",
        )
    if _NO_CONNECTION.search(done.stderr):
        return EngineError(
            f"{dockerfile} is to be built, and the BuildKit of `buildkit-address` does not answer.",
            hint="Look whether it runs, and whether this runner may reach its address and port.",
        )
    lines = _FAILED_LINE.findall(done.stderr)
    return BuildError(
        f"The build took longer than {BUILD_SECONDS / 3600:.0f} hours."
        if done.timed_out
        else f"{dockerfile} could not be built: {said}",
        hint="A `RUN` started a program of another platform, which nothing emulates there. Let Go "
        "compile across instead:\n\n"
        "    FROM --platform=$BUILDPLATFORM golang AS build\n"
        "    ARG TARGETOS TARGETARCH\n"
        "    RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build"
        if _FOREIGN_PROGRAM.search(done.stderr)
        else "The lines of the build above say which instruction failed and what it printed.",
        location=Location(dockerfile, int(lines[-1])) if lines else None,
    )
