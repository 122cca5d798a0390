"""What the code under test sees, and what it cannot reach: tokens, sockets, other processes."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.go import can_isolate
from gitops_action.errors import ActionError, CancelledError, RunnerError
from gitops_action.model.log import Level
from gitops_action.stages.verify import verify
from tests.fakes.go import MemoryLog
from tests.systems.go import (
    copied,
    environment,
    failed_run,
    go_of,
    module_proxy,
    private_folder,
    request_of,
    run_go,
)

# What a runner and a workflow pass and tests must not see.
CANARIES = {
    "INPUT_GITHUB-TOKEN": "canary",
    "INPUT_REGISTRY-PASSWORD": "canary",
    "GITHUB_TOKEN": "canary",
    "GITHUB_ENV": "/github/file_commands/set_env",
    "ACTIONS_RUNTIME_TOKEN": "canary",
    "RUNNER_TEMP": "/github/runner_temp",
    "DOCKER_CONFIG": "/canary",
    "HTTPS_PROXY": "http://user:canary@127.0.0.1:9",
    "LD_LIBRARY_PATH": "/canary",
    "GOPRIVATE": "example.com/canary",
    "DATABASE_URL": "postgres://canary",
}

isolates = pytest.mark.skipif(not can_isolate(), reason="tests are isolated only as root")


@pytest.fixture(scope="module")
def private() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def printed(log: MemoryLog, name: str) -> list[str]:
    """Give the rest of the lines that a test began with `name:`."""
    lines = "".join(log.fenced).splitlines()
    return [line.removeprefix(f"{name}: ") for line in lines if line.startswith(f"{name}: ")]


def test_the_tests_see_exactly_the_allowed_environment(private: Path, workspace: Path) -> None:
    """No input, token, proxy or runner variable reaches the code under test."""
    copied("environment", workspace)
    log = MemoryLog()
    env = environment(**CANARIES, GODEBUG="http2client=0", LANG="C")

    failed_run(request_of(), go_of(workspace, private, env=env), log)

    root = private.resolve()
    goroot = Path(shutil.which("go") or "").resolve().parents[1]
    seen = dict(line.split("=", 1) for line in printed(log, "env"))
    # `go test` makes it anew for each package.
    assert seen.pop("GOCOVERDIR").startswith(f"{root}/tmp/")
    assert seen == {
        "PATH": f"{goroot}/bin:{env['PATH']}",  # `go test` puts its own folder first
        "LANG": "C",
        "CI": "true",
        "HOME": f"{root}/home",
        "TMPDIR": f"{root}/tmp",
        "PWD": f"{root}/workspace",
        "GOCACHE": f"{root}/go-build",
        "GOMODCACHE": f"{root}/go-mod",
        "GOPATH": f"{root}/home/go",
        "GOENV": "off",
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOTOOLCHAIN": "local",
        "GODEBUG": "http2client=0",
        "CGO_ENABLED": "0",
    }


@isolates
def test_the_tests_reach_nothing_of_the_runner(private: Path) -> None:
    """Tokens, other processes, the engine's socket and the workspace are out of reach."""
    with ExitStack() as stack:
        # As the image has it: what the runner mounts lies below a folder that is root's alone.
        runner = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="github-")))
        public = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="public-")))
        public.chmod(0o755)
        workspace = copied("probe", runner / "workspace")
        (workspace / ".git").mkdir()
        files = [workspace / ".git" / "config", runner / "git-credentials.config", public / "key"]
        for file, mode in zip(files, (0o644, 0o644, 0o600), strict=True):
            file.write_text("CANARY")
            file.chmod(mode)
        sockets = [runner / "docker.sock", public / "a.sock", public / "b.sock"]
        for path, mode in zip(sockets, (0o666, 0o600, 0o660), strict=True):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            listener.listen()
            path.chmod(mode)
        sleeper = subprocess.Popen(["/bin/sleep", "60"], env={"TOKEN": "CANARY"})
        stack.callback(sleeper.wait)
        stack.callback(sleeper.kill)
        files += [Path(f"/proc/{pid}/environ") for pid in (1, os.getpid(), sleeper.pid)]
        folders = [runner, public, workspace, private, private / "go-mod", private / "trusted"]
        for name, paths in (("files", files), ("sockets", sockets), ("folders", folders)):
            (workspace / f"{name}.txt").write_text("\n".join(map(str, paths)))
        log = MemoryLog()

        failed_run(request_of(), go_of(workspace, private), log)

    for name, paths in (("read", files), ("connect", sockets), ("write", folders)):
        said = printed(log, name)
        assert len(said) == len(paths)
        for path, answer in zip(paths, said, strict=True):
            assert re.fullmatch(rf"{re.escape(str(path))}: .*permission denied", answer)
    assert not printed(log, "canary in")
    assert printed(log, ".git") == ["false"]
    assert printed(log, "setuid") == ["operation not permitted"]
    assert {
        "Uid: 65534 65534 65534 65534",
        "Gid: 65534 65534 65534 65534",
        "Groups:",
        "NoNewPrivs: 1",
        "CapInh: 0000000000000000",
        "CapPrm: 0000000000000000",
        "CapEff: 0000000000000000",
        "CapBnd: 0000000000000000",
        "CapAmb: 0000000000000000",
    } == set(printed(log, "status"))


