"""Real engines, with either image store: what goes into a build, what comes out, what is left."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.docker import Docker
from gitops_action.adapters.docker.failure import build_error
from gitops_action.adapters.process import Completed, Processes
from gitops_action.adapters.registry import Registry, write_credentials
from gitops_action.errors import (
    BuildError,
    CancelledError,
    EngineError,
    InputError,
    RegistryError,
    RegistryLoginError,
)
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.secret import Secret
from tests.systems.engine import add_buildx, required_engine
from tests.systems.modern_engine import required_modern_engine
from tests.systems.recorder import Recorder
from tests.systems.registry import closed_registry, open_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

CANARY = "canary-s3cret"
LAYERS = ImageReference(Repository("127.0.0.1:1/acme/shop"), "buildcache")
CREATED = 1_700_000_000
RUN = uuid.uuid4().hex
SLEEPER = """package main

import "time"

func main() { time.Sleep(time.Minute) }
"""
GREETER = """package main

import "fmt"

func main() { fmt.Println("hello") }
"""
_FAILED = """#6 [2/2] COPY missing /
#6 ERROR: failed to calculate checksum of ref x::y: "/missing": not found
------
 > [2/2] COPY missing /:
------
Dockerfile:3
--------------------
   1 |     FROM scratch
   2 |
   3 | >>> COPY missing /
--------------------
ERROR: failed to build: failed to solve: "/missing": not found
"""


@pytest.fixture(
    scope="module", params=[required_engine, required_modern_engine], ids=["machine's", "modern"]
)
def docker_host(request: pytest.FixtureRequest) -> Iterator[str]:
    """The machine's engine or one of our own, and one that keeps images in containerd."""
    start: Callable[[], AbstractContextManager[str]] = request.param
    with start() as address:
        yield address


@pytest.fixture(scope="module")
def older_store() -> Iterator[str]:
    """An engine that keeps images in a store of its own; a machine's may be newer than that."""
    with required_engine() as address:
        if "containerd" in _ask(address, "info", "--format", "{{.DriverStatus}}").decode():
            pytest.skip("this engine has the image store that can")
        yield address


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """What checkout leaves, its token included; nothing has to be pulled to build it."""
    folder = tmp_path / "workspace"
    for name, text in {
        "Dockerfile": "FROM scratch\nCOPY . /\n",
        "app": "app",
        ".git/config": f"extraheader = {CANARY}",
        "vendored/.git": f"gitdir: {CANARY}",
        "secret.env": CANARY,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / ".dockerignore").write_text("*.env\n!.git")
    return folder


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder that only we can enter."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


def _docker(  # noqa: PLR0913  one keyword for each thing that a test varies
    docker_host: str,
    workspace: Path,
    private: Path,
    *,
    address: str = "127.0.0.1:1",
    password: str = CANARY,
    path: str = "",
    cancellation: Cancellation | None = None,
) -> Docker:
    credentials = private / "credentials"
    shutil.rmtree(credentials, ignore_errors=True)
    write_credentials(credentials, address, "robot", Secret(password))
    add_buildx(credentials)
    return Docker(
        Processes(cancellation or Cancellation()),
        env={
            "PATH": path or os.environ["PATH"],
            "DOCKER_HOST": docker_host,
            "BUILDX_BUILDER": "somebody-elses",
            "INPUT_GITHUB-TOKEN": CANARY,
            "GITHUB_TOKEN": CANARY,
            "ACTIONS_RUNTIME_TOKEN": CANARY,
        },
        workspace=workspace,
        private=private,
        credentials=credentials,
    )


def _request(dockerfile: str = "Dockerfile", context: str = ".") -> BuildRequest:
    return BuildRequest(
        builder="docker",
        module=PurePosixPath(),
        context=PurePosixPath(context),
        dockerfile=PurePosixPath(dockerfile),
        main_package="",
        base_image="",
        labels={"org.opencontainers.image.revision": "9d0f7e3", "note": "a, b=c", "tests": RUN},
        created=CREATED,
    )


