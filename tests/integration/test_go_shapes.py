"""Every shape of a Go repository, with the real toolchain: how it is tested, and where it fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_action.errors import InputError
from gitops_action.model.go import Coverage, FindingKind
from gitops_action.stages.verify import VerifyRequest, verify
from tests.fakes.go import MemoryLog
from tests.systems.go import copied, environment, failed_run, go_of, private_folder, request_of

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler on this machine")


@pytest.fixture(scope="module")
def private() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


def test_examples_and_fuzz_seeds_run_and_benchmarks_do_not(private: Path, workspace: Path) -> None:
    """What `go test` runs by itself is run: an example, a fuzz target with both of its seeds."""
    copied("kinds", workspace)

    result = verify(request_of(), go=go_of(workspace, private), log=MemoryLog())

    assert (result.passed, result.failed) == (3, 0)
    assert result.covered == Coverage(2, 1)


@pytest.mark.parametrize("where", ["go-test-flags", "GOFLAGS"])
def test_build_tags_choose_files(private: Path, workspace: Path, where: str) -> None:
    """A tag in `go-test-flags` or GOFLAGS brings the files that stand under it."""
    copied("kinds", workspace)
    tag = "-tags=integration"
    flags, env = ((tag,), {}) if where == "go-test-flags" else ((), {"GOFLAGS": tag})
    go = go_of(workspace, private, env=environment(**env))

    result = verify(request_of(".", *flags), go=go, log=MemoryLog())

    assert result.passed == 4


@needs_gcc
@pytest.mark.parametrize("env", [{}, {"CGO_ENABLED": "1"}], ids=["off by default", "on"])
def test_cgo_is_off_unless_asked_for(private: Path, workspace: Path, env: dict[str, str]) -> None:
    """Go's own CGO_ENABLED decides, and without it no C compiler is asked."""
    copied("cgo", workspace)
    go = go_of(workspace, private, env=environment(**env))

    result = verify(request_of(), go=go, log=MemoryLog())

    assert result.passed == 1


@needs_gcc
def test_a_data_race_shows_both_stacks(private: Path, workspace: Path) -> None:
    """`-race` needs no other input, and a race points to a line with the stacks of both sides."""
    copied("race", workspace)

    _, result = failed_run(request_of(".", "-race"), go_of(workspace, private))

    [found] = result.findings
    assert (found.kind, found.test, str(found.location)) == (
        FindingKind.RACE,
        "TestRace",
        "counter.go:6",
    )
    assert "race_test.go:9" in found.message
    assert "race_test.go:12" in found.message


def test_race_without_cgo_says_what_to_change(private: Path, workspace: Path) -> None:
    """Who switches cgo off cannot have the race detector, and is told so by name."""
    copied("passing", workspace)
    go = go_of(workspace, private, env=environment(CGO_ENABLED="0"))

    with pytest.raises(InputError) as raised:
        verify(request_of(".", "-race"), go=go, log=MemoryLog())

    assert "CGO_ENABLED" in raised.value.hint


def test_coverage_is_counted_by_package_and_in_all(private: Path, workspace: Path) -> None:
    """Packages without tests count too: coverage is of the module."""
    copied("passing", workspace)

    result = verify(request_of(), go=go_of(workspace, private), log=MemoryLog())

    parts = {name: (one.covered, one.statements) for name, one in result.coverage.items()}
    assert parts == {"example.com/passing": (0, 1), "example.com/passing/greeting": (1, 1)}
    assert result.covered == Coverage(2, 1)


@pytest.mark.parametrize("flags", [(), ("-coverprofile=own.out", "-args", "-test.v")])
def test_too_little_coverage_fails(private: Path, workspace: Path, flags: tuple[str, ...]) -> None:
    """`coverage-minimum` is held against what the tests ran, whatever profile they write too."""
    copied("passing", workspace)
    request = VerifyRequest(
        module=request_of().module, packages=("./...",), flags=flags, coverage_minimum=50.1
    )

    error, result = failed_run(request, go_of(workspace, private))

    assert "cover 50.0 %" in error.message
    assert "example.com/passing (0.0 %)" in error.hint
    assert result.failed == 0


def test_a_checkout_in_a_folder_is_annotated_from_its_root(private: Path, workspace: Path) -> None:
    """A go.work below `working-directory` still names files of the repository."""
    copied("workspace", workspace / "backend")
    (workspace / "backend" / "go.work").write_text("go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n")
    (workspace / "backend" / "shared" / "greeting.txt").write_text("good morning")
    request = request_of("backend", packages=("./app/...", "./lib/..."))

    _, result = failed_run(request, go_of(workspace, private))

    assert [str(one.location) for one in result.findings] == ["backend/app/app_test.go:16"]


def test_files_of_odd_names_are_annotated(private: Path, workspace: Path) -> None:
    """A file's name may hold what separates the parts of a message, or of a workflow command."""
    copied("passing", workspace)
    names = ("a,b%20 c_test.go", "x:y_test.go", "ü=::_test.go")
    for number, name in enumerate(names):
        test = f'func TestOdd{number}(t *testing.T) {{ t.Error("no") }}'
        (workspace / name).write_text(f'package main\n\nimport "testing"\n\n{test}\n')

    _, result = failed_run(request_of(), go_of(workspace, private))

    assert [str(one.location) for one in result.findings] == [f"{name}:5" for name in names]
