"""What several integration tests start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.systems.git_server import GitServer

if TYPE_CHECKING:
    from collections.abc import Iterator


from tests.systems.promoter import FILE, NAME, TEXT, Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with GitServer(tmp_path / "server") as server:
        server.create(NAME, {FILE: TEXT, "README.md": "hello\n"})
        yield Place(tmp_path, server)
