"""The wall around unit tests: no process, no socket."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

_INSIDE_THE_WALL = {"unit", "contract", "property"}


@pytest.fixture(autouse=True)
def _no_world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    level = Path(request.path).relative_to(Path(__file__).parent).parts[0]
    if level in _INSIDE_THE_WALL:

        def refuse(*_: object, **__: object) -> NoReturn:
            pytest.fail("a unit test must not touch the outside world")

        monkeypatch.setattr(subprocess, "Popen", refuse)
        monkeypatch.setattr(socket.socket, "connect", refuse)
