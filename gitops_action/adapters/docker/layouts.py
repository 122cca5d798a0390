"""An image that comes back from BuildKit as an OCI layout, which crane pushes after the tests.

BuildKit gives the files of such an image the commit's time, and so the same commit the same digest.
It refuses that for an image that goes into the engine's own store (moby/buildkit#4230, Docker 26).
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_action.adapters.docker.buildx import Programs, run_buildx
from gitops_action.adapters.layout import layout_digest, pushed_digest
from gitops_action.adapters.refusal import PUSH_SECONDS
from gitops_action.errors import ActionError
from gitops_action.model.build import BuildRequest, BuiltImage

if TYPE_CHECKING:
    from gitops_action.model.image import Digest, ImageReference
    from gitops_action.model.log import Log


def build_layout(
    programs: Programs, request: BuildRequest, candidate: str, *, workspace: Path, log: Log
) -> BuiltImage:
    """Build the Dockerfile `candidate` of `workspace`; the layout is below the private folder.

    Raises EngineError, BuildError, InputError, RunnerError, CancelledError.
    """
    layout = tempfile.mkdtemp(prefix="layout-", dir=programs.private)
    built = BuiltImage("docker", layout)
    # An attestation that is an OCI artifact gets a tag of its own from crane where the registry
    # cannot list what refers to an image.
    what = "type=oci,tar=false,rewrite-timestamp=true,oci-artifact=false"
    # As the variable SOURCE_DATE_EPOCH, the commit's time would be of every WORKDIR, and make what
    # follows it anew for each commit.
    output = f"--output={what},source-date-epoch={request.created},dest={layout}"
    try:
        run_buildx(programs, request, candidate, output, workspace=workspace, log=log)
        digest = layout_digest(Path(layout, "index.json").read_text())
    except ActionError:
        discard_layout(built)
        raise
    return replace(built, digests=(digest,))


def push_layout(
    programs: Programs, built: BuiltImage, reference: ImageReference, *, log: Log
) -> Digest:
    """Push the layout under one tag; layers that the registry has are not sent again.

    Raises RegistryLoginError, RegistryError, RunnerError, CancelledError.
    """
    done = programs.run(
        "crane", "push", built.handle, reference.tagged, timeout=PUSH_SECONDS, log=log
    )
    return pushed_digest(done, reference)


def discard_layout(built: BuiltImage) -> None:
    """Remove the layout; the build cache stays, it is BuildKit's own."""
    shutil.rmtree(built.handle, ignore_errors=True)


def is_layout(built: BuiltImage) -> bool:
    """Say whether its handle is a layout's folder, not a name that an engine knows."""
    return Path(built.handle).is_absolute()
