"""The two caches of the tests: brought before them, kept after them, and never stale."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gitops_action.adapters.caches import (
    bring_cache,
    cached_file,
    cached_files,
    do_not_trim,
    keep_cache,
)
from gitops_action.adapters.go.places import Places
from gitops_action.adapters.go.private import Private
from gitops_action.errors import RunnerError

_MODULES = "go-modules"
_BUILD = "go-build-tests"
# Beside Go's own files: what tests whose results are kept may have read without Go knowing.
_OUTSIDE = "outside-of-the-module"
_EXPIRE = "testexpire.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """`kept` is where the runner keeps them, owned by who owns `workspace`; None: nowhere.

    `check` may raise.
    """

    kept: Path | None
    workspace: Path
    check: Callable[[], None]

    def bring(self, private: Private) -> float:
        """Add what is kept to the caches of a run, and return the seconds that it took.

        Raises RunnerError.
        """
        started = time.monotonic()
        try:
            self._bring(private)
        except OSError as error:
            raise RunnerError(
                f"Go's caches could not be copied: {error.strerror}: {error.filename}.",
                hint="Look at the runner's disk space.",
            ) from error
        return time.monotonic() - started

    def _bring(self, private: Private) -> None:
        if self.kept:
            bring_cache(self.kept / _BUILD, private.cache, private.owner, self.check)
            bring_cache(self.kept / _MODULES, private.modules, private.owner, self.check)
        do_not_trim(private.cache)

    def expire(self, private: Private, outside: str) -> None:
        """Let Go forget results of tests that may depend on what it does not look at.

        Go knows the files that a test opened in its own module, and no others:
        cmd/go/internal/test, computeTestInputsID. `outside` stands for these others.
        """
        if not self.kept or (outside and _read(self.kept / _BUILD / _OUTSIDE) == outside):
            return
        expire = private.cache / _EXPIRE
        # As another user's file in a sticky folder, a kept one can be removed by root, and on most
        # machines not written to: https://docs.kernel.org/admin-guide/sysctl/fs.html
        expire.unlink(missing_ok=True)
        expire.write_text(f"{time.time_ns()}\n")
        if private.owner is not None:
            os.chown(expire, private.owner, private.owner)

    def keep(self, private: Private, outside: str) -> tuple[float, str]:
        """Keep the caches of a run, when nothing of its tests runs any more.

        Returns the seconds that it took, and why something was not kept, empty where all was.
        """
        if not self.kept:
            return 0.0, ""
        started = time.monotonic()
        try:
            problem = self._keep_all(self.kept, private, outside)
        except OSError as error:
            problem = f"Go's caches were not kept: {error.strerror}."
        return time.monotonic() - started, problem

    def _keep_all(self, kept: Path, private: Private, outside: str) -> str:
        tests = cached_files(private.cache, of=private.owner, forget=True)
        # What stands for the files outside is kept as if Go's own cache held it.
        note = private.cache / _OUTSIDE
        note.unlink(missing_ok=True)
        note.write_text(outside)
        tests[_OUTSIDE] = cached_file(note)
        modules = cached_files(private.modules)
        problems = [
            keep_cache(kept / _BUILD, tests, private.cache, self.workspace, self.check),
            keep_cache(kept / _MODULES, modules, private.modules, self.workspace, self.check),
        ]
        return " ".join(filter(None, problems))


def outside_of(copied: Mapping[str, int], places: Places, variables: Sequence[str]) -> str:
    """Stand for all that the tests may read and Go does not look at.

    That is what lies outside of a module, for a test in it; where tests may see variables, also
    what these lead to, which nobody can stand for: empty, and never the same as before.
    """
    if variables:
        return ""
    modules = set(places.modules.values())
    inside = next(iter(modules)) if len(modules) == 1 else None
    known = hashlib.blake2b()
    for path, made in sorted(copied.items()):
        if inside is None or not PurePosixPath(path).is_relative_to(inside):
            known.update(os.fsencode(f"{path}\0{made}\0"))
    return known.hexdigest()


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
