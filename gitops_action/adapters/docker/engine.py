"""One engine, asked through its command line."""

from __future__ import annotations

import json
import platform
import re
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_action.adapters.docker.buildx import ANSWER_SECONDS, Programs, run_buildx
from gitops_action.adapters.docker.layouts import (
    build_layout,
    discard_layout,
    is_layout,
    push_layout,
)
from gitops_action.adapters.docker.options import base_environment
from gitops_action.adapters.docker.sources import dockerfiles
from gitops_action.adapters.refusal import PUSH_SECONDS, explain_push, last_words
from gitops_action.errors import ActionError, EngineError, RunnerError
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.image import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.process import Completed, Processes
    from gitops_action.model.image import ImageReference
    from gitops_action.model.log import Log

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
        self._workspace = workspace
        where = ("DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")
        self._programs = Programs(
            processes=processes,
            env={
                **base_environment(env, private, credentials, *where),
                "BUILDX_CONFIG": str(private / "buildx"),
            },
            private=private,
        )

    def candidates(self, request: BuildRequest) -> tuple[str, ...]:
        """Name the Dockerfile, if it is there."""
        return dockerfiles(self._workspace, request)

    def settings(self, request: BuildRequest) -> tuple[str, ...]:
        """Name the machine where the request leaves the platform to it."""
        return () if request.platforms else (platform.machine(),)

    def answers(self) -> bool:
        """Say whether an engine answers; a missing `docker` program is a missing engine too."""
        try:
            return self._docker("version", "--format", "{{.Server.Version}}").exit_code == 0
        except RunnerError:
            return False

    def build(self, request: BuildRequest, candidate: str, *, log: Log) -> BuiltImage:
        """Build the Dockerfile `candidate`; the image comes back as a layout where it can.

        Raises EngineError, BuildError, InputError, RunnerError, CancelledError.
        """
        if self._keeps_images_in_containerd():
            programs, workspace = self._programs, self._workspace
            return build_layout(programs, request, candidate, workspace=workspace, log=log)
        return self._build_in_store(request, candidate, log)

    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Push under one tag, and leave none in the engine.

        Raises RegistryLoginError, RegistryError, RunnerError, CancelledError.
        """
        if is_layout(built):
            return push_layout(self._programs, built, reference, log=log)
        try:
            # Whoever cancels it does not know whether the engine has the tag.
            tagged = self._docker("image", "tag", built.handle, reference.tagged, uncancelled=True)
            if tagged.exit_code != 0:
                raise RunnerError(
                    f"The engine has lost the image that it built: {last_words(tagged.stderr)}",
                    hint="Look at what else removes images on this runner while jobs run.",
                )
            done = self._docker("push", reference.tagged, timeout=PUSH_SECONDS, log=log)
        finally:
            self._remove(reference.tagged)
        digests = _DIGEST.findall(done.stdout)
        if done.exit_code != 0 or not digests:
            said, registry = done.stderr or done.stdout, reference.repository.registry
            raise explain_push(said, registry, timed_out=done.timed_out)
        return Digest(digests[-1])

    def discard(self, built: BuiltImage) -> None:
        """Remove the image; the build cache stays, it is the engine's own."""
        if is_layout(built):
            discard_layout(built)
        else:
            self._remove(built.handle)

    def _keeps_images_in_containerd(self) -> bool:
        """Ask as https://docs.docker.com/engine/storage/containerd/ does.

        The older image store is the engine's own, and BuildKit gives no layout back from it.
        """
        done = self._docker("info", "--format", "{{.DriverStatus}}")
        if done.exit_code != 0:
            raise EngineError(
                f"This runner's Docker engine answers no more: {last_words(done.stderr)}",
                hint="Look at its log, and at what else runs on this runner.",
            )
        return "io.containerd.snapshotter" in done.stdout

    def _build_in_store(self, request: BuildRequest, candidate: str, log: Log) -> BuiltImage:
        """Build an image that stays in the engine under a name of ours."""
        # A name of its own keeps the image from `docker image prune` of a job beside us, and makes
        # removing it safe when another job has built the same. Nobody can push to `.invalid`.
        built = BuiltImage("docker", f"gitops-action.invalid/build:{uuid.uuid4().hex}")
        with tempfile.TemporaryDirectory(dir=self._programs.private) as folder:
            told = Path(folder, "metadata.json")
            output = f"--tag={built.handle}", f"--metadata-file={told}"
            # The exporter into this store has no option for the commit's time.
            programs = self._programs.told({"SOURCE_DATE_EPOCH": str(request.created)})
            try:
                run_buildx(
                    programs, request, candidate, *output, workspace=self._workspace, log=log
                )
                return replace(built, digests=_digests(told))
            except ActionError:
                self.discard(built)
                raise

    def _remove(self, name: str) -> None:
        self._docker("image", "rm", name, uncancelled=True)

    def _docker(
        self,
        *argv: str,
        timeout: float = ANSWER_SECONDS,
        log: Log | None = None,
        uncancelled: bool = False,
    ) -> Completed:
        return self._programs.run(
            "docker", *argv, timeout=timeout, log=log, uncancelled=uncancelled
        )


def _digests(metadata: Path) -> tuple[Digest, ...]:
    """Read what buildx says of the image: its manifest's digest, and its configuration's.

    https://docs.docker.com/reference/cli/docker/buildx/build/#metadata-file
    """
    told = json.loads(metadata.read_bytes())
    keys = ("containerimage.digest", "containerimage.config.digest")
    return tuple(dict.fromkeys(Digest(told[key]) for key in keys if told.get(key)))
