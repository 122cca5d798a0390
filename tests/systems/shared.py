"""Observed behaviour of Kustomize and real files of other projects, which we cannot publish."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("GITOPS_ACTION_SHARED") or ROOT.parent / "shared" / "data")

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason=f"no shared cases at {SHARED}; name their folder in GITOPS_ACTION_SHARED",
)


def cases(name: str) -> list[dict[str, Any]]:
    """Load a list of observed cases; empty where it is not on this machine."""
    file = SHARED / name
    return list(json.loads(file.read_text())) if file.is_file() else []


def corpus() -> dict[str, str]:
    """The kustomizations of well-known projects, by their paths in the corpus."""
    folder = SHARED / "corpus"
    listed = json.loads((folder / "index.json").read_text()) if folder.is_dir() else []
    return {item["file"]: (folder / item["file"]).read_bytes().decode() for item in listed}
