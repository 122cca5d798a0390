"""What Kustomize reads, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Sources:
    """The files that a rendering needs, by their path in the repository.

    `links` are symbolic links that stay inside, as they are written; `outside` are references that
    lead out of the repository, or to this machine's own servers.
    """

    files: Mapping[PurePosixPath, bytes]
    links: Mapping[PurePosixPath, str]
    outside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """The YAML documents that a folder renders, or why there are none.

    `here` tells that the reason for a `failure` lies with us, who neither fetch nor run anything,
    and not with the kustomization. `unrestricted` means that files outside the folder were read.
    """

    text: str = ""
    failure: str = ""
    here: bool = False
    unrestricted: bool = False
