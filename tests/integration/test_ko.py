"""ko and crane: an image of a Go program without Dockerfile and without engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Request, Response

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.isolation import BUILD_USER, can_isolate
from gitops_action.adapters.ko import Ko
from gitops_action.adapters.process import Processes
from gitops_action.adapters.registry import Registry, write_credentials
from gitops_action.errors import (
    BuildError,
    InputError,
    ModuleError,
    RegistryError,
    RegistryLoginError,
)
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.secret import Secret
from gitops_action.stages.build import build
from tests.systems.pids import alive, written_pid
from tests.systems.recorder import Recorder
from tests.systems.registry import (
    RunningRegistry,
    closed_registry,
    open_registry,
    referrers_registry,
    static_base,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_httpserver import HTTPServer

CANARY = "canary-s3cret"
CREATED = 1_700_000_000
LABELS = {"org.opencontainers.image.revision": "9d0f7e3", "note": 'a, "quoted" note'}
MAIN = """package main

import "fmt"

func main() { fmt.Println("hello") }
"""


@pytest.fixture(scope="session")
def httpserver_listen_address() -> tuple[str, int]:
    """Listen where crane speaks HTTP."""
    return ("127.0.0.1", 0)


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


@pytest.fixture(scope="module")
def both(registry: RunningRegistry, base: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Push a base image of two platforms, as the one user."""
    folder = tmp_path_factory.mktemp("credentials")
    write_credentials(folder, registry.address, "robot", Secret(CANARY))
    arm, both = f"{registry.address}/base/static:arm", f"{registry.address}/base/static:both"
    for argv in (
        ["mutate", base, "--set-platform=linux/arm64", f"--tag={arm}"],
        ["index", "append", "-m", base, "-m", arm, "-t", both],
    ):
        env = {**os.environ, "DOCKER_CONFIG": str(folder)}
        subprocess.run(["crane", *argv], check=True, capture_output=True, env=env)
    return both


@pytest.fixture(scope="module", params=["tag", "api"])
def lists_referrers(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a registry for everybody: with a tag for the list of referrers, or an API."""
    if request.param == "api":
        with referrers_registry() as address:
            yield address
    else:
        with open_registry() as running:
            yield running.address


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


def _asked(private: Path) -> Registry:
    """The registry, asked as the user whose credentials `_ko` has written."""
    return Registry(
        Processes(Cancellation()),
        env={"PATH": os.environ["PATH"]},
        private=private,
        credentials=private / "credentials",
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

    asked = _asked(private)
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
    images = _asked(private)
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
    both: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Go compiles for every platform anywhere: one digest names an image of each, with its labels.
    """
    ko = _ko(workspace, private, registry.address)
    monkeypatch.setenv("DOCKER_CONFIG", str(private / "credentials"))
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


def _get(address: str, path: str) -> Any:  # noqa: ANN401  what JSON may be
    kinds = ", ".join(f"application/vnd.oci.image.{kind}.v1+json" for kind in ("index", "manifest"))
    url = f"http://{address}/v2/acme/shop/{path}"
    asked = urllib.request.Request(url, headers={"Accept": kinds})
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)


def _referrers(address: str, image: str) -> list[dict[str, Any]]:
    """List what is said of an image, as scanners do: by the API, or by the tag in its place.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
    """
    try:
        found = _get(address, f"referrers/{image}")
    except urllib.error.HTTPError as error:
        error.close()
        try:
            found = _get(address, f"manifests/{image.replace(':', '-')}")
        except urllib.error.HTTPError as none:
            none.close()
            return []
    return [_get(address, f"manifests/{one['digest']}") for one in found["manifests"]]


