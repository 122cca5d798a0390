"""Coverage profiles, and the Go version of a Dockerfile: foreign files, read as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_action.adapters.go.coverage import parse_profile, read_profile
from gitops_action.adapters.go.dockerfile import dockerfile_go
from gitops_action.model.go import Coverage

PROFILE = """mode: atomic
example.com/a/x.go:3.10,5.2 2 7
example.com/a/x.go:7.10,9.2 3 0
example.com/b/odd name.go:1.1,2.2 4 0
"""


def test_statements_are_counted_by_package() -> None:
    """What ran and what did not, for each package."""
    assert parse_profile(PROFILE) == {
        "example.com/a": Coverage(5, 2),
        "example.com/b": Coverage(4, 0),
    }


@pytest.mark.parametrize("counts", [(0, 1), (1, 0)])
def test_a_block_counts_once(counts: tuple[int, int]) -> None:
    """With `-coverpkg` every package reports all blocks: one that ran anywhere is covered."""
    lines = [f"example.com/a/x.go:3.10,5.2 2 {count}" for count in counts]

    assert parse_profile("\n".join(lines)) == {"example.com/a": Coverage(2, 2)}


@pytest.mark.parametrize(
    "text", ["", "mode: set", "no profile at all", "x.go:1.1,2.2 99999999999 1", "x.go:1.1 1 1"]
)
def test_odd_lines_are_no_statements(text: str) -> None:
    """A test owns the file and may write anything into it."""
    assert parse_profile(text) == {}


def test_a_profile_is_no_way_to_a_file_of_ours(tmp_path: Path) -> None:
    """A link in its place is not followed, and no profile is no coverage."""
    (tmp_path / "secret").write_text(PROFILE)
    (tmp_path / "profile").symlink_to(tmp_path / "secret")

    assert read_profile(tmp_path / "profile") == {}
    assert read_profile(tmp_path / "absent") == {}
    assert read_profile(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("FROM golang:1.26-trixie AS build\nFROM debian:trixie-slim\n", "1.26"),
        ("from --platform=$BUILDPLATFORM docker.io/library/golang:1.25.3@sha256:00\n", "1.25"),
        ("FROM golang:1.24 AS tools\nFROM golang:1.26 AS build\n", "1.26"),
        ("FROM golang:latest\n", ""),
        ("FROM scratch\n# FROM golang:1.2\n", ""),
        ("FROM ghcr.io/acme/mygolang:1.26\n", ""),
    ],
)
def test_the_go_version_of_a_dockerfile(tmp_path: Path, text: str, version: str) -> None:
    """The last Go image that a Dockerfile names with a version."""
    (tmp_path / "Dockerfile").write_text(text)

    assert dockerfile_go(tmp_path / "Dockerfile") == version


def test_no_dockerfile_says_nothing(tmp_path: Path) -> None:
    """A file that is not there, or is a link, has no version."""
    (tmp_path / "link").symlink_to("/dev/zero")

    assert dockerfile_go(tmp_path / "absent") == ""
    assert dockerfile_go(tmp_path / "link") == ""
