"""The first command of the README."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.fakes.runs import ROOT


def _demo(output: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "demo.py"],
        check=True,
        env={**os.environ, "DEMO_OUTPUT": str(output), "TMPDIR": "/tmp"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout.splitlines()


def test_the_demo_deploys_and_then_finds_nothing_to_change(tmp_path: Path) -> None:
    """
    Whoever tries the action sees all five stages, and a second run that still waits.
    """
    first = _demo(tmp_path / "demo")
    second = _demo(tmp_path / "demo")

    assert first[-1] == "result=healthy"
    for stage in ("preflight", "verify", "build", "publish", "promote", "sync"):
        assert any(line.startswith(f"✓ {stage} ") for line in first), first
    assert second[-1] == "result=unchanged"
    assert any(line.startswith("✓ sync ") for line in second)
    assert "is deployed already" in (tmp_path / "demo/summary.html").read_text()
