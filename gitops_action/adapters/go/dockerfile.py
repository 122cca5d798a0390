"""The Go version that a Dockerfile builds with: what is tested should be what is shipped."""

from __future__ import annotations

import re
from pathlib import Path

# golang:1.26, golang:1.26.8-alpine, docker.io/library/golang:1.26@sha256:…; a release candidate has
# its version in front as well.
_FROM = re.compile(
    r"^\s*FROM\s+(?:--\S+\s+)*(?:\S*/)?golang:(?P<version>\d+\.\d+)", re.MULTILINE | re.IGNORECASE
)
_LONGEST = 1024 * 1024


def dockerfile_go(file: Path) -> str:
    """Read `1.26`, without the patch, from the last Go image; empty where none is named."""
    if file.is_symlink() or not file.is_file():  # a link may lead out of the repository
        return ""
    with file.open(errors="replace") as text:
        versions = [found["version"] for found in _FROM.finditer(text.read(_LONGEST))]
    return versions[-1] if versions else ""