def test_pushes_an_sbom_to_where_scanners_look(
    workspace: Path, private: Path, registry: RunningRegistry, both: str, lists_referrers: str
) -> None:
    """
    The image of each platform has its SBOM in any registry, and the digest that it has without.
    """
    ko = _ko(workspace, private, registry.address)
    request = replace(_request(both), platforms=("linux/amd64", "linux/arm64"))
    tagged = ImageReference(Repository(f"{lists_referrers}/acme/shop"), "1")

    without = ko.build(request, "./cmd/app", log=HeldLog())
    built = ko.build(replace(request, attestations=("sbom",)), "./cmd/app", log=HeldLog())
    pushed = ko.push(built, tagged, log=HeldLog())
    ko.discard(built)

    assert without.digests == built.digests == (pushed,)
    assert not Path(built.handle).exists()
    images = _get(lists_referrers, "manifests/1")["manifests"]
    assert len(images) == 2
    for image in images:
        [attached] = _referrers(lists_referrers, image["digest"])
        assert attached["artifactType"] == "application/spdx+json"
        assert attached["subject"] == {key: image[key] for key in ("mediaType", "digest", "size")}
        [layer] = attached["layers"]
        assert layer["mediaType"] == "application/spdx+json"
        sbom = _get(lists_referrers, f"blobs/{layer['digest']}")
        assert sbom["spdxVersion"] == "SPDX-2.3"
        assert sbom["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
        names = {package["name"] for package in sbom["packages"]}
        assert {image["digest"], "example.com/shop"} < names
    # What ko says of the index lists no module: a scanner would call the image clean.
    assert _referrers(lists_referrers, str(pushed)) == []


def test_makes_the_same_sbom_twice(
    workspace: Path, private: Path, registry: RunningRegistry, base: str
) -> None:
    """
    The same commit gives the same SBOM.
    """
    ko = _ko(workspace, private, registry.address)
    request = replace(_request(base), attestations=("sbom",))

    first, second = (
        _files(Path(ko.build(request, "./cmd/app", log=HeldLog()).handle, "sbom")) for _ in range(2)
    )

    assert len(first) == 1
    assert {Path(name).name: text for name, text in first.items()} == {
        Path(name).name: text for name, text in second.items()
    }


def test_attaches_the_sbom_that_an_earlier_push_did_not(
    workspace: Path, private: Path, registry: RunningRegistry, base: str
) -> None:
    """
    A push that ends after the SBOM and before its listing is made good by the next one.
    """
    ko = _ko(workspace, private, registry.address)
    with open_registry() as running:
        repository = Repository(f"{running.address}/acme/shop")
        built = ko.build(
            replace(_request(base), attestations=("sbom",)), "./cmd/app", log=HeldLog()
        )
        image = ko.push(built, ImageReference(repository, "1"), log=HeldLog())
        lists = f"{repository}:{str(image).replace(':', '-')}"
        found = subprocess.run(
            ["crane", "digest", lists], check=True, capture_output=True, text=True
        )
        unlisted = f"{repository}@{found.stdout.strip()}"
        subprocess.run(["crane", "delete", unlisted], check=True, capture_output=True)
        assert _referrers(running.address, str(image)) == []

        ko.push(built, ImageReference(repository, "2"), log=HeldLog())

        assert len(_referrers(running.address, str(image))) == 1


def test_pushes_no_tag_without_the_sbom(
    workspace: Path, private: Path, registry: RunningRegistry, base: str
) -> None:
    """
    An image that should have an SBOM and has none is not there to be deployed.
    """
    ko = _ko(workspace, private, registry.address)
    built = ko.build(replace(_request(base), attestations=("sbom",)), "./cmd/app", log=HeldLog())
    [file] = Path(built.handle, "sbom").iterdir()
    file.write_text(file.read_text().replace("sbom-sha256:", "sbom-sha256:0"))
    tagged = ImageReference(Repository(f"{registry.address}/acme/bare"), "1")

    with pytest.raises(BuildError) as caught:
        ko.push(built, tagged, log=HeldLog())

    assert "is of another image" in caught.value.message
    assert "`attestations`" in caught.value.hint
    assert _asked(private).digest(tagged) is None


def _strict(server: HTTPServer, *, images_only: bool = False) -> list[str]:
    """Be a registry that takes an SBOM of what it has, or none; gives the names that it has.

    https://github.com/project-zot/zot/issues/1424 and what GitLab's says of an unknown type.
    """
    there: list[str] = []

    def manifest(request: Request) -> Response:
        name = request.path.rpartition("/")[2]
        if request.method != "PUT":
            return Response(status=200 if name in there else 404)
        subject = json.loads(request.data).get("subject")
        if subject and images_only:
            unknown = {"code": "MANIFEST_INVALID", "detail": "unknown media type"}
            return Response(json.dumps({"errors": [unknown]}), 400)
        if subject and subject["digest"] not in there:
            return Response(status=404)
        there.append(name)
        return Response(status=201)

    server.expect_request("/v2/").respond_with_data("")
    server.expect_request(re.compile("/v2/.+/(blobs|referrers)/.*")).respond_with_data("{}")
    server.expect_request(re.compile("/v2/.+/manifests/.+")).respond_with_handler(manifest)
    return there


def test_pushes_the_image_then_its_sbom_then_the_tag(
    workspace: Path, private: Path, registry: RunningRegistry, base: str, httpserver: HTTPServer
) -> None:
    """
    Who sees the tag finds the SBOM, also in a registry that takes none of what it has not.
    """
    there = _strict(httpserver)
    ko = _ko(workspace, private, registry.address)
    tagged = ImageReference(Repository(f"127.0.0.1:{httpserver.port}/acme/shop"), "1")

    built = ko.build(replace(_request(base), attestations=("sbom",)), "./cmd/app", log=HeldLog())
    pushed = ko.push(built, tagged, log=HeldLog())

    [image, _, tag] = there
    assert image == str(pushed)
    assert tag == "1"


def test_says_that_a_registry_takes_no_sbom(
    workspace: Path, private: Path, registry: RunningRegistry, base: str, httpserver: HTTPServer
) -> None:
    """
    A registry for images only is told with the input that asks it for more, and has no tag.
    """
    there = _strict(httpserver, images_only=True)
    ko = _ko(workspace, private, registry.address)
    tagged = ImageReference(Repository(f"127.0.0.1:{httpserver.port}/acme/shop"), "1")
    built = ko.build(replace(_request(base), attestations=("sbom",)), "./cmd/app", log=HeldLog())

    with pytest.raises(RegistryError) as caught:
        ko.push(built, tagged, log=HeldLog())

    assert "takes no manifest of this kind" in caught.value.message
    assert "`attestations`" in caught.value.hint
    assert there == [str(built.digests[0])]


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
    user, and a link in the place of its SBOM shows nothing of ours.
    """
    secret = tmp_path / "secret"
    secret.write_text("canary")
    with tempfile.TemporaryDirectory(prefix="ko-") as name:
        public = Path(name)
        public.chmod(0o755)
        for program in ("ko", "crane"):
            shutil.copy(shutil.which(program) or "", public)
        place = public / "private"
        place.mkdir()
        ko = _ko(
            workspace,
            place,
            registry.address,
            path=f"{public}:{os.environ['PATH']}",
            user=BUILD_USER,
        )
        asked = replace(_request(base), attestations=("sbom",))
        built = ko.build(asked, *ko.candidates(asked), log=HeldLog())
        assert Path(built.handle, "index.json").is_file()
        assert Path(built.handle).stat().st_uid == BUILD_USER
        tagged = ImageReference(Repository(f"{registry.address}/acme/isolated"), "1")
        assert ko.push(built, tagged, log=HeldLog()) == built.digests[0]
        [sbom] = Path(built.handle, "sbom").iterdir()
        secret.write_text(sbom.read_text())
        sbom.unlink()
        sbom.symlink_to(secret)
        with pytest.raises(BuildError, match="SBOM"):
            ko.push(built, tagged, log=HeldLog())
        assert {path.name for path in public.iterdir()} == {"ko", "crane", "private"}

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
