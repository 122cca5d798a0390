"""Flags that are refused, and modules that cannot be loaded."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from gitops_action.adapters.go.module import not_loaded
from gitops_action.adapters.go.refusals import check_flags
from gitops_action.adapters.process import Completed
from gitops_action.errors import InputError, ModuleError, RunnerError


@pytest.mark.parametrize(
    "goflags",
    [
        "-toolexec=/tmp/x",
        "--exec x",
        "-race -overlay=x",
        "'-toolexec=a b'",
        "-tags=a' -exec=b -x=c'",
    ],
)
def test_goflags_that_run_something_else_are_refused(goflags: str) -> None:
    """Nothing but the module's tests runs in place of them."""
    with pytest.raises(InputError, match="`GOFLAGS` contains"):
        check_flags({"GOFLAGS": goflags}, (), ())


@pytest.mark.parametrize(
    ("flags", "packages"),
    [
        (("-exec", "x"), ()),
        (("-race", "--toolexec=x"), ()),
        (("-json=false",), ()),
        ((), ("./...", "-exec=x")),
    ],
)
def test_flags_that_hide_the_tests_are_refused(
    flags: tuple[str, ...], packages: tuple[str, ...]
) -> None:
    """A flag that would take the verdict away is an input error that names it."""
    with pytest.raises(InputError):
        check_flags({}, flags, packages)


def test_usual_flags_are_passed_on() -> None:
    """What people write into `go-test-flags` and GOFLAGS is theirs, and after -args the test's."""
    check_flags(
        {"GOFLAGS": "-mod=mod -tags=integration,execution -modcacherw"},
        ("-race", "-timeout", "5m", "-run=TestExec", "-args", "-json"),
        ("./...", "example.com/x"),
    )


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)", "GOTOOLCHAIN"),
        ("fatal: could not read Username for 'https://github.com'", "GOPRIVATE"),
        ("verifying m@v1: checksum mismatch", "go mod tidy"),
        ('Get "https://proxy.example": dial tcp: lookup proxy.example', "GOPROXY"),
        ("go.mod:3: unknown directive: x", "Correct go.mod"),
        ('go: cannot find "go1.99.0" in PATH', "GOTOOLCHAIN"),
        ("go: inconsistent vendoring in /verify/workspace:\n\tgo mod tidy", "go mod vendor"),
    ],
)
def test_a_module_that_cannot_be_loaded_has_a_hint(said: str, hint: str) -> None:
    """What `go` says about a module comes with what to do."""
    error = not_loaded(
        PurePosixPath(), Completed(argv=("go",), exit_code=1, stdout="", stderr=said)
    )

    assert isinstance(error, ModuleError)
    assert said in error.message
    assert hint in error.hint


def test_a_full_disk_is_the_runners_lack() -> None:
    """A download that fills the disk is not blamed on the module."""
    said = "write /x: no space left on device"

    error = not_loaded(
        PurePosixPath(), Completed(argv=("go",), exit_code=1, stdout="", stderr=said)
    )

    assert isinstance(error, RunnerError)


def test_a_download_that_takes_too_long_is_named() -> None:
    """A module proxy that does not answer is told by the command that waited for it."""
    ended = Completed(
        argv=("go", "mod", "download"), exit_code=-9, stdout="", stderr="", timed_out=True
    )

    error = not_loaded(PurePosixPath("api"), ended)

    assert error.message == (
        "The Go module in `api` cannot be loaded: go mod download took too long. "
    )
