"""The folders of one run of the tests: who owns each, and that none is left behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from gitops_action.adapters.isolation import make_folder, own_tree, remove_tree
from gitops_action.errors import RunnerError


class Private:
    """Made on entry and removed on exit, and on entry what an earlier run left.

    `owner` is the user of the tests, None where they run as the caller: `copy` (made by who
    copies), `home`, `temporary`, `results` and `cache` are his. So are `trusted` and `modules`
    until `close`, for what reads the repository's files and downloads what they name; then the
    first is shut and the second can only be read. A `cache` that was there before stays there, as
    whoever brought it made it.
    """

    def __init__(self, root: Path, owner: int | None) -> None:
        # Go names files by their real path; what it names must lie below these.
        root = root.resolve()
        self.owner = owner
        self.copy = root / "workspace"
        self.home = root / "home"
        self.temporary = root / "tmp"
        self.results = root / "results"
        self.trusted = root / "trusted"
        self.cache = root / "go-build"
        self.modules = root / "go-mod"
        self._root = root
        self._brought = self.cache.exists()
        self._folders = (self.home, self.temporary, self.results, self.cache, self.trusted)

    def __enter__(self) -> Self:
        """Raise RunnerError where a folder cannot be made."""
        self._remove()
        try:
            # Entered by all and listed by nobody else.
            make_folder(self._root, None, 0o711)
            make_folder(self.modules, None, 0o755)
            if self.owner is not None:
                os.chown(self.modules, self.owner, self.owner)
            for folder in self._folders:
                if not (self._brought and folder == self.cache):
                    make_folder(folder, self.owner)
        except OSError as error:
            self._remove()
            raise RunnerError(
                f"No private folder could be made: {error.strerror}: {error.filename}.",
                hint="Look at the runner's disk space and permissions.",
            ) from error
        return self

    def close(self) -> None:
        """Take from the tests, before they start, what a token may have passed through."""
        if self.owner is not None:
            for folder in (self.trusted, self.modules):
                own_tree(folder, os.geteuid())

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _remove(self) -> None:
        for folder in (self.copy, self.modules, *self._folders):
            if not (self._brought and folder == self.cache):
                remove_tree(folder)
