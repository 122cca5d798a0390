"""A commit's files, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gitops_action.model.source import CommitSha


@dataclass(frozen=True, slots=True)
class MemoryTree:
    """A commit's files, and its symbolic links."""

    files: dict[str, bytes | None] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def link(self, _head: CommitSha, path: PurePosixPath) -> tuple[PurePosixPath, str] | None:
        for place in (*list(path.parents)[-2::-1], path):
            if str(place) in self.links:
                return place, self.links[str(place)]
        return None

    def read(self, _head: CommitSha, path: PurePosixPath) -> bytes | None:
        return self.files.get(str(path))

    def list(self, _head: CommitSha, folder: PurePosixPath) -> tuple[str, ...]:
        below = [
            PurePosixPath(path).relative_to(folder).parts
            for path in (*self.files, *self.links)
            if PurePosixPath(path).is_relative_to(folder) and path != str(folder)
        ]
        return tuple(dict.fromkeys(parts[0] + "/" * (len(parts) > 1) for parts in below))
