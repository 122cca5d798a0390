"""The profile that `go test -coverprofile` writes -> what is covered in each package.

The tests own the file: it is read as foreign text, and no further than a profile is long.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath

from gitops_action.model.go import Coverage

_LONGEST_BYTES = 256 * 1024 * 1024
# cmd/cover: `import/path/file.go:line.column,line.column statements count`
_BLOCK = re.compile(r"(?P<place>(?P<file>.+):\d+\.\d+,\d+\.\d+) (?P<size>\d{1,9}) (?P<count>\d+)")


def read_profile(file: Path) -> dict[str, Coverage]:
    """Count the statements of each package; empty where there is no profile."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as profile:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(profile.fileno()).st_mode):
                return {}
            return parse_profile(profile.read(_LONGEST_BYTES).decode(errors="replace"))
    except OSError:
        return {}


def parse_profile(text: str) -> dict[str, Coverage]:
    """Count each block once, as covered where any package's tests ran it (`-coverpkg`)."""
    blocks: dict[str, tuple[str, int, bool]] = {}
    for line in text.splitlines():
        if match := _BLOCK.fullmatch(line):
            ran = match["count"].strip("0") != "" or blocks.get(match["place"], ("", 0, False))[2]
            package = str(PurePosixPath(match["file"]).parent)
            blocks[match["place"]] = (package, int(match["size"]), ran)
    found: dict[str, Coverage] = {}
    for package, statements, ran in blocks.values():
        known = found.get(package, Coverage(0, 0))
        found[package] = Coverage(known.statements + statements, known.covered + statements * ran)
    return found
