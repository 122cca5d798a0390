"""One engine, asked through its command line."""

from __future__ import annotations

import json
import re
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.adapters.docker.failure import BUILD_SECONDS, build_error
from gitops_action.adapters.docker.options import base_environment, environment, options
from gitops_action.adapters.docker.sources import copy_dockerfile, dockerfiles, inside
from gitops_action.adapters.refusal import PUSH_SECONDS, explain_push, last_words
from gitops_action.errors import ActionError, RunnerError
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.image import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.process import Completed, Processes
    from gitops_action.model.image import ImageReference
    from gitops_action.model.log import Log

_ANSWER_SECONDS = 20.0
_DIGEST = re.compile(r"\bdigest: (sha256:[0-9a-f]{64})")


class Docker:
    """Builds Dockerfiles of `workspace` on the engine that `env` leads to.

    `env` is the step's environment, of which the children see the few names they need; `private`
    is a directory that only we can read, `credentials` the directory that `write_credentials` made.
    """

    def __init__(
        self,
        processes: Processes,
        *,
        env: Mapping[str, str],
        workspace: Path,
        private: Path,
        credentials: Path,
    ) -> None:
        self._processes = processes
        self._workspace = workspace
        self._private = private
        where = ("DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
        self._env = {
            **base_environment(env, private, credentials, *where),
            "BUILDX_CONFIG": str(private / "buildx"),
        }

    def candidates(self, request: BuildRequest) -> tuple[str, ...]:
        """Name the Dockerfile, if it is there."""
        return dockerfiles(self._workspace, request)

    def answers(self) -> bool:
        """Say whether an engine answers; a missing `docker` program is a missing engine too."""
        try:
            return self._docker("version", "--format", "{{.Server.Version}}").exit_code == 0
        except RunnerError:
            return False

    def build(self, request: BuildRequest, candidate: str, *, log: Log) -> BuiltImage:
        """Build the Dockerfile `candidate`; the image stays in the engine under a name of ours.

        Raises BuildError, InputError, RunnerError, CancelledError.
        """
        # A name of its own keeps the image from `docker image prune` of a job beside us, and makes
        # removing it safe when another job has built the same. Nobody can push to `.invalid`.
        built = BuiltImage("docker", f"gitops-action.invalid/build:{uuid.uuid4().hex}")
        context = inside(self._workspace, request.context)
        with tempfile.TemporaryDirectory(dir=self._private) as folder:
            file = PurePosixPath(candidate)
            dockerfile = copy_dockerfile(self._workspace, file, context, Path(folder))
            told = Path(folder, "metadata.json")
            argv = ["--progress=plain", f"--tag={built.handle}", f"--metadata-file={told}"]
            argv += options(request)
            try:
                done = self._docker(
                    *("buildx", "build", *argv, f"--file={dockerfile}", "--", str(context)),
                    timeout=BUILD_SECONDS,
                    log=log,
                    extra=environment(request),
                )
                if done.exit_code != 0:
                    raise build_error(done, file)
            except ActionError:
                self.discard(built)
                raise
            return replace(built, digests=_digests(told))

    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Push under one tag, and take the tag away from the engine again.

        Raises RegistryLoginError, RegistryError, RunnerError, CancelledError.
        """
        # Whoever cancels it does not know whether the engine has the tag.
        tagged = self._docker("image", "tag", built.handle, reference.tagged, uncancelled=True)
        if tagged.exit_code != 0:
            raise RunnerError(
                f"The engine has lost the image that it built: {last_words(tagged.stderr)}",
                hint="Look at what else removes images on this runner while jobs run.",
            )
        try:
            done = self._docker("push", reference.tagged, timeout=PUSH_SECONDS, log=log)
        finally:
            self._remove(reference.tagged)
        digests = _DIGEST.findall(done.stdout)
        if done.exit_code != 0 or not digests:
            said, registry = done.stderr or done.stdout, reference.repository.registry
            raise explain_push(said, registry, timed_out=done.timed_out)
        return Digest(digests[-1])

    def discard(self, built: BuiltImage) -> None:
        """Remove the image from the engine; the build cache stays, it is the engine's own."""
        self._remove(built.handle)

    def _remove(self, name: str) -> None:
        self._docker("image", "rm", name, uncancelled=True)

    def _docker(
        self,
        *argv: str,
        timeout: float = _ANSWER_SECONDS,
        log: Log | None = None,
        extra: Mapping[str, str] | None = None,
        uncancelled: bool = False,
    ) -> Completed:
        return self._processes.run(
            ["docker", *argv],
            env={**self._env, **(extra or {})},
            cwd=self._private,
            timeout=timeout,
            on_stdout=log.foreign if log else None,
            on_stderr=log.foreign if log else None,
            uncancelled=uncancelled,
        )


def _digests(metadata: Path) -> tuple[Digest, ...]:
    """Read what buildx says of the image: its manifest's digest, and its configuration's.

    https://docs.docker.com/reference/cli/docker/buildx/build/#metadata-file
    """
    told = json.loads(metadata.read_bytes())
    keys = ("containerimage.digest", "containerimage.config.digest")
    return tuple(dict.fromkeys(Digest(told[key]) for key in keys if told.get(key)))
