"""What is to be built, and what was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePosixPath

    from gitops_action.model.image import Digest, ImageReference


INPUTS_LABEL = "gitops-action.build-inputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build; the paths are relative to the workspace, `created` is seconds since 1970.

    `builder` is `auto`, `docker` or `ko`; `main_package` and `base_image` may be empty. `clean`
    says that the files are those of the commit, which then and only then stands for them.
    `published` are the references under which the same image may be in the registry already.
    """

    builder: str
    module: PurePosixPath
    context: PurePosixPath
    dockerfile: PurePosixPath
    main_package: str
    base_image: str
    labels: Mapping[str, str]
    created: int
    clean: bool = False
    published: tuple[ImageReference, ...] = ()

    def labelled(self, builder: str, candidate: str) -> Self:
        """Add the label that tells this build's inputs from any other's of the same commit."""
        inputs = [builder, candidate, str(self.module), str(self.context), self.base_image]
        inputs += [f"{name}={value}" for name, value in sorted(self.labels.items())]
        digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
        return replace(self, labels={**self.labels, INPUTS_LABEL: digest})


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that was built and not yet pushed; `handle` is for the builder that made it.

    `digests` are those of its manifest and its configuration, as far as they are known before the
    push: the image in a registry that has one of them is this one.
    """

    builder: str
    handle: str
    digests: tuple[Digest, ...] = ()
