"""What the demo starts and keeps around the action; the action itself is left out here."""

from __future__ import annotations

import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import demo
from tests.systems.git_server import GitServer


@dataclass
class Runs:
    """Stands for the action: keeps the image, the base's digest and the commit of every run."""

    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, step: dict[str, str], git: GitServer, workspace: Path) -> tuple[int, str]:
        """Look as the action would, and say that all is well."""
        asked = ["crane", "digest", step["base-image"]]
        digest = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        assert (workspace / ".git").is_dir()
        self.seen.append((step["image"], digest, git.head(demo.REPOSITORY)))
        return 0, "healthy"


@pytest.fixture(name="runs")
def _runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs()
    monkeypatch.setattr(demo, "OUTPUT", tmp_path)
    monkeypatch.setattr(demo, "ADDRESS", tmp_path / "registry-address")
    monkeypatch.setattr(demo, "_run", runs)
    return runs


def test_a_second_demo_finds_what_the_first_one_left(runs: Runs) -> None:
    """
    The second run works on the same repository, with the same registry and base image.
    """
    statuses = [demo.main(), demo.main()]

    assert statuses == [0, 0]
    assert runs.seen[0] == runs.seen[1]


@pytest.mark.parametrize("part", ["workspace", "git", "registry-address", "registry"])
def test_a_demo_with_a_part_missing_works(runs: Runs, tmp_path: Path, part: str) -> None:
    """
    A folder of which something was deleted is completed or begun again, never half used.
    """
    demo.main()
    if part == "registry-address":
        (tmp_path / part).unlink()
    else:
        shutil.rmtree(tmp_path / part)

    status = demo.main()

    assert status == 0
    assert runs.seen[0][1] == runs.seen[1][1]


def test_a_demo_says_that_its_registry_s_port_is_taken(runs: Runs, tmp_path: Path) -> None:
    """
    The address stands in the kustomization, so that another port is no way out.
    """
    demo.main()
    port = int((tmp_path / "registry-address").read_text().rpartition(":")[2])

    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(SystemExit, match="Another program listens"),
    ):
        demo.main()

    assert len(runs.seen) == 1
