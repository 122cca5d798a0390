"""A BuildKit elsewhere, by buildx's `remote` driver: no engine is needed on this machine.

https://docs.docker.com/build/builders/drivers/remote/
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.adapters.docker.buildx import Programs
from gitops_action.adapters.docker.failure import build_error
from gitops_action.adapters.docker.handshake import check_handshake
from gitops_action.adapters.docker.layouts import build_layout, discard_layout, push_layout
from gitops_action.adapters.docker.options import base_environment
from gitops_action.adapters.docker.sources import dockerfiles
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.buildkit import parse_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.process import Processes
    from gitops_action.model.image import Digest, ImageReference
    from gitops_action.model.log import Log
    from gitops_action.model.secret import Secret

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
        self._programs = Programs(
            processes=processes,
            env=base_environment(env, private, credentials),
            private=private,
        )
        self._workspace = workspace
        self._address = address
        self._tls = tls

    def candidates(self, request: BuildRequest) -> tuple[str, ...]:
        """Name the Dockerfile, if it is there."""
        return dockerfiles(self._workspace, request)

    def settings(self, request: BuildRequest) -> tuple[str, ...]:  # noqa: ARG002
        """Name nothing: a fleet has many addresses, and from each the same image is to be found."""
        return ()

    def answers(self) -> bool:
        """Say yes: whether it can be reached is what the build begins with."""
        return True

    def build(self, request: BuildRequest, candidate: str, *, log: Log) -> BuiltImage:
        """Build the Dockerfile `candidate`; the image is an OCI layout below `private`.

        Raises EngineError, BuildError, InputError, RunnerError, CancelledError.
        """
        # The key and buildx's record of the builder are there for one build.
        with tempfile.TemporaryDirectory(dir=self._programs.private) as folder:
            programs = self._create_builder(Path(folder), PurePosixPath(candidate))
            built = build_layout(programs, request, candidate, workspace=self._workspace, log=log)
        return replace(built, builder="buildkit")

    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Push the layout under one tag; layers that the registry has are not sent again.

        Raises RegistryLoginError, RegistryError, RunnerError, CancelledError.
        """
        return push_layout(self._programs, built, reference, log=log)

    def discard(self, built: BuiltImage) -> None:
        """Remove the layout."""
        discard_layout(built)

    def _create_builder(self, folder: Path, dockerfile: PurePosixPath) -> Programs:
        """Write what TLS needs, and let buildx know the address; give programs that build there."""
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
        config = {"BUILDX_CONFIG": str(folder / "buildx"), "BUILDX_BUILDER": _BUILDER}
        programs = self._programs.told(config)
        files = f"cacert={authority},cert={certificate},key={key}"
        done = programs.run(
            *("docker", "buildx", "create", f"--name={_BUILDER}", "--driver=remote"),
            *(f"--driver-opt={files}", "--", self._address),
        )
        if done.exit_code != 0:
            raise build_error(done, dockerfile)
        return programs
