"""Private modules and the services of a job: what the tests of a module reach, and with what."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_action.errors import ModuleError
from gitops_action.stages.verify import verify
from tests.fakes.go import MemoryLog
from tests.systems.git_server import GitServer
from tests.systems.go import copied, environment, failed_run, go_of, private_folder, request_of

TOKEN = "ghp_canary-of-modules"
GO_MOD = b"module git.example.com/acme/secret.git\n\ngo 1.21\n"


@pytest.fixture(scope="module")
def private() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """Serve one private module to whoever has the token."""
    with GitServer(tmp_path / "git", token=TOKEN) as server:
        server.create(
            "acme/secret", {"go.mod": GO_MOD, "secret.go": b"package secret\n\nconst Answer = 42\n"}
        )
        server.git("acme/secret", "tag", "v1.0.0", "main")
        yield server


@pytest.fixture
def step(server: GitServer) -> Iterator[dict[str, str]]:
    """Give the environment of a step whose git finds git.example.com on the loopback interface."""
    with tempfile.TemporaryDirectory(prefix="public-") as folder:
        Path(folder).chmod(0o755)
        git = Path(folder, "git")
        rewrite = f"url.{server.address}/.insteadOf=https://git.example.com/"
        git.write_text(f'#!/bin/sh\nexec "{shutil.which("git")}" -c {rewrite} "$@"\n')
        git.chmod(0o755)
        env = environment(
            GOPRIVATE="git.example.com",
            GOPROXY="direct",
            GOFLAGS="-mod=mod",
            GITHUB_SERVER_URL=server.address,
        )
        yield {**env, "PATH": f"{folder}:{env['PATH']}"}


def test_private_modules_are_read_before_the_tests(
    private: Path, tmp_path: Path, step: dict[str, str]
) -> None:
    """`modules-token` and GOPRIVATE bring the module; the tests see neither token nor header."""
    workspace = copied("private", tmp_path / "workspace")
    log = MemoryLog()

    _, result = failed_run(
        request_of(), go_of(workspace, private, env=step, modules_token=TOKEN), log
    )

    # The one that prints what it sees fails on purpose.
    assert (result.passed, result.failed) == (1, 1)
    printed = "".join(log.fenced)
    assert "GOFLAGS=-mod=mod" in printed
    assert "GIT_CONFIG" not in printed
    assert "canary" not in printed


def test_without_its_token_a_private_module_is_explained(
    private: Path, tmp_path: Path, step: dict[str, str]
) -> None:
    """The message names both the input and Go's own variable."""
    workspace = copied("private", tmp_path / "workspace")

    with pytest.raises(ModuleError) as raised:
        verify(request_of(), go=go_of(workspace, private, env=step), log=MemoryLog())

    assert "GOPRIVATE" in raised.value.hint
    assert "modules-token" in raised.value.hint


def test_services_are_reached_by_the_address_that_is_given(private: Path, tmp_path: Path) -> None:
    """A service of the job answers tests at the address in a variable that `test-env` names."""
    workspace = copied("service", tmp_path / "workspace")
    with socket.create_server(("127.0.0.1", 0)) as service:
        answering = threading.Thread(target=_answer_once, args=(service,))
        answering.start()
        env = environment(SERVICE=f"localhost:{service.getsockname()[1]}")
        request = request_of(variables=("SERVICE",))

        result = verify(request, go=go_of(workspace, private, env=env), log=MemoryLog())
        answering.join()

    assert result.passed == 1


def _answer_once(service: socket.socket) -> None:
    connection, _ = service.accept()
    with connection:
        connection.sendall(b"ready\n")
