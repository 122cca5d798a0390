"""The wall around unit tests, no process and no socket; how much is drawn at random."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

# A fixed seed: `make test` says the same twice, and `make long` looks at more of the same.
settings.register_profile("test", max_examples=100, derandomize=True, deadline=None)
settings.register_profile("long", max_examples=10_000, derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))

_INSIDE_THE_WALL = {"unit", "contract", "property"}


@pytest.fixture(autouse=True)
def _no_world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    level = Path(request.path).relative_to(Path(__file__).parent).parts[0]
    if level in _INSIDE_THE_WALL:

        def refuse(*_: object, **__: object) -> NoReturn:
            pytest.fail("a unit test must not touch the outside world")

        monkeypatch.setattr(subprocess, "Popen", refuse)
        monkeypatch.setattr(socket.socket, "connect", refuse)