def _ask(docker_host: str, *argv: str) -> bytes:
    env = {**os.environ, "DOCKER_HOST": docker_host}
    return subprocess.run(["docker", *argv], check=True, env=env, capture_output=True).stdout


def _images(docker_host: str) -> set[str]:
    """List what the engine has of what these tests build; others build on it at the same time."""
    listed = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]
    names = _ask(docker_host, *listed, f"--filter=label=tests={RUN}").decode()
    return set(names.splitlines())


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a registry has: the names of all files, and the configuration."""

    files: set[str]
    config: dict[str, Any]


def _pushed(docker: Docker, built: BuiltImage) -> Pushed:
    """Push to a registry and read what is there; the image is removed from this machine."""
    with open_registry() as running:
        tagged = ImageReference(Repository(f"{running.address}/acme/shop"), "1")
        docker.push(built, tagged, log=HeldLog())
        docker.discard(built)
        rootfs, config = (
            subprocess.run(["crane", *argv], check=True, capture_output=True).stdout
            for argv in (["export", tagged.tagged, "-"], ["config", tagged.tagged])
        )
    with tarfile.open(fileobj=io.BytesIO(rootfs)) as archive:
        files = {member.name for member in archive if member.isfile()}
    return Pushed(files, json.loads(config))


def test_keeps_checkouts_credentials_out_of_the_image(
    docker_host: str, workspace: Path, private: Path
) -> None:
    """
    `COPY . .` never puts the job's token into a layer, even where .dockerignore asks for it.
    """
    docker = _docker(docker_host, workspace, private)

    built = docker.build(_request(), "Dockerfile", log=HeldLog())

    contents = _pushed(docker, built).files
    assert {"app", "Dockerfile", ".dockerignore"} <= contents
    assert not {name for name in contents if ".git" in name or name.endswith(".env")}


def test_keeps_to_the_ignore_file_of_the_dockerfile(
    docker_host: str, workspace: Path, private: Path
) -> None:
    """
    A Dockerfile's own ignore file counts as it does without this action.
    """
    (workspace / "build").mkdir()
    (workspace / "build" / "App.Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (workspace / "build" / "App.Dockerfile.dockerignore").write_text("app\n")
    docker = _docker(docker_host, workspace, private)
    request = _request("build/App.Dockerfile")

    built = docker.build(request, docker.candidates(request)[0], log=HeldLog())

    contents = _pushed(docker, built).files
    assert "app" not in contents
    assert "secret.env" in contents
    assert not {name for name in contents if ".git" in name}


def test_pushes_what_the_registry_then_has(
    docker_host: str, workspace: Path, private: Path
) -> None:
    """
    The pushed digest is the registry's, the labels are ours, and the engine is left as it was.
    """
    before = _images(docker_host)
    with closed_registry("robot", CANARY) as running:
        docker = _docker(docker_host, workspace, private, address=running.address)
        tagged = ImageReference(Repository(f"{running.address}/acme/shop"), "9d0f7e3")

        built = docker.build(_request(), "Dockerfile", log=HeldLog())
        pushed = docker.push(built, tagged, log=HeldLog())
        docker.discard(built)

        credentials = private / "credentials"
        registry = Registry(
            Processes(Cancellation()),
            env={"PATH": os.environ["PATH"]},
            private=private,
            credentials=credentials,
        )
        seen = registry.digest(tagged)
        configuration = registry.configuration(tagged)
        config = json.loads(
            subprocess.run(
                ["crane", "config", tagged.tagged],
                check=True,
                env={**os.environ, "DOCKER_CONFIG": str(credentials)},
                capture_output=True,
            ).stdout
        )
    assert pushed == seen
    assert {pushed, configuration} & set(built.digests)
    assert config["config"]["Labels"]["org.opencontainers.image.revision"] == "9d0f7e3"
    assert config["config"]["Labels"]["note"] == "a, b=c"
    assert _images(docker_host) == before


def test_what_was_pushed_starts(docker_host: str, workspace: Path, private: Path) -> None:
    """
    An engine that has nothing of the image fetches it by its digest and runs it.
    """
    _compile(workspace, GREETER, "greet")
    (workspace / "Dockerfile").write_text('FROM scratch\nCOPY greet /\nENTRYPOINT ["/greet"]\n')
    docker = _docker(docker_host, workspace, private)
    with open_registry() as running:
        tagged = ImageReference(Repository(f"{running.address}/acme/shop"), "1")

        built = docker.build(_request(), "Dockerfile", log=HeldLog())
        pushed = docker.push(built, tagged, log=HeldLog())
        docker.discard(built)

        image = str(replace(tagged, tag="", digest=pushed))
        said = _ask(docker_host, "run", "--rm", "--network=none", image)
        _ask(docker_host, "image", "rm", image)
    assert said == b"hello\n"


def test_says_that_the_registry_refuses_the_push(
    docker_host: str, workspace: Path, private: Path
) -> None:
    """
    A wrong password and an absent registry are told apart, and no tag stays in the engine.
    """
    before = _images(docker_host)
    with closed_registry("robot", CANARY) as running:
        docker = _docker(docker_host, workspace, private, address=running.address, password="no")
        built = docker.build(_request(), "Dockerfile", log=HeldLog())
        closed = ImageReference(Repository(f"{running.address}/acme/shop"), "1")

        with pytest.raises(RegistryLoginError):
            docker.push(built, closed, log=HeldLog())
    with open_registry() as gone:
        absent = ImageReference(Repository(f"{gone.address}/acme/shop"), "1")
    with pytest.raises(RegistryError, match="cannot be reached"):
        docker.push(built, absent, log=HeldLog())

    docker.discard(built)
    assert _images(docker_host) == before


# Is slow to say that the engine has done what it was asked.
SLOW_TO_TAG = """#!/bin/sh
case "$1 $2" in
"image tag") {docker} "$@"; touch {tagged}; sleep 1 ;;
*) exec {docker} "$@" ;;
esac
"""


def test_a_push_that_is_cancelled_at_once_leaves_no_tag(
    older_store: str, workspace: Path, private: Path, tmp_path: Path
) -> None:
    """
    The engine has the registry's name for an image only while it pushes.
    """
    programs, tagged = tmp_path / "programs", tmp_path / "tagged"
    programs.mkdir()
    slow = SLOW_TO_TAG.format(docker=shutil.which("docker"), tagged=tagged)
    (programs / "docker").write_text(slow)
    (programs / "docker").chmod(0o755)
    cancellation = Cancellation()
    path = f"{programs}:{os.environ['PATH']}"
    docker = _docker(older_store, workspace, private, path=path, cancellation=cancellation)
    built = docker.build(_request(), "Dockerfile", log=HeldLog())
    reference = ImageReference(Repository("127.0.0.1:1/acme/cancelled"), tmp_path.name)

    def cancel() -> None:
        while not tagged.exists():
            time.sleep(0.01)
        cancellation.cancel("the run was cancelled")

    canceller = threading.Thread(target=cancel, daemon=True)
    canceller.start()

    with pytest.raises(CancelledError):
        docker.push(built, reference, log=HeldLog())

    canceller.join()
    docker.discard(built)
    assert reference.tagged not in _images(older_store)


CHECK = """package main

