"""The real Go toolchain on real modules: the verdict, and the lines it points to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_action.errors import InputError, ModuleError
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


@pytest.fixture(scope="module")
def private() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def snapshot(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mode, status.st_uid, status.st_mtime_ns, content)
    return found


def test_a_passing_module_passes(private: Path, workspace: Path) -> None:
    """Green tests are counted, and the workspace and the private folder are as before."""
    before = snapshot(copied("passing", workspace))
    log = MemoryLog()

    result = verify(request_of(), go=go_of(workspace, private), log=log)

    assert (result.passed, result.failed, result.skipped) == (4, 0, 1)
    assert result.go_version.startswith("go1.")
    assert 0 < result.seconds < 60
    assert [one for one in log.annotations if "isolated" not in one.title] == []
    assert snapshot(workspace) == before
    assert [file.name for file in private.iterdir()] == ["go-build"]


def test_failing_tests_point_to_their_lines(private: Path, workspace: Path) -> None:
    """Each failed test is an annotation on its line, and what it printed is fenced."""
    copied("failing", workspace)
    log = MemoryLog()

    error, result = failed_run(request_of(), go_of(workspace, private), log)

    assert error.message == "3 of 6 tests failed: TestBye/sub, TestHello, TestSilent"
    assert [str(one.location) for one in log.of(Level.ERROR)] == [
        "farewell/farewell_test.go:16",
        "greeting/greeting_test.go:13",
        "greeting/greeting_test.go:16",
    ]
    assert (result.passed, result.failed, result.skipped) == (2, 3, 1)
    assert any("##[error]printed by the failing test" in text for text in log.fenced)
    assert not any("##[" in line for line in log.lines)


@pytest.mark.parametrize(
    ("name", "flags", "places"),
    [
        ("compile", (), {"app/app.go:4", "app/app.go:7", "wrongtest/wrong_test.go:6"}),
        ("syntax", (), {"syntax.go:4"}),
        ("generated", (), {"parser_test.go:5", "broken/grammar.y:2"}),
        ("exits", (), {"exits_test.go:10"}),
        ("vet", (), {"vet_test.go:9:14"}),
        ("panic", (), {"direct/direct.go:4", "goroutine/goroutine_test.go:10"}),
        ("timeout", ("-timeout=1s",), {"timeout_test.go:9"}),
        ("swallowed", (), {"swallowed_test.go:14", "swallowed_test.go:16"}),
        ("flaky", ("-count=2",), {"flaky_test.go:12"}),
        ("flaky", ("-cpu=1,2", "-work"), {"flaky_test.go:12"}),
    ],
)
def test_whatever_breaks_has_a_place(
    private: Path, workspace: Path, name: str, flags: tuple[str, ...], places: set[str]
) -> None:
    """Compile errors, vet findings, panics and timeouts point to the line that is to blame."""
    copied(name, workspace)

    _, result = failed_run(request_of(".", *flags), go_of(workspace, private))

    assert {str(one.location) for one in result.findings} == places


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("testmain", "passed without running a test"),
        ("forged", "passed although TestInvented reported a failure"),
        ("notests", "No test ran"),
    ],
)
def test_a_green_that_says_little_is_pointed_out(
    private: Path, workspace: Path, name: str, warning: str
) -> None:
    """Forged failures change nothing, and tests that test nothing are warned of."""
    copied(name, workspace)
    log = MemoryLog()

    result = verify(request_of(), go=go_of(workspace, private), log=log)

    assert result.failed == 0
    assert any(warning in one.message for one in log.of(Level.WARNING))


def test_a_module_in_a_folder_is_annotated_from_the_root(private: Path, workspace: Path) -> None:
    """With `working-directory` the annotations still name files of the repository."""
    copied("failing", workspace / "services" / "api")

    _, result = failed_run(request_of("services/api"), go_of(workspace, private))

    assert {str(one.location.file) for one in result.findings if one.location} == {
        "services/api/farewell/farewell_test.go",
        "services/api/greeting/greeting_test.go",
    }


def test_a_module_sees_its_neighbours(private: Path, workspace: Path) -> None:
    """`replace ../lib` and files beside the module work as they do in the repository."""
    copied("workspace", workspace)

    result = verify(request_of("app"), go=go_of(workspace, private), log=MemoryLog())

    assert result.passed == 1


def test_go_work_is_understood(private: Path, workspace: Path) -> None:
    """Modules that a go.work joins are tested together, and their files are located."""
    copied("workspace", workspace)
    (workspace / "go.work").write_text("go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n")
    (workspace / "shared" / "greeting.txt").write_text("good morning")
    both = request_of(packages=("./app/...", "./lib/..."))

    _, result = failed_run(both, go_of(workspace, private))

    assert [str(one.location) for one in result.findings] == ["app/app_test.go:16"]


@pytest.mark.parametrize(
    ("module", "message"),
    [(".", "no Go module in the repository's root"), ("absent", "no Go module in `absent`")],
)
def test_no_module_names_those_that_are_there(
    private: Path, workspace: Path, module: str, message: str
) -> None:
    """Without go.mod the message says which line to write into the workflow."""
    copied("nomodule", workspace)

    with pytest.raises(ModuleError, match=message) as raised:
        verify(request_of(module), go=go_of(workspace, private), log=MemoryLog())

    assert "  working-directory: services/api" in raised.value.hint


def test_a_repository_without_go_says_so(private: Path, workspace: Path) -> None:
    """Where there is no module at all, the hint is another one."""
    workspace.mkdir()

    with pytest.raises(ModuleError) as raised:
        verify(request_of(), go=go_of(workspace, private), log=MemoryLog())

    assert "go mod init" in raised.value.hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [("unresolvable", "go.mod"), ("toonew", "GOTOOLCHAIN"), ("setup", "go mod tidy")],
)
def test_a_module_that_cannot_be_loaded_is_explained(
    private: Path, workspace: Path, name: str, hint: str
) -> None:
    """Requirements that do not resolve end the run with a hint."""
    copied(name, workspace)

    with pytest.raises(ModuleError) as raised:
        verify(request_of(), go=go_of(workspace, private), log=MemoryLog())

    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("flags", "packages", "error"),
    [
        (("-timeout=soon",), ("./...",), InputError),
        (("-exec=/bin/true",), ("./...",), InputError),
        (("-c",), ("./...",), InputError),
        (("-n",), ("./...",), InputError),
        (("-list=.",), ("./...",), InputError),
        (("-fuzz=FuzzDouble",), ("./...",), InputError),
        ((), ("./absent/...",), ModuleError),
    ],
)
def test_wrong_flags_and_packages_are_input_errors(
    private: Path,
    workspace: Path,
    flags: tuple[str, ...],
    packages: tuple[str, ...],
    error: type[Exception],
) -> None:
    """What Go refuses about the inputs is never green and never a traceback."""
    request = request_of(".", *flags, packages=packages)
    copied("passing", workspace)

    with pytest.raises(error):
        verify(request, go=go_of(workspace, private), log=MemoryLog())


def test_flags_reach_the_tests(private: Path, workspace: Path) -> None:
    """`go-test-flags` and GOFLAGS select tests as on the command line."""
    request = request_of(".", "-run", "TestHello/a", "-args", "-test.v")
    copied("passing", workspace)
    go = go_of(workspace, private, env=environment(GOFLAGS="-tags=some"))

    result = verify(request, go=go, log=MemoryLog())

    assert result.passed == 1


def test_a_vendor_folder_needs_no_download(private: Path, workspace: Path, tmp_path: Path) -> None:
    """A repository that carries its dependencies is tested without a module proxy."""
    copied("dependency", workspace)
    proxy, home = module_proxy(tmp_path / "proxy"), str(tmp_path / "home")
    for command in ("tidy", "vendor"):
        run_go(workspace, "mod", command, HOME=home, GOPROXY=proxy, GOFLAGS="-modcacherw")
    request = request_of(".", "-run=TestDependency")

    result = verify(request, go=go_of(workspace, private), log=MemoryLog())

    assert result.passed == 1
