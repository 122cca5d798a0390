"""A real BuildKit behind mutual TLS: what opens it, what it says, and what is left."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.docker import BuildKit
from gitops_action.adapters.docker.failure import build_error
from gitops_action.adapters.docker.handshake import check_handshake
from gitops_action.adapters.process import Completed, Processes
from gitops_action.adapters.registry import write_credentials
from gitops_action.errors import BuildError, CancelledError, EngineError
from gitops_action.model.buildkit import parse_bundle
from gitops_action.model.log import HeldLog
from gitops_action.model.secret import Secret
from tests.systems.buildkit import RunningBuildKit, required_buildkit
from tests.systems.docker_hub import DOCKERFILE, REQUEST, docker_hub
from tests.systems.engine import add_buildx
from tests.systems.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-s3cret"
# The beginning of an ELF file: 64 bits, big-endian, an executable (2) for s390 (22).
OF_A_MAINFRAME = b"\x7fELF\2\2\1".ljust(16, b"\0") + b"\0\2\0\x16".ljust(48, b"\0")
_NO_ANSWER = """#1 [internal] waiting for connection
#1 ERROR: context deadline exceeded
ERROR: failed to build: context deadline exceeded
"""


class Connect(Protocol):
    """Makes the adapter; `tls` is by default what opens `running`."""

    def __call__(
        self,
        running: RunningBuildKit,
        *,
        tls: str = "",
        path: str = "",
        cancellation: Cancellation | None = None,
    ) -> BuildKit: ...


@pytest.fixture(scope="module")
def buildkit() -> Iterator[RunningBuildKit]:
    """One BuildKit for most tests."""
    with docker_hub() as hub, required_buildkit(mirror=hub) as running:
        yield running


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """What checkout leaves, its token included."""
    folder = tmp_path / "workspace"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config").write_text(f"extraheader = {CANARY}")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "note").write_text("note")
    return folder


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder that only we can enter."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def connect(workspace: Path, private: Path, tmp_path: Path) -> Connect:
    """The adapter, with a registry's user."""
    credentials = tmp_path / "credentials"

    def _connect(
        running: RunningBuildKit,
        *,
        tls: str = "",
        path: str = "",
        cancellation: Cancellation | None = None,
    ) -> BuildKit:
        if not credentials.exists():
            write_credentials(credentials, "127.0.0.1:1", "robot", Secret(CANARY))
            add_buildx(credentials)
        return BuildKit(
            Processes(cancellation or Cancellation()),
            # The machine may have an engine: this must work without.
            env={
                "PATH": path or os.environ["PATH"],
                "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
                "BUILDX_BUILDER": "somebody-elses",
                "GITHUB_TOKEN": CANARY,
            },
            workspace=workspace,
            private=private,
            credentials=credentials,
            address=running.address,
            tls=Secret(tls or running.tls),
        )

    return _connect


class WatchingLog(HeldLog):
    """Keeps BuildKit's lines, and who may read what opens it while they come."""

    def __init__(self, private: Path) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.modes: set[tuple[str, int]] = set()
        self._private = private

    def foreign(self, text: str) -> None:
        """Look at the files as they are at this line."""
        self.lines.append(text)
        for file in self._private.glob("*/*.pem"):
            self.modes.add((file.name, file.stat().st_mode & 0o777))


def test_no_key_is_in_an_argument_or_left(
    connect: Connect, buildkit: RunningBuildKit, private: Path, tmp_path: Path
) -> None:
    """
    The key lies in a file that only we can read, while the build runs and no longer.
    """
    recorder = Recorder.of(["docker"], tmp_path / "recorder")
    docker = connect(buildkit, path=recorder.path)
    log = WatchingLog(private)

    built = docker.build(REQUEST, "Dockerfile", log=log)

    secret = buildkit.tls.splitlines()[-2]
    assert log.modes == {("ca.pem", 0o600), ("cert.pem", 0o600), ("key.pem", 0o600)}
    assert secret not in str(recorder.children())
    assert CANARY not in str(recorder.children())
    assert {name for child in recorder.children() for name in child.environment} == {
        "BUILDX_BUILDER",
        "BUILDX_CONFIG",
        "BUILDX_GIT_INFO",
        "BUILDX_NO_DEFAULT_ATTESTATIONS",
        "DOCKER_CONFIG",
        "HOME",
        "PATH",
        "TMPDIR",
    }
    assert [str(path) for path in private.iterdir()] == [built.handle]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((3, 4, 5), "unknown ca"),
        ((1, 1, 2), "not trusted"),
        ((1, 0, 2), "key values mismatch"),
    ],
    ids=["stranger", "authority", "order"],
)
def test_says_why_buildkit_does_not_let_us_in(
    connect: Connect,
    buildkit: RunningBuildKit,
    private: Path,
    parts: tuple[int, ...],
    said: str,
) -> None:
    """
    A certificate that does not fit is told at once, with what the secret must hold.
    """
    blocks = (buildkit.tls + buildkit.stranger).split("-----BEGIN ")[1:]
    tls = "".join(f"-----BEGIN {blocks[part]}" for part in parts)
    started = time.monotonic()

    with pytest.raises(EngineError) as caught:
        connect(buildkit, tls=tls).build(REQUEST, "Dockerfile", log=HeldLog())

    assert said in caught.value.message
    assert buildkit.address in caught.value.message
    assert "`buildkit-tls`" in caught.value.hint
    assert time.monotonic() - started < 5
    assert list(private.iterdir()) == []


