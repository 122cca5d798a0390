"""Where a file name in Go's output lies in the repository."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gitops_action.model.source import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The copy that is tested and what lies where in it.

    `root` is the copy's absolute path, `module` the tested folder relative to it, and `modules`
    maps the import path of each main module to its folder, relative to the root as well.
    """

    root: str
    module: PurePosixPath
    modules: Mapping[str, PurePosixPath] = field(default_factory=dict)

    def location(
        self, file: str, line: int, column: int | None = None, *, package: str = ""
    ) -> Location | None:
        """Locate a file that Go named; None where it lies outside the repository.

        A relative name is relative to the tested folder, or to the folder of `package`.
        """
        folder = self.folder(package) if package else self.module
        if folder is None:
            return None
        path = posixpath.normpath(posixpath.join(self.root, folder, file))
        if not path.startswith(self.root + "/"):
            return None
        return Location(PurePosixPath(path).relative_to(self.root), line, column)

    def folder(self, package: str) -> PurePosixPath | None:
        """Find a package's folder, relative to the root; None where it is in no main module."""
        for module in sorted(self.modules, key=len, reverse=True):
            if package == module or package.startswith(module + "/"):
                return self.modules[module] / package[len(module) :].lstrip("/")
        return None

    def shorten(self, text: str) -> str:
        """Name the repository's files in a text relative to it."""
        return text.replace(self.root + "/", "")
