"""The programs that build and push, and what every `docker buildx build` has in common."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

from gitops_action.adapters.docker.failure import BUILD_SECONDS, build_error
from gitops_action.adapters.docker.options import environment, options
from gitops_action.adapters.docker.sources import copy_dockerfile, inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.process import Completed, Processes
    from gitops_action.model.build import BuildRequest
    from gitops_action.model.log import Log

ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Runs `docker` and `crane` with the environment `env`, in a folder that only we can read."""

    processes: Processes
    env: Mapping[str, str]
    private: Path

    def told(self, more: Mapping[str, str]) -> Self:
        """Give the same with more in their environment."""
        return replace(self, env={**self.env, **more})

    def run(
        self,
        *argv: str,
        timeout: float = ANSWER_SECONDS,
        log: Log | None = None,
        uncancelled: bool = False,
    ) -> Completed:
        """Run one, and show its lines in `log`; raises RunnerError, CancelledError."""
        return self.processes.run(
            argv,
            env=self.env,
            cwd=self.private,
            timeout=timeout,
            on_stdout=log.foreign if log else None,
            on_stderr=log.foreign if log else None,
            uncancelled=uncancelled,
        )


def run_buildx(
    programs: Programs,
    request: BuildRequest,
    candidate: str,
    *output: str,
    workspace: Path,
    log: Log,
) -> None:
    """Build the Dockerfile `candidate` of `workspace`; `output` says what becomes of the image.

    Raises EngineError, BuildError, InputError, RunnerError, CancelledError.
    """
    dockerfile = PurePosixPath(candidate)
    context = inside(workspace, request.context)
    with tempfile.TemporaryDirectory(dir=programs.private) as folder:
        copy = copy_dockerfile(workspace, dockerfile, context, Path(folder))
        done = programs.told(environment(request)).run(
            *("docker", "buildx", "build", "--progress=plain", *output, *options(request)),
            *(f"--file={copy}", "--", str(context)),
            timeout=BUILD_SECONDS,
            log=log,
        )
    if done.exit_code != 0:
        raise build_error(done, dockerfile)
