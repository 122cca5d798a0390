"""The real Go toolchain in tests: modules to try, and a private folder with a warm build cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.go import Go, can_isolate
from gitops_action.adapters.isolation import TEST_USER
from gitops_action.adapters.process import Processes
from gitops_action.errors import VerifyError
from gitops_action.model.secret import Secret
from gitops_action.stages.verify import VerifyRequest, VerifyResult, verify
from tests.fakes.go import MemoryLog
from tests.systems.engine import cache, locked

MODULES = Path(__file__).parents[1] / "fixtures" / "go" / "modules"


@contextmanager
def private_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that other users may enter, in which Go's standard library is compiled."""
    with tempfile.TemporaryDirectory(
        prefix="verify-", dir=parent, ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        folder.chmod(0o711)
        cache = folder / "go-build"
        shutil.copytree(_compiled(), cache)
        if can_isolate():
            for place in (cache, *cache.iterdir()):
                if place.is_dir():
                    os.chown(place, 0, TEST_USER)
                    place.chmod(0o1770)
        yield folder


def new_container(private: Path) -> None:
    """Leave of a build cache what the image brings."""
    for path in (private / "go-build").rglob("*"):
        if path.is_symlink() or (path.is_file() and path.stat().st_uid == TEST_USER):
            path.unlink()


def _compiled() -> Path:
    version = subprocess.run(["go", "version"], check=True, capture_output=True, text=True).stdout
    compiled = cache() / f"go-build-{version.split()[2]}"
    with locked(cache() / "go-build.lock"):
        if not compiled.exists():
            making = compiled.with_suffix(".new")
            with tempfile.TemporaryDirectory() as home:
                run_go(MODULES / "passing", "test", "./...", HOME=home, GOCACHE=str(making))
            making.rename(compiled)
    return compiled


def run_go(folder: Path, *arguments: str, **env: str) -> None:
    """Run `go` for a test's own needs."""
    subprocess.run(
        ["go", *arguments],
        cwd=folder,
        env={**environment(CGO_ENABLED="0", GOENV="off", GOSUMDB="off"), **env},
        check=True,
        capture_output=True,
    )


def environment(**more: str) -> dict[str, str]:
    """What a step's environment may say to Go; nothing is fetched."""
    return {"PATH": os.environ["PATH"], "GOPROXY": "off", "GOTOOLCHAIN": "local", **more}


def go_of(  # noqa: PLR0913  each is another thing of a machine
    workspace: Path,
    private: Path,
    *,
    env: Mapping[str, str] | None = None,
    cancellation: Cancellation | None = None,
    isolated: bool | None = None,
    kept: Path | None = None,
    modules_token: str = "",
) -> Go:
    """Wire the toolchain as the image does; `private` is what `private_folder` gives."""
    return Go(
        Processes(cancellation or Cancellation()),
        workspace=workspace,
        private=private,
        env=environment() if env is None else env,
        isolated=can_isolate() if isolated is None else isolated,
        kept=kept,
        modules_token=Secret(modules_token),
    )


def request_of(
    module: str = ".",
    *flags: str,
    packages: tuple[str, ...] = ("./...",),
    variables: tuple[str, ...] = (),
) -> VerifyRequest:
    return VerifyRequest(
        module=PurePosixPath(module), packages=packages, flags=flags, variables=variables
    )


def copied(name: str, workspace: Path) -> Path:
    """Copy a module of the fixtures to where a test may change it."""
    return Path(shutil.copytree(MODULES / name, workspace))


def failed_run(
    request: VerifyRequest, go: Go, log: MemoryLog | None = None
) -> tuple[VerifyError, VerifyResult]:
    """Run tests that fail, and return why and what there is of a result."""
    with pytest.raises(VerifyError) as raised:
        verify(request, go=go, log=log or MemoryLog())
    assert isinstance(raised.value.partial, VerifyResult)
    return raised.value, raised.value.partial


def module_proxy(folder: Path) -> str:
    """Write a module proxy with the one module example.com/dep; its address serves as GOPROXY."""
    versions = folder / "example.com" / "dep" / "@v"
    versions.mkdir(parents=True)
    go_mod = "module example.com/dep\n\ngo 1.21\n"
    (versions / "list").write_text("v1.0.0\n")
    (versions / "v1.0.0.info").write_text('{"Version": "v1.0.0"}')
    (versions / "v1.0.0.mod").write_text(go_mod)
    with zipfile.ZipFile(versions / "v1.0.0.zip", "w") as archive:
        archive.writestr("example.com/dep@v1.0.0/go.mod", go_mod)
        archive.writestr("example.com/dep@v1.0.0/dep.go", "package dep\n\nconst Answer = 42\n")
    return folder.as_uri()


def toolchain_proxy(folder: Path) -> str:
    """Write a module proxy with a Go 1.99.0, which is this machine's own under that name."""
    goroot, goos, goarch = (
        subprocess.run(["go", "env", name], check=True, capture_output=True, text=True).stdout[:-1]
        for name in ("GOROOT", "GOOS", "GOARCH")
    )
    version = f"v0.0.1-go1.99.0.{goos}-{goarch}"
    tools = f"pkg/tool/{goos}_{goarch}"
    script = f"""#!/bin/sh
unset GOTOOLCHAIN_INTERNAL_SWITCH_VERSION GOTOOLCHAIN_INTERNAL_SWITCH_COUNT
root=$(dirname "$(dirname "$0")")
if [ ! -e "$root/src/fmt" ]; then
    chmod -R u+w "$root"
    ln -s "{goroot}/{tools}"/* "$root/{tools}"
    ln -s "{goroot}/pkg/include" "$root/pkg"
    ln -s "{goroot}/lib"/* "$root/lib"
    ln -s "{goroot}/src"/[a-z]*[a-z0-9] "$root/src" 2>/dev/null
fi
GOTOOLCHAIN=local GOROOT="$root" exec "{goroot}/bin/go" "$@"
"""
    versions = folder / "golang.org" / "toolchain" / "@v"
    versions.mkdir(parents=True)
    (versions / "list").write_text(f"{version}\n")
    (versions / f"{version}.info").write_text(f'{{"Version": "{version}"}}')
    (versions / f"{version}.mod").write_text("module golang.org/toolchain\n")
    prefix = f"golang.org/toolchain@{version}"
    with zipfile.ZipFile(versions / f"{version}.zip", "w") as archive:
        archive.writestr(f"{prefix}/bin/go", script)
        archive.writestr(f"{prefix}/{tools}/NOTICE", "links follow")
        archive.writestr(f"{prefix}/bin/gofmt", "")
        archive.writestr(f"{prefix}/lib/NOTICE", "links follow")
        archive.writestr(f"{prefix}/src/_go.mod", Path(goroot, "src", "go.mod").read_text())
        archive.writestr(f"{prefix}/go.env", "")
    return folder.as_uri()
