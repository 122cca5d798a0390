"""Looks over the shoulder of child processes: the whole environment and every argument of each."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# /proc gives the environment as the program received it, before the shell adds to it.
_SCRIPT = """#!/bin/sh
file="{folder}/record.$$"
printf '%s\\0' "$0" "$@" > "$file.argv"
/bin/cat /proc/$$/environ > "$file.environ"
exec {program} "$@"
"""


@dataclass(frozen=True, slots=True)
class Child:
    """One program that was started: its name and arguments, and its whole environment."""

    argv: tuple[str, ...]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Recorder:
    """Scripts in `folder` that write down how they are called, and then are the real program."""

    folder: Path

    @classmethod
    def of(cls, programs: Iterable[str], folder: Path) -> Recorder:
        """Put a script for each of `programs` into `folder`."""
        folder.mkdir(exist_ok=True)
        for name in programs:
            program = shutil.which(name)
            assert program, f"{name} is not installed"
            script = folder / name
            script.write_text(_SCRIPT.format(folder=folder, program=program))
            script.chmod(0o755)
        return cls(folder)

    @property
    def path(self) -> str:
        """A PATH that finds the scripts first."""
        return f"{self.folder}:{os.environ['PATH']}"

    def children(self) -> list[Child]:
        """Read what was written down so far."""
        return [
            Child(
                argv=tuple(_entries(file)),
                environment=dict(
                    entry.split("=", 1) for entry in _entries(file.with_suffix(".environ"))
                ),
            )
            for file in sorted(self.folder.glob("record.*.argv"))
        ]


def _entries(file: Path) -> list[str]:
    return file.read_text().split("\0")[:-1]
