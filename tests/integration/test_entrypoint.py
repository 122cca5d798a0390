"""The step as a process, where it ends before it asks anybody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_that_comes_while_python_starts_is_answered(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """
    A job that is cancelled in its first second ends in order: with outputs, without a traceback.
    """
    first = (ROOT / "entrypoint.py").read_text().partition("\n")[0]
    env, _, blocks, *_ = first.removeprefix("#!").split()
    with subprocess.Popen(
        [env, blocks, sys.executable, str(ROOT / "entrypoint.py")],
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as step:
        while not _blocks(step.pid, number):
            time.sleep(0.001)
        step.send_signal(number)
        printed, _ = step.communicate(timeout=60)

    assert step.returncode == status
    assert "result=failed" in printed
    assert "Traceback" not in printed


def _blocks(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(mask, 16) >> number - 1 & 1)
