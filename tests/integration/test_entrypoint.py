"""The step as a process, where it ends before it asks anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _step(folder: Path, **inputs: str) -> str:
    """Run it in a folder without a repository; give what it prints."""
    env = {f"INPUT_{name.replace('_', '-').upper()}": value for name, value in inputs.items()}
    done = subprocess.run(
        [sys.executable, str(ROOT / "entrypoint.py")],
        env={
            "PATH": os.environ["PATH"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(folder),
            **env,
        },
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    return done.stdout


def test_an_unchecked_certificate_is_warned_of(tmp_path: Path) -> None:
    """
    Nobody sends a token to whoever answers without being told so in each run.
    """
    told, quiet = _step(tmp_path, argocd_insecure="true"), _step(tmp_path)

    (line,) = [one for one in told.splitlines() if one.startswith("::warning ")]
    assert "title=argocd-insecure" in line
    assert "Argo CD's certificate is not checked" in line
    assert "::warning" not in quiet


def test_headers_for_a_login_proxy_are_masked_first(tmp_path: Path) -> None:
    """
    The value of each header is masked before anything else is printed, also where one is wrong.
    """
    printed = _step(tmp_path, argocd_headers="X-Id: canary-1\ncanary-2")

    masks = printed.partition("::error")[0]
    assert "::add-mask::canary-1" in masks
    assert "::add-mask::canary-2" in masks
    assert printed.count("canary") == printed.count("::add-mask::canary")
