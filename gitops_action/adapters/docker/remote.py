"""A BuildKit elsewhere, by buildx's `remote` driver: no engine is needed on this machine.

What it builds comes back as an OCI layout, which crane pushes when the tests have passed.
https://docs.docker.com/build/builders/drivers/remote/
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.adapters.docker.failure import BUILD_SECONDS, build_error
from gitops_action.adapters.docker.handshake import check_handshake
from gitops_action.adapters.docker.options import base_environment, environment, options
from gitops_action.adapters.docker.sources import copy_dockerfile, dockerfiles, inside
from gitops_action.adapters.layout import layout_digest, pushed_digest
from gitops_action.adapters.refusal import PUSH_SECONDS
from gitops_action.errors import ActionError
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.buildkit import parse_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.process import Completed, Processes
    from gitops_action.model.image import Digest, ImageReference
    from gitops_action.model.log import Log
    from gitops_action.model.secret import Secret

_ANSWER_SECONDS = 20.0
_BUILDER = "remote"


class BuildKit:
    """Builds Dockerfiles of `workspace` at `address`, `tcp://HOST:PORT`, which `tls` opens.

    `env` is the step's environment, of which the children see the few names they need; `private`
    is a directory that only we can read, `credentials` the directory that `write_credentials` made.
    """

    def __init__(  # noqa: PLR0913  each is a different thing that a child may know
        self,
        processes: Processes,
        *,
        env: Mapping[str, str],
        workspace: Path,
        private: Path,
        credentials: Path,
        address: str,
        tls: Secret,
    ) -> None:
        self._processes = processes
        self._workspace = workspace
        self._private = private
        self._address = address
        self._tls = tls
        self._env = base_environment(env, private, credentials)

    def candidates(self, request: BuildRequest) -> tuple[str, ...]:
        """Name the Dockerfile, if it is there."""
        return dockerfiles(self._workspace, request)

    def answers(self) -> bool:
        """Say yes: whether it can be reached is what the build begins with."""
        return True

    def build(self, request: BuildRequest, candidate: str, *, log: Log) -> BuiltImage:
        """Build the Dockerfile `candidate`; the image is an OCI layout below `private`.

        Raises EngineError, BuildError, InputError, RunnerError, CancelledError.
        """
        dockerfile = PurePosixPath(candidate)
        context = inside(self._workspace, request.context)
        layout = tempfile.mkdtemp(prefix="layout-", dir=self._private)
        built = BuiltImage("docker", layout)
        output = f"--output=type=oci,tar=false,rewrite-timestamp=true,dest={layout}"
        try:
            # The key and buildx's record of the builder are there for one build.
            with tempfile.TemporaryDirectory(dir=self._private) as name:
                folder = Path(name)
                config = self._create_builder(folder, dockerfile)
                copy = copy_dockerfile(self._workspace, dockerfile, context, folder)
                done = self._run(
                    *("docker", "buildx", "build", f"--builder={_BUILDER}", "--progress=plain"),
                    *(output, *options(request), f"--file={copy}", "--", str(context)),
                    timeout=BUILD_SECONDS,
                    log=log,
                    extra={**config, **environment(request)},
                )
            if done.exit_code != 0:
                raise build_error(done, dockerfile)
            return replace(built, digests=(layout_digest(Path(layout)),))
        except ActionError:
            self.discard(built)
            raise

    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Push the layout under one tag; layers that the registry has are not sent again.

        Raises RegistryLoginError, RegistryError, RunnerError, CancelledError.
        """
        done = self._run(
            "crane", "push", built.handle, reference.tagged, timeout=PUSH_SECONDS, log=log
        )
        return pushed_digest(done, reference)

    def discard(self, built: BuiltImage) -> None:
        """Remove the layout; the build cache stays, it is BuildKit's own."""
        shutil.rmtree(built.handle, ignore_errors=True)

    def _create_builder(self, folder: Path, dockerfile: PurePosixPath) -> dict[str, str]:
        """Write what TLS needs, and let buildx know the address; give the variables that tell."""
        bundle = parse_bundle(self._tls.reveal())
        authority, certificate, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        for file, text in (
            (authority, bundle.authority),
            (certificate, bundle.certificate),
            (key, bundle.key.reveal()),
        ):
            file.touch(mode=0o600)
            file.write_text(text)
        check_handshake(self._address, authority, certificate, key)
        config = {"BUILDX_CONFIG": str(folder / "buildx")}
        files = f"cacert={authority},cert={certificate},key={key}"
        done = self._run(
            *("docker", "buildx", "create", f"--name={_BUILDER}", "--driver=remote"),
            *(f"--driver-opt={files}", "--", self._address),
            timeout=_ANSWER_SECONDS,
            extra=config,
        )
        if done.exit_code != 0:
            raise build_error(done, dockerfile)
        return config

    def _run(
        self,
        *argv: str,
        timeout: float,
        log: Log | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Completed:
        return self._processes.run(
            argv,
            env={**self._env, **(extra or {})},
            cwd=self._private,
            timeout=timeout,
            on_stdout=log.foreign if log else None,
            on_stderr=log.foreign if log else None,
        )
