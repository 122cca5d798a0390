"""What is to be built, and what was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePosixPath

    from gitops_action.model.image import Digest, ImageReference
    from gitops_action.model.secret import Secret


INPUTS_LABEL = "gitops-action.build-inputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build; the paths are relative to the workspace, `created` is seconds since 1970.

    `builder` is `auto`, `docker` or `ko`; `main_package` and `base_image` may be empty. `clean`
    says that the files are those of the commit, which then and only then stands for them.
    `platforms` may be empty for the builder's own; `attestations` are of `provenance` and `sbom`;
    `cache` is `none`, `inline` or `registry`, `cached` is where it belongs, and `found` which of
    these are there;
    `remote` says that a BuildKit elsewhere builds.
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
    target: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    attestations: tuple[str, ...] = ()
    cache: str = "none"
    cached: tuple[ImageReference, ...] = ()
    found: tuple[ImageReference, ...] = ()
    remote: bool = False
    clean: bool = False
    published: tuple[ImageReference, ...] = ()

    @property
    def is_for_docker(self) -> bool:
        """Whether it asks for what only a Dockerfile has."""
        asked = (self.target, self.arguments, self.secrets, self.remote, self.cache != "none")
        return any(asked) or "provenance" in self.attestations

    def labelled(self, builder: str, candidate: str, settings: tuple[str, ...]) -> Self:
        """Add the label that tells this build's inputs from any other's of the same commit.

        `settings` are what the builder itself takes from elsewhere.
        """
        inputs = [
            *(settings, builder, candidate, str(self.module), str(self.context), self.base_image),
            *(self.target, sorted(self.platforms), sorted(self.attestations)),
            *(sorted(self.labels.items()), sorted(self.arguments.items()), sorted(self.secrets)),
        ]
        digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
        return replace(self, labels={**self.labels, INPUTS_LABEL: digest})


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that was built and not yet pushed; `handle` is for the builder that made it.

    `digests` are those of its manifest and its configuration, as far as they are known before the
    push: the image in a registry that has one of them is this one. `sbom` says that an SBOM is
    pushed beside it, which the registry may lack where it has the image.
    """

    builder: str
    handle: str
    digests: tuple[Digest, ...] = ()
    sbom: bool = False
