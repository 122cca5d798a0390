"""Git's nouns: commits, branches' repositories, places in files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import PurePosixPath

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT = 7


def is_commit_sha(text: str) -> bool:
    """Tell whether the text is a full commit SHA."""
    return bool(_SHA.fullmatch(text))


@dataclass(frozen=True, slots=True)
class CommitSha:
    """A full commit SHA, lower case: 40 hexadecimal digits, or 64 in a SHA-256 repository."""

    value: str

    def __post_init__(self) -> None:
        if not is_commit_sha(self.value):
            msg = f"{self.value!r} is not a full commit SHA"
            raise ValueError(msg)

    @property
    def short(self) -> str:
        return self.value[:_SHORT]

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and the time it was made, in seconds since 1970."""

    sha: CommitSha
    time: int


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file of the repository; `file` is relative to the repository's root."""

    file: PurePosixPath
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)