@pytest.mark.parametrize("host", ["127.0.0.1:1", "[:::]:1", "a..b:1"])
def test_leaves_an_address_without_answer_to_buildx(
    buildkit: RunningBuildKit, tmp_path: Path, host: str
) -> None:
    """
    What may answer in a moment is no error yet and is not waited for here, whatever its name.
    """
    bundle = parse_bundle(buildkit.tls)
    texts = (bundle.authority, bundle.certificate, bundle.key.reveal())
    files = [tmp_path / name for name in ("ca", "cert", "key")]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    started = time.monotonic()

    check_handshake(f"tcp://{host}", *files)

    assert time.monotonic() - started < 5


def test_says_that_no_buildkit_answers() -> None:
    """
    An address where nothing runs is no failure of the Dockerfile.
    """
    done = Completed(argv=(), exit_code=1, stdout="", stderr=_NO_ANSWER)

    error = build_error(done, PurePosixPath("Dockerfile"))

    assert isinstance(error, EngineError)
    assert "`buildkit-address` does not answer" in error.message


def test_says_which_instruction_failed(
    connect: Connect, buildkit: RunningBuildKit, workspace: Path, private: Path
) -> None:
    """
    A Dockerfile's own failure is on its line, as with an engine, and leaves no layout.
    """
    (workspace / "Dockerfile").write_text("FROM scratch\n\nCOPY missing /\n")

    with pytest.raises(BuildError, match="missing") as caught:
        connect(buildkit).build(REQUEST, "Dockerfile", log=HeldLog())

    assert str(caught.value.location) == "Dockerfile:3"
    assert list(private.iterdir()) == []


def test_says_how_to_do_without_an_emulator(
    connect: Connect, buildkit: RunningBuildKit, workspace: Path
) -> None:
    """
    A Dockerfile that runs another platform's programs is told how Go does without.
    """
    (workspace / "program").write_bytes(OF_A_MAINFRAME)
    (workspace / "program").chmod(0o755)
    (workspace / "Dockerfile").write_text('FROM scratch\nCOPY program /\nRUN ["/program"]\n')
    request = replace(REQUEST, platforms=("linux/s390x",))

    with pytest.raises(BuildError) as caught:
        connect(buildkit).build(request, "Dockerfile", log=HeldLog())

    assert "$BUILDPLATFORM" in caught.value.hint
    assert str(caught.value.location) == "Dockerfile:3"


def test_a_cancelled_build_leaves_nothing(
    connect: Connect, buildkit: RunningBuildKit, workspace: Path, private: Path
) -> None:
    """
    A cancelled run is over within seconds, here and on the BuildKit.
    """
    (workspace / "Dockerfile").write_text('FROM tool:1\nENV TARGETARCH=never\nRUN ["/tool"]\n')
    cancellation = Cancellation()
    docker = connect(buildkit, cancellation=cancellation)
    cancelled: list[float] = []

    def _cancel() -> None:
        if _becomes(running=True):
            cancelled.append(time.monotonic())
            cancellation.cancel("the run was cancelled")

    watcher = threading.Thread(target=_cancel, daemon=True)
    watcher.start()

    with pytest.raises(CancelledError):
        docker.build(replace(REQUEST, platforms=()), "Dockerfile", log=HeldLog())

    ended = time.monotonic()
    watcher.join()
    assert ended - cancelled[0] < 5
    assert list(private.iterdir()) == []
    assert _becomes(running=False)


def _becomes(*, running: bool) -> bool:
    """Wait until the tool runs in a container, or no longer."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (
            any(_command(folder) == b"/tool\0" for folder in Path("/proc").glob("[0-9]*"))
            is running
        ):
            return True
        time.sleep(0.05)
    return False


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
