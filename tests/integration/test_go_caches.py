"""Caches of Go between jobs, with the real toolchain: fast, never stale, nobody else's."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_action.adapters.go import can_isolate
from gitops_action.errors import VerifyError
from gitops_action.model.log import Level
from gitops_action.stages.verify import VerifyRequest, VerifyResult, verify
from tests.fakes.go import MemoryLog
from tests.systems.go import (
    copied,
    environment,
    go_of,
    module_proxy,
    new_container,
    private_folder,
    request_of,
    run_go,
    toolchain_proxy,
)

RUNNER = 1001

isolates = pytest.mark.skipif(not can_isolate(), reason="tests are isolated only as root")


@pytest.fixture(scope="module")
def private() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Name the folder that a runner keeps, and that is not there in a first job."""
    (tmp_path / "runner_temp").mkdir()
    return tmp_path / "runner_temp" / "gitops-action"


def job(
    request: VerifyRequest,
    workspace: Path,
    private: Path,
    kept: Path,
    env: dict[str, str] | None = None,
) -> VerifyResult:
    """Run the tests as a new container does: with what was kept, and nothing else."""
    new_container(private)
    go = go_of(workspace, private, kept=kept, env=env)
    try:
        return verify(request, go=go, log=MemoryLog())
    except VerifyError as error:
        if isinstance(error.partial, VerifyResult):
            return error.partial
        raise


def checkout(name: str, workspace: Path, *, second: int) -> Path:
    """Copy a module as a new checkout does: every file with the time at which it was made."""
    shutil.rmtree(workspace, ignore_errors=True)
    copied(name, workspace)
    for path in (workspace, *workspace.rglob("*")):
        os.utime(path, (second, second))
    return workspace


def cached(result: VerifyResult) -> dict[str, bool]:
    return {package.name: package.cached for package in result.packages if package.tests}


def test_a_new_checkout_is_answered_from_the_cache(
    private: Path, workspace: Path, kept: Path
) -> None:
    """The second job runs no test again whose code and files are the same, new times or not."""
    checkout("testdata", workspace, second=1_700_000_000)
    first = job(request_of(), workspace, private, kept)
    checkout("testdata", workspace, second=1_800_000_000)

    second = job(request_of(), workspace, private, kept)

    assert cached(first) == {"example.com/testdata": False}
    assert cached(second) == {"example.com/testdata": True}


@pytest.mark.parametrize("change", ["testdata/odd name-ü.txt", "embedded.txt"])
def test_a_changed_file_runs_its_tests_again(
    private: Path, workspace: Path, kept: Path, change: str
) -> None:
    """What a test reads or embeds is looked at by content: equal size and time hide nothing."""
    checkout("testdata", workspace, second=1_700_000_000)
    job(request_of(), workspace, private, kept)
    file = workspace / change
    file.write_text("h" + file.read_text()[1:].swapcase())
    os.utime(file, (1_700_000_000, 1_700_000_000))

    result = job(request_of(), workspace, private, kept)

    assert result.failed == 1


@pytest.mark.parametrize("joined", ["replace", "go.work"])
def test_no_result_is_stale_beyond_the_module(
    private: Path, workspace: Path, kept: Path, joined: str
) -> None:
    """Go does not look at files outside of a test's module; here they count all the same."""
    copied("workspace", workspace)
    request = request_of("app")
    if joined == "go.work":
        (workspace / "go.work").write_text("go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n")
        request = request_of(packages=("./app/...", "./lib/..."))
    job(request, workspace, private, kept)
    again = job(request, workspace, private, kept)
    shared = workspace / "shared" / "greeting.txt"
    right = shared.read_text()
    shared.write_text("good morning")

    for _ in range(2):
        result = job(request, workspace, private, kept)
        assert result.failed == 1

    shared.write_text(right)
    fixed = job(request, workspace, private, kept)
    assert cached(again) == {"example.com/app": True}
    assert cached(fixed) == {"example.com/app": False}


