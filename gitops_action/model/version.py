"""Versions, as git's tags and as images' tags have them."""

from __future__ import annotations

import semver


def read_version(text: str) -> semver.Version | None:
    """Read `1.2.3`, without a `v` before it; None for any other text."""
    return semver.Version.parse(text) if semver.Version.is_valid(text) else None


def image_tag(version: semver.Version) -> str:
    """Write the version for a registry, which takes no `+` (that separates build metadata)."""
    return str(version).replace("+", "_")


def version_in(tag: str) -> semver.Version | None:
    """Read the version that an image's tag names; None where it names none."""
    return read_version(tag.replace("_", "+"))
