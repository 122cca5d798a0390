"""An OCI layout with one image, or one index of several, and what crane says of its push."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gitops_action.adapters.refusal import explain_push, last_line
from gitops_action.errors import BuildError
from gitops_action.model.image import Digest

if TYPE_CHECKING:
    from gitops_action.adapters.process import Completed
    from gitops_action.model.image import ImageReference


def layout_digest(index: str) -> Digest:
    """Find in a layout's `index.json` the digest of what `crane push` will push.

    https://github.com/opencontainers/image-spec/blob/main/image-layout.md. Raises BuildError.
    """
    try:
        [manifest] = json.loads(index)["manifests"]
        return Digest(manifest["digest"])
    except (KeyError, TypeError, ValueError) as error:
        raise BuildError(
            "The build has left no image, or more than one.",
            hint="See that nothing which the build starts writes where its image is written.",
        ) from error


def pushed_digest(done: Completed, reference: ImageReference) -> Digest:
    """Read the digest that `crane push` printed; raises RegistryLoginError, RegistryError."""
    _, _, digest = done.stdout.strip().rpartition("@")
    if done.exit_code != 0 or not digest:
        # crane prints what it tried again above its final answer.
        said, registry = last_line(done.stderr), reference.repository.registry
        raise explain_push(said, registry, timed_out=done.timed_out)
    return Digest(digest)