def test_tests_that_see_variables_are_always_run(
    private: Path, workspace: Path, kept: Path
) -> None:
    """What lies behind a `DATABASE_URL` may have changed, and nobody can look."""
    copied("passing", workspace)
    env = environment(DATABASE_URL="postgres://db")
    request = request_of(variables=("DATABASE_URL",))

    results = [job(request, workspace, private, kept, env) for _ in range(2)]

    assert [any(cached(result).values()) for result in results] == [False, False]


@isolates
def test_what_is_kept_belongs_to_the_owner_of_the_workspace(
    private: Path, workspace: Path, kept: Path, tmp_path: Path
) -> None:
    """`actions/cache` runs as the runner's user, who can read and remove all of it."""
    copied("dependency", workspace)
    os.chown(workspace, RUNNER, RUNNER)
    with tempfile.TemporaryDirectory(prefix="public-") as public:
        Path(public).chmod(0o755)
        proxy, home = module_proxy(Path(public, "proxy")), str(tmp_path / "home")
        run_go(workspace, "mod", "tidy", HOME=home, GOPROXY=proxy, GOFLAGS="-modcacherw")
        env = environment(GOPROXY=proxy, GOSUMDB="off")
        job(request_of(), workspace, private, kept, env)

    # The proxy is gone: what was downloaded is enough.
    result = job(request_of(), workspace, private, kept)

    paths = [kept, *kept.rglob("*")]
    assert {path.name for path in kept.iterdir()} == {"go-modules", "go-build-tests"}
    assert {path.lstat().st_uid for path in paths} == {RUNNER}
    assert not [path for path in paths if path.is_symlink()]
    assert all(path.stat().st_mode & 0o200 for path in paths)
    assert result.passed == 2


def test_a_cache_that_cannot_be_kept_fails_nothing(
    private: Path, workspace: Path, tmp_path: Path
) -> None:
    """Where the disk is full after the tests, they have passed all the same; a warning says so."""
    copied("passing", workspace)
    kept = tmp_path / "file"
    kept.write_text("no folder")
    log = MemoryLog()

    result = verify(request_of(), go=go_of(workspace, private, kept=kept), log=log)

    assert result.passed == 4
    assert any("caches were not kept" in one.message for one in log.of(Level.WARNING))


@isolates
def test_the_image_s_build_cache_cannot_be_changed(
    private: Path, workspace: Path, kept: Path
) -> None:
    """Tests use the standard library as the image compiled it, and write to none of its files."""
    copied("poisoner", workspace)
    new_container(private)
    baked = {
        path: path.read_bytes() for path in (private / "go-build").glob("??/*") if path.is_file()
    }

    result = job(request_of(), workspace, private, kept)

    assert result.passed == 1
    assert {path: path.read_bytes() for path in baked} == baked
    assert not (kept / "go-build-tests" / "planted").exists()


def test_a_newer_go_is_fetched_once_and_said(private: Path, workspace: Path, kept: Path) -> None:
    """go.mod chooses its toolchain: the log says that it was fetched, and the next job has it."""
    copied("newer", workspace)
    new_container(private)
    log = MemoryLog()
    with tempfile.TemporaryDirectory(prefix="public-") as public:
        Path(public).chmod(0o755)
        proxy = toolchain_proxy(Path(public, "proxy"))
        # Only with a proxy of files, be it empty, Go takes a toolchain that nobody vouches for.
        env = environment(GOPROXY=proxy, GOSUMDB="off", GOTOOLCHAIN="auto")
        first = verify(request_of(), go=go_of(workspace, private, kept=kept, env=env), log=log)

    # The proxy is gone.
    second = job(request_of(), workspace, private, kept, env)

    assert (first.passed, second.passed) == (1, 1)
    assert any("fetched because go.mod asks for it" in line for line in log.lines)
