"""One engine, asked through its command line."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.adapters.docker.options import options, secrets
from gitops_action.adapters.refusal import explain_refusal, last_words
from gitops_action.errors import ActionError, BuildError, EngineError, InputError, RunnerError
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.environment import allowed
from gitops_action.model.image import Digest
from gitops_action.model.source import Location

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.process import Completed, Processes
    from gitops_action.model.image import ImageReference
    from gitops_action.model.log import Log

_BUILD_SECONDS = 7200.0
_PUSH_SECONDS = 1800.0
_ANSWER_SECONDS = 20.0
_DIGEST = re.compile(r"\bdigest: (sha256:[0-9a-f]{64})")
# BuildKit shows the failing instruction below the Dockerfile's name, its line and a rule.
_FAILED_LINE = re.compile(r"^\S+:(\d+)\n-{10,}$", re.MULTILINE)
_UNSUPPORTED = re.compile(r"(.+) is not supported for the docker driver")
_NO_BUILDX = re.compile(r"is not a docker command|unknown command|unknown flag: --progress")


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
        self._env = {
            **allowed(env, "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"),
            "HOME": str(private),
            "TMPDIR": str(private),
            "DOCKER_CONFIG": str(credentials),
            "BUILDX_CONFIG": str(private / "buildx"),
            # buildx would run git in the context, which may hold a repository's own configuration.
            "BUILDX_GIT_INFO": "false",
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }

    def candidates(self, request: BuildRequest) -> tuple[str, ...]:
        """Name the Dockerfile, if it is there."""
        found = (self._workspace / request.dockerfile).is_file()
        return (str(request.dockerfile),) if found else ()

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
        context = self._inside(request.context)
        with tempfile.TemporaryDirectory(dir=self._private) as folder:
            dockerfile = self._dockerfile(PurePosixPath(candidate), context, Path(folder))
            told = Path(folder, "metadata.json")
            argv = ["--progress=plain", f"--tag={built.handle}", f"--metadata-file={told}"]
            argv += options(request)
            try:
                done = self._docker(
                    *("buildx", "build", *argv, f"--file={dockerfile}", "--", str(context)),
                    timeout=_BUILD_SECONDS,
                    log=log,
                    extra={"SOURCE_DATE_EPOCH": str(request.created), **secrets(request)},
                )
                if done.exit_code != 0:
                    raise _build_error(done, PurePosixPath(candidate))
            except ActionError:
                self.discard(built)
                raise
            return replace(built, digests=_digests(told))

    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Push under one tag, and take the tag away from the engine again.

        Raises RegistryLoginError, RegistryError, RunnerError, CancelledError.
        """
        tagged = self._docker("image", "tag", built.handle, reference.tagged)
        if tagged.exit_code != 0:
            raise RunnerError(
                f"The engine has lost the image that it built: {last_words(tagged.stderr)}",
                hint="Look at what else removes images on this runner while jobs run.",
            )
        try:
            done = self._docker("push", reference.tagged, timeout=_PUSH_SECONDS, log=log)
        finally:
            self._remove(reference.tagged)
        digests = _DIGEST.findall(done.stdout)
        if done.exit_code != 0 or not digests:
            raise explain_refusal(done.stderr or done.stdout, reference.repository.registry)
        return Digest(digests[-1])

    def discard(self, built: BuiltImage) -> None:
        """Remove the image from the engine; the build cache stays, it is the engine's own."""
        self._remove(built.handle)

    def _remove(self, name: str) -> None:
        self._docker("image", "rm", name, uncancelled=True)

    def _dockerfile(self, dockerfile: PurePosixPath, context: Path, folder: Path) -> Path:
        """Copy the Dockerfile beside an ignore file that keeps `.git` out of the context.

        checkout leaves the job's token in `.git/config`, and `COPY . .` would put it into a layer.
        BuildKit prefers `NAME.dockerignore` beside the Dockerfile to the context's own file, and
        the last pattern that matches wins: so the workspace stays as it is, and nothing is copied
        but two small files.
        """
        source = self._inside(dockerfile)
        copy = folder / dockerfile.name
        shutil.copyfile(source, copy)
        ignored = next(
            (
                self._inside(file).read_bytes()
                for file in (Path(f"{source}.dockerignore"), context / ".dockerignore")
                if file.is_file()
            ),
            b"",
        )
        Path(f"{copy}.dockerignore").write_bytes(ignored + b"\n**/.git\n")
        return copy

    def _inside(self, path: PurePath) -> Path:
        """Follow links, but not out of the workspace: a Dockerfile could be a link to a secret."""
        real = (self._workspace / path).resolve()
        if not real.is_relative_to(self._workspace.resolve()):
            raise InputError(
                f"{path} leads out of the workspace.",
                hint="Use files and folders of the repository itself.",
            )
        return real

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


def _build_error(done: Completed, dockerfile: PurePosixPath) -> ActionError:
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
            '{"containerd-snapshotter": true}` in its daemon.json). Or do without: several '
            "`platforms` of a Go program need no engine with `builder: ko`; a cache that every "
            "engine has is `build-cache: inline`; `attestations: none`.",
        )
    lines = _FAILED_LINE.findall(done.stderr)
    return BuildError(
        f"The build took longer than {_BUILD_SECONDS / 3600:.0f} hours."
        if done.timed_out
        else f"{dockerfile} could not be built: {said}",
        hint="The lines of the build above say which instruction failed and what it printed.",
        location=Location(dockerfile, int(lines[-1])) if lines else None,
    )
