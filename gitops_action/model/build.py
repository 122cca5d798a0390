"""What is to be built, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePosixPath

    from gitops_action.model.image import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build; the paths are relative to the workspace, `created` is seconds since 1970.

    `builder` is `auto`, `docker` or `ko`; `main_package` and `base_image` may be empty.
    """

    builder: str
    module: PurePosixPath
    context: PurePosixPath
    dockerfile: PurePosixPath
    main_package: str
    base_image: str
    labels: Mapping[str, str]
    created: int


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that was built and not yet pushed; `handle` is for the builder that made it.

    `digests` are those of its manifest and its configuration, as far as they are known before the
    push: the image in a registry that has one of them is this one.
    """

    builder: str
    handle: str
    digests: tuple[Digest, ...] = ()
