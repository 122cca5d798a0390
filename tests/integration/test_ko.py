"""ko and crane: an image of a Go program without Dockerfile and without engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.isolation import BUILD_USER, can_isolate
from gitops_action.adapters.ko import Ko
from gitops_action.adapters.process import Processes
from gitops_action.adapters.registry import Registry, write_credentials
from gitops_action.errors import BuildError, InputError, ModuleError, RegistryLoginError
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.secret import Secret
from gitops_action.stages.build import build
from tests.systems.pids import alive, written_pid
from tests.systems.recorder import Recorder
from tests.systems.registry import RunningRegistry, closed_registry, static_base

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-s3cret"
CREATED = 1_700_000_000
LABELS = {"org.opencontainers.image.revision": "9d0f7e3", "note": 'a, "quoted" note'}
MAIN = """package main

import "fmt"

func main() { fmt.Println("hello") }
"""


@pytest.fixture(scope="module")
def registry() -> Iterator[RunningRegistry]:
    """A registry with one user."""
    with closed_registry("robot", CANARY) as running:
        yield running


@pytest.fixture(scope="module")
def base(registry: RunningRegistry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Push the base image as the one user, whom the fixture's own crane has to be."""
    folder = tmp_path_factory.mktemp("credentials")
    write_credentials(folder, registry.address, "robot", Secret(CANARY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_CONFIG", str(folder))
        return static_base(registry.address)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A module with one program, in a repository of its own."""
    folder = tmp_path / "workspace"
    (folder / "cmd" / "app").mkdir(parents=True)
    (folder / "go.mod").write_text("module example.com/shop\n\ngo 1.24\n")
    (folder / "cmd" / "app" / "main.go").write_text(MAIN)
    (folder / "shop.go").write_text("package shop\n")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One private folder for the module: the second build finds the standard library compiled."""
    folder = tmp_path_factory.mktemp("private")
    yield folder
    shutil.rmtree(folder)


def _ko(  # noqa: PLR0913  a test changes one of these
    workspace: Path,
    private: Path,
    address: str,
    *,
    password: str = CANARY,
    path: str = "",
    user: int | None = None,
) -> Ko:
    credentials = private / ("ours" if user else "credentials")
    write_credentials(credentials, address, "robot", Secret(password))
    step = {
        name: os.environ[name]
        for name in ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GOTOOLCHAIN", "SSL_CERT_FILE")
        if name in os.environ
    }
    step |= {
        "PATH": path or os.environ["PATH"],
        "INPUT_GITHUB-TOKEN": CANARY,
        "GITHUB_TOKEN": CANARY,
        "ACTIONS_RUNTIME_TOKEN": CANARY,
        "KO_DOCKER_REPO": "elsewhere.example.com/x",
    }
    return Ko(
        Processes(Cancellation()),
        env=step,
        workspace=workspace,
        private=private,
        credentials=credentials,
        user=user,
    )


def _request(base: str = "") -> BuildRequest:
    return BuildRequest(
        builder="ko",
        module=PurePosixPath(),
        context=PurePosixPath(),
        dockerfile=PurePosixPath("Dockerfile"),
        main_package="",
        base_image=base,
        labels=LABELS,
        created=CREATED,
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_goflags_that_build_something_else_are_refused(workspace: Path, tmp_path: Path) -> None:
    """
    A program of GOFLAGS would stand between the code that was tested and the image.
    """
    ko = Ko(
        Processes(Cancellation()),
        env={"PATH": os.environ["PATH"], "GOFLAGS": "-mod=mod '-toolexec=/bin/true'"},
        workspace=workspace,
        private=tmp_path,
        credentials=tmp_path,
    )

    with pytest.raises(InputError, match="-toolexec"):
        ko.candidates(_request())
    with pytest.raises(InputError, match="-toolexec"):
        ko.build(_request(), "./cmd/app", log=HeldLog())


def test_builds_pushes_and_finds_the_image_again(
    workspace: Path, private: Path, registry: RunningRegistry, base: str
) -> None:
    """
    The image that the registry has is the one that was built, with its labels and the commit's
    time, and the workspace is as it was.
    """
    before = _files(workspace)
    ko = _ko(workspace, private, registry.address)
    tagged = ImageReference(Repository(f"{registry.address}/acme/shop"), "9d0f7e3")

    built = ko.build(_request(base), "./cmd/app", log=HeldLog())
    pushed = ko.push(built, tagged, log=HeldLog())
    again = ko.push(built, ImageReference(tagged.repository, "latest"), log=HeldLog())
    ko.discard(built)

    asked = Registry(
        Processes(Cancellation()),
        env={"PATH": os.environ["PATH"]},
        private=private,
        credentials=private / "credentials",
    )
    assert asked.digest(tagged) == pushed == again
    assert built.digests == (pushed,)
    config = _config(f"{tagged}@{pushed}", private / "credentials")
    assert config["config"]["Labels"] == LABELS
    assert config["config"]["User"] == "65532:65532"
    assert config["created"] == "2023-11-14T22:13:20Z"
    assert not Path(built.handle).exists()
    assert _files(workspace) == before


def _config(reference: str, credentials: Path) -> dict[str, Any]:
    env = {**os.environ, "DOCKER_CONFIG": str(credentials)}
    done = subprocess.run(["crane", "config", reference], check=True, env=env, capture_output=True)
    config = json.loads(done.stdout)
    assert isinstance(config, dict)
    return config


def test_builds_the_same_image_twice(
    workspace: Path, private: Path, registry: RunningRegistry, base: str
) -> None:
    """
    The same commit gives the same digest.
    """
    ko = _ko(workspace, private, registry.address)

    indices = [
        Path(ko.build(_request(base), "./cmd/app", log=HeldLog()).handle, "index.json").read_text()
        for _ in range(2)
    ]

    assert indices[0] == indices[1]


def test_finds_the_same_commit_in_the_registry(
    workspace: Path, private: Path, registry: RunningRegistry, base: str
) -> None:
    """
    What was pushed tells by its labels that it need not be built again.
    """
    ko = _ko(workspace, private, registry.address)
    images = Registry(
        Processes(Cancellation()),
        env={"PATH": os.environ["PATH"]},
        private=private,
        credentials=private / "credentials",
    )
    tagged = ImageReference(Repository(f"{registry.address}/acme/again"), "1")
    request = replace(_request(base), main_package="./cmd/app", clean=True, published=(tagged,))

    built = build(request, docker=ko, ko=ko, images=images, log=HeldLog())
    pushed = ko.push(built, tagged, log=HeldLog())
    found = build(request, docker=ko, ko=ko, images=images, log=HeldLog())
    other = replace(request, labels={**LABELS, "team": "shop"})
    not_found = build(other, docker=ko, ko=ko, images=images, log=HeldLog())

    assert found == BuiltImage("registry", str(pushed), (pushed,))
    assert not_found.builder == "ko"


def test_builds_for_several_platforms_without_an_engine(
    workspace: Path,
    private: Path,
    registry: RunningRegistry,
    base: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Go compiles for every platform anywhere: one digest names an image of each, with its labels.
    """
    ko = _ko(workspace, private, registry.address)
    monkeypatch.setenv("DOCKER_CONFIG", str(private / "credentials"))
    arm, both = f"{registry.address}/base/static:arm", f"{registry.address}/base/static:both"
    for argv in (
        ["mutate", base, "--set-platform=linux/arm64", f"--tag={arm}"],
        ["index", "append", "-m", base, "-m", arm, "-t", both],
    ):
        subprocess.run(["crane", *argv], check=True, capture_output=True)
    request = replace(_request(both), platforms=("linux/amd64", "linux/arm64"))
    tagged = ImageReference(Repository(f"{registry.address}/acme/both"), "1")

    built = ko.build(request, "./cmd/app", log=HeldLog())
    again = ko.build(request, "./cmd/app", log=HeldLog())
    pushed = ko.push(built, tagged, log=HeldLog())

    assert built.digests == again.digests == (pushed,)
    for name in ("amd64", "arm64"):
        done = subprocess.run(
            ["crane", "config", f"--platform=linux/{name}", tagged.tagged],
            check=True,
            capture_output=True,
        )
        config = json.loads(done.stdout)
        assert config["architecture"] == name
        assert config["config"]["Labels"] == LABELS


def test_lists_the_main_packages(workspace: Path, private: Path) -> None:
    """
    Every program of the module is offered by the name that `main-package` takes.
    """
    (workspace / "shop.go").write_text(MAIN)
    (workspace / "testdata").mkdir()
    (workspace / "testdata" / "main.go").write_text(MAIN)

    found = _ko(workspace, private, "127.0.0.1:1").candidates(_request())

    assert found == (".", "./cmd/app")


def test_says_that_a_module_cannot_be_loaded(workspace: Path, private: Path) -> None:
    """
    A folder without go.mod is told so, with the input that names another one.
    """
    (workspace / "go.mod").unlink()

    with pytest.raises(ModuleError) as caught:
        _ko(workspace, private, "127.0.0.1:1").candidates(_request())

    assert "cannot be loaded" in caught.value.message
    assert "`working-directory`" in caught.value.hint


def test_points_to_the_line_that_does_not_compile(
    workspace: Path, private: Path, registry: RunningRegistry, base: str
) -> None:
    """
    A compile error of the build is an annotation in the right place, and leaves nothing behind.
    """
    (workspace / "cmd" / "app" / "main.go").write_text(
        "package main\n\nfunc main() { missing() }\n"
    )
    ko = _ko(workspace, private, registry.address)
    before = set(private.glob("image-*"))

    with pytest.raises(BuildError) as caught:
        ko.build(_request(base), "./cmd/app", log=HeldLog())

    assert str(caught.value.location) == "cmd/app/main.go:3:15"
    assert set(private.glob("image-*")) == before


def test_says_that_the_base_cannot_be_fetched(workspace: Path, private: Path) -> None:
    """
    A base image out of reach is told with the input that names another one.
    """
    ko = _ko(workspace, private, "127.0.0.1:1")

    with pytest.raises(BuildError) as caught:
        ko.build(_request("127.0.0.1:1/none:latest"), "./cmd/app", log=HeldLog())

    assert "connection refused" in caught.value.message
    assert "`base-image`" in caught.value.hint


def test_says_that_the_registry_refuses_the_push(
    workspace: Path, private: Path, registry: RunningRegistry, base: str
) -> None:
    """
    A wrong password at the push is told as what it is.
    """
    built = _ko(workspace, private, registry.address).build(
        _request(base), "./cmd/app", log=HeldLog()
    )
    stranger = _ko(workspace, private, registry.address, password="wrong")
    tagged = ImageReference(Repository(f"{registry.address}/acme/other"), "1")

    with pytest.raises(RegistryLoginError):
        stranger.push(built, tagged, log=HeldLog())


@pytest.mark.skipif(not can_isolate(), reason="another user builds only where we are root")
def test_what_the_repository_runs_in_the_build_is_another_user(
    workspace: Path, registry: RunningRegistry, base: str, tmp_path: Path
) -> None:
    """
    A C compiler that `.ko.yaml` names runs without our rights, away from our files, and leaves
    nothing running that exchanges them while they are copied; a build without it works as that
    user.
    """
    secret = tmp_path / "secret"
    secret.write_text("canary")
    with tempfile.TemporaryDirectory(prefix="ko-") as name:
        public = Path(name)
        public.chmod(0o755)
        shutil.copy(shutil.which("ko") or "", public)
        place = public / "private"
        place.mkdir()
        ko = _ko(
            workspace,
            place,
            registry.address,
            path=f"{public}:{os.environ['PATH']}",
            user=BUILD_USER,
        )
        asked = _request(base)
        built = ko.build(asked, *ko.candidates(asked), log=HeldLog())
        assert Path(built.handle, "index.json").is_file()
        assert Path(built.handle).stat().st_uid == BUILD_USER

        (place / "workspace").rename(public / "gone")
        shutil.rmtree(place)
        place.mkdir()
        (workspace / ".ko.yaml").write_text(
            "builds:\n- main: ./cmd/app\n"
            f"  env: [CGO_ENABLED=1, CC={place}/workspace/compiler.sh]\n"
        )
        compiler = workspace / "compiler.sh"
        compiler.write_text(
            f"#!/bin/sh\n{{ id -u; cat {secret} {workspace}/go.mod; echo x >{workspace}/new; }}"
            f" >{place}/told 2>&1\n"
            f"setsid sh -c 'exec >{place}/pid 2>&1 </dev/null; echo $$; exec sleep 600' &\n"
            f"until [ -s {place}/pid ]; do sleep 0.1; done\nexit 1\n"
        )
        compiler.chmod(0o755)
        (workspace / "cmd" / "app" / "c.go").write_text('package main\n\nimport "C"\n')
        ko = _ko(
            workspace,
            place,
            registry.address,
            path=f"{public}:{os.environ['PATH']}",
            user=BUILD_USER,
        )
        with pytest.raises(BuildError):
            ko.build(asked, "./cmd/app", log=HeldLog())

        told = (place / "told").read_text().splitlines()
        daemon = written_pid(place / "pid")
    assert told[0] == str(BUILD_USER)
    assert all("ermission denied" in line for line in told[1:])
    assert len(told) == 4
    assert not alive(daemon)
    assert not (workspace / "new").exists()


def test_shows_no_child_a_token(
    workspace: Path, private: Path, registry: RunningRegistry, base: str, tmp_path: Path
) -> None:
    """
    What compiles and pushes sees a few named variables, none of them a secret.
    """
    recorder = Recorder.of(["ko", "crane", "go"], tmp_path / "recorder")
    ko = _ko(workspace, private, registry.address, path=recorder.path)
    tagged = ImageReference(Repository(f"{registry.address}/acme/shop"), "1")

    [package] = ko.candidates(_request(base))
    built: BuiltImage = ko.build(_request(base), package, log=HeldLog())
    ko.push(built, tagged, log=HeldLog())

    children = recorder.children()
    assert {Path(child.argv[0]).name for child in children} == {"ko", "crane", "go"}
    names = {name for child in children for name in child.environment}
    assert not {name for name in names if name.startswith(("INPUT_", "GITHUB_", "ACTIONS_"))}
    assert not {name for name in names if "TOKEN" in name or "PASSWORD" in name}
    assert CANARY not in str(children)