def test_the_copy_is_the_working_tree_without_git(private: Path, workspace: Path) -> None:
    """Untracked files, modes and links are there; no `.git` at any depth is."""
    copied("environment", workspace)
    (workspace / ".git").mkdir()
    nested = workspace / "nested"
    nested.mkdir()
    (nested / ".git").write_text("gitdir: elsewhere")
    (workspace / "link").symlink_to("absent")
    (workspace / "linked").symlink_to("nested")
    script = workspace / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    os.mkfifo(workspace / "pipe")
    log = MemoryLog()

    failed_run(request_of(), go_of(workspace, private), log)

    found = {path: rest for path, *rest in (line.split() for line in printed(log, "found"))}
    assert found["run.sh"][0] == "-rwxr-xr-x"
    assert found["nested"][0] == "drwxr-xr-x"
    assert found["link"][0] == found["linked"][0] == "Lrwxrwxrwx"
    assert not [path for path in found if ".git" in path or path == "pipe"]


def test_where_nothing_can_be_made_the_runner_is_named(workspace: Path) -> None:
    """Where no private folder can be made, the message says so."""
    copied("passing", workspace)

    with pytest.raises(RunnerError, match="No private folder could be made"):
        verify(request_of(), go=go_of(workspace, Path("/proc/verify")), log=MemoryLog())


def test_a_tree_that_cannot_be_copied_is_explained(private: Path, workspace: Path) -> None:
    """A working tree that is not there ends the run with a message that names it."""
    with pytest.raises(RunnerError, match=f"No such file or directory: {workspace}"):
        verify(request_of(), go=go_of(workspace, private), log=MemoryLog())

    assert [file.name for file in private.iterdir()] == ["go-build"]


@isolates
def test_modules_are_downloaded_before_and_read_only(
    private: Path, workspace: Path, tmp_path: Path
) -> None:
    """Tests use what was downloaded before them, and cannot change it for anybody."""
    copied("dependency", workspace)
    with tempfile.TemporaryDirectory(prefix="public-") as public:
        Path(public).chmod(0o755)
        proxy, home = module_proxy(Path(public, "proxy")), str(tmp_path / "home")
        run_go(workspace, "mod", "tidy", HOME=home, GOPROXY=proxy, GOFLAGS="-modcacherw")
        env = environment(GOPROXY=proxy, GOSUMDB="off")

        result = verify(request_of(), go=go_of(workspace, private, env=env), log=MemoryLog())

    assert result.passed == 2
    assert not (private / "go-mod").exists()


@isolates
@pytest.mark.parametrize("name", ["go.mod", "go.work"])
def test_links_among_the_module_files_lead_nowhere(
    private: Path, workspace: Path, name: str
) -> None:
    """A repository cannot make Go quote from a file of ours by a link to it."""
    copied("passing", workspace)
    with tempfile.TemporaryDirectory(prefix="public-") as public:
        Path(public).chmod(0o755)
        secret = Path(public, "secret")
        secret.write_text("canary\n")
        secret.chmod(0o600)
        (workspace / name).unlink(missing_ok=True)
        (workspace / name).symlink_to(secret)

        with pytest.raises(ActionError) as raised:
            verify(request_of(), go=go_of(workspace, private), log=MemoryLog())

    assert "permission denied" in raised.value.message
    assert "canary" not in raised.value.message


@isolates
def test_a_working_directory_that_is_a_link_leads_nowhere(private: Path, workspace: Path) -> None:
    """Tests in a folder of the workspace itself could read what checkout left beside it."""
    copied("passing", workspace / "real")
    (workspace / "app").symlink_to(workspace / "real")

    with pytest.raises(ActionError, match="no Go module in `app`"):
        verify(request_of("app"), go=go_of(workspace, private), log=MemoryLog())


def test_without_isolation_the_environment_is_still_scrubbed(
    private: Path, workspace: Path
) -> None:
    """On a laptop tests run as the developer, without the action's inputs, after a warning."""
    copied("environment", workspace)
    own = private / "laptop"
    shutil.copytree(private / "go-build", own / "go-build")
    log = MemoryLog()
    go = go_of(workspace, own, env=environment(**CANARIES), isolated=False)

    failed_run(request_of(), go, log)
    left = [file.name for file in own.iterdir()]
    shutil.rmtree(own)

    assert [one.title for one in log.of(Level.WARNING)] == ["Tests are not isolated"]
    assert not [line for line in printed(log, "env") if "canary" in line]
    assert f"HOME={own.resolve()}/home" in printed(log, "env")
    assert left == ["go-build"]


def test_cancelling_ends_the_tests_and_removes_everything(private: Path, workspace: Path) -> None:
    """A cancelled run leaves no process and no file behind, within the time a runner grants."""
    copied("hangs", workspace)
    cancellation = Cancellation()
    cancelled_at = 0.0

    def cancel() -> None:
        nonlocal cancelled_at
        deadline = time.monotonic() + 60
        while not (private / "tmp" / "hanging").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        cancelled_at = time.monotonic()
        cancellation.cancel("SIGINT")

    canceller = threading.Thread(target=cancel, daemon=True)
    canceller.start()
    go = go_of(workspace, private, cancellation=cancellation)
    with pytest.raises(CancelledError):
        verify(request_of(), go=go, log=MemoryLog())
    took = time.monotonic() - cancelled_at
    canceller.join()

    assert took < 3
    assert [file.name for file in private.iterdir()] == ["go-build"]
    assert not processes_below(private.resolve())


def processes_below(folder: Path) -> list[str]:
    """Name the processes that run from, or in, a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            places = [(process / name).readlink() for name in ("cwd", "exe")]
        except OSError:
            continue
        found += [process.name for place in places if place.is_relative_to(folder)]
    return found