import "os"

func main() {
	said, err := os.ReadFile("/run/secrets/TOKEN")
	if err != nil || len(said) != len("canary-s3cret") {
		os.Exit(3)
	}
}
"""


def _compile(workspace: Path, program: str, name: str) -> None:
    (workspace / "main.go").write_text(program)
    go = {**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"}
    command = ["go", "build", "-o", str(workspace / name), str(workspace / "main.go")]
    subprocess.run(command, check=True, env=go)


def test_builds_the_target_with_its_arguments_and_secrets(
    docker_host: str, workspace: Path, private: Path, tmp_path: Path
) -> None:
    """
    A secret is there while it is needed, and in no layer, history or argument.
    """
    _compile(workspace, CHECK, "check")
    (workspace / "Dockerfile").write_text(
        "FROM scratch AS one\nARG NAME\nLABEL name=$NAME\nCOPY check /\n"
        'RUN --mount=type=secret,id=TOKEN ["/check"]\nFROM one AS two\nLABEL stage=two\n'
    )
    recorder = Recorder.of(["docker", "crane"], tmp_path / "recorder")
    docker = _docker(docker_host, workspace, private, path=recorder.path)
    request = replace(
        _request(),
        target="one",
        arguments={"NAME": "a, b=c"},
        secrets={"TOKEN": Secret(CANARY)},
        cache="inline",
    )

    built = docker.build(request, "Dockerfile", log=HeldLog())

    pushed = _pushed(docker, built)
    labels = pushed.config["config"]["Labels"]
    assert labels["name"] == "a, b=c"
    assert "stage" not in labels
    assert len(pushed.config["history"]) == 4
    assert CANARY not in json.dumps(pushed.config)
    assert pushed.files == {"check"}
    assert CANARY not in str([child.argv for child in recorder.children()])


@pytest.mark.parametrize(
    "asked",
    [
        replace(_request(), platforms=("linux/amd64", "linux/arm64")),
        replace(_request(), attestations=("provenance",)),
        replace(_request(), cache="registry", cached=(LAYERS,)),
    ],
    ids=["platforms", "attestations", "cache"],
)
def test_says_what_the_engine_cannot_do(
    older_store: str, workspace: Path, private: Path, asked: BuildRequest
) -> None:
    """
    What the engine's image store cannot hold is an error before the build, with the ways out.
    """
    # The build itself would fail, and otherwise.
    (workspace / "Dockerfile").write_text("FROM scratch\nCOPY missing /\n")
    docker = _docker(older_store, workspace, private)

    with pytest.raises(EngineError) as caught:
        docker.build(asked, "Dockerfile", log=HeldLog())

    assert "nothing was built" in caught.value.message
    assert "builder: ko" in caught.value.hint
    assert "containerd-snapshotter" in caught.value.hint


def test_says_why_a_build_failed(docker_host: str, workspace: Path, private: Path) -> None:
    """
    A failed build is told in BuildKit's own words, and leaves no image.
    """
    (workspace / "Dockerfile").write_text("FROM scratch\n\nCOPY missing /\n")
    docker = _docker(docker_host, workspace, private)
    before = _images(docker_host)

    with pytest.raises(BuildError, match="missing"):
        docker.build(_request(), "Dockerfile", log=HeldLog())

    assert _images(docker_host) == before
    assert not list(private.glob("layout-*"))


def test_points_to_the_instruction_that_failed() -> None:
    """
    Where BuildKit names the line (since Docker 23), the annotation is on it.
    """
    done = Completed(argv=(), exit_code=1, stdout="", stderr=_FAILED)

    error = build_error(done, PurePosixPath("build/Dockerfile"))

    assert isinstance(error, BuildError)
    assert str(error.location) == "build/Dockerfile:3"
    assert "failed to solve" in error.message


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "context"])
def test_follows_no_link_out_of_the_workspace(
    docker_host: str, workspace: Path, private: Path, tmp_path: Path, name: str
) -> None:
    """
    A link in the repository cannot carry a file of the runner into the build or the log.
    """
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text(CANARY)
    (workspace / name).unlink(missing_ok=True)
    (workspace / name).symlink_to(outside if name == "context" else outside / "file")
    docker = _docker(docker_host, workspace, private)
    request = _request(context=name if name == "context" else ".")

    with pytest.raises(InputError, match="leads out of the workspace"):
        docker.build(request, "Dockerfile", log=HeldLog())


def test_runs_no_git_that_the_context_configures(
    docker_host: str, workspace: Path, private: Path, tmp_path: Path
) -> None:
    """
    A folder that is laid out like a git repository has its own configuration, and that can name
    programs: nobody asks git about a context.
    """
    planted, told = workspace / "app.git", tmp_path / "told"
    (planted / "objects").mkdir(parents=True)
    (planted / "refs" / "heads").mkdir(parents=True)
    (planted / "HEAD").write_text("ref: refs/heads/main\n")
    (planted / "refs" / "heads" / "main").write_text("1" * 40 + "\n")
    (planted / "config").write_text(
        "[core]\nrepositoryformatversion = 1\nbare = false\nworktree = .\n"
        "[extensions]\npartialClone = origin\n"
        f'[remote "origin"]\nurl = .\npromisor = true\nuploadpack = "id >{told}; false"\n'
    )
    (planted / "Dockerfile").write_text("FROM scratch\nCOPY HEAD /\n")
    docker = _docker(docker_host, workspace, private)

    built = docker.build(_request(context="app.git"), "app.git/Dockerfile", log=HeldLog())

    docker.discard(built)
    assert not told.exists()


def test_knows_whether_there_is_a_dockerfile_and_an_engine(
    docker_host: str, workspace: Path, private: Path, tmp_path: Path
) -> None:
    """
    A missing engine and a missing docker program are both no engine.
    """
    docker = _docker(docker_host, workspace, private)

    found = docker.candidates(_request()), docker.candidates(_request("Other"))

    assert found == (("Dockerfile",), ())
    assert docker.answers()
    assert not _docker(f"unix://{tmp_path}/no.sock", workspace, private).answers()
    assert not _docker(docker_host, workspace, private, path=str(tmp_path)).answers()


def test_says_that_the_engine_has_gone(workspace: Path, private: Path, tmp_path: Path) -> None:
    """
    An engine that ends after it was found is no failure of the Dockerfile.
    """
    docker = _docker(f"unix://{tmp_path}/no.sock", workspace, private)

    with pytest.raises(EngineError, match="answers no more"):
        docker.build(_request(), "Dockerfile", log=HeldLog())


def test_ends_a_build_at_once_and_leaves_nothing(
    docker_host: str, workspace: Path, private: Path
) -> None:
    """
    A cancelled run is over within seconds, and the engine has no image of it.
    """
    _compile(workspace, SLEEPER, "sleep")
    dockerfile = f'FROM scratch\nCOPY sleep /\nRUN ["/sleep", "{time.time()}"]\n'
    (workspace / "Dockerfile").write_text(dockerfile)
    cancellation = Cancellation()
    docker = _docker(docker_host, workspace, private, cancellation=cancellation)
    before = _images(docker_host)
    timer = threading.Timer(3, lambda: cancellation.cancel("the run was cancelled"))
    timer.start()
    started = time.monotonic()

    with pytest.raises(CancelledError):
        docker.build(_request(), "Dockerfile", log=HeldLog())

    timer.join()
    assert time.monotonic() - started < 3 + 5
    assert _images(docker_host) == before
    assert not list(private.glob("layout-*"))


def test_shows_no_child_a_token(
    docker_host: str, workspace: Path, private: Path, tmp_path: Path
) -> None:
    """
    docker sees a few named variables; the password is in one file that only we can read.
    """
    recorder = Recorder.of(["docker", "crane"], tmp_path / "recorder")
    with open_registry() as running:
        docker = _docker(
            docker_host, workspace, private, address=running.address, path=recorder.path
        )
        tagged = ImageReference(Repository(f"{running.address}/acme/shop"), "1")

        docker.answers()
        built = docker.build(_request(), "Dockerfile", log=HeldLog())
        docker.push(built, tagged, log=HeldLog())
        docker.discard(built)

    children = recorder.children()
    assert len(children) > 3
    # The older image store is told the commit's time in the environment.
    assert {name for child in children for name in child.environment} - {"SOURCE_DATE_EPOCH"} == {
        "BUILDX_CONFIG",
        "BUILDX_GIT_INFO",
        "BUILDX_NO_DEFAULT_ATTESTATIONS",
        "DOCKER_CONFIG",
        "DOCKER_HOST",
        "HOME",
        "PATH",
        "TMPDIR",
    }
    assert CANARY not in str(children)
    credentials = Path(children[0].environment["DOCKER_CONFIG"])
    assert credentials.stat().st_mode & 0o777 == 0o700
    assert (credentials / "config.json").stat().st_mode & 0o777 == 0o600
