"""One engine and one image for all end-to-end tests; a fresh world for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gitops_action.adapters.registry import write_credentials
from gitops_action.model.secret import Secret
from tests.fakes.argocd import FakeArgoCD
from tests.fakes.argocd_memory import MemoryApplication
from tests.fakes.runs import ROOT
from tests.systems.action_image import build_action_image
from tests.systems.buildkit import RunningBuildKit, required_buildkit
from tests.systems.engine import cache, engine, locked
from tests.systems.git_server import GitServer
from tests.systems.mirror import mirror
from tests.systems.registry import RunningRegistry, closed_registry, static_base
from tests.systems.runner import HostedRunner

REPOSITORY = "acme/hello-gitops"
OVERLAY = "kustomize/overlays/dev"
KUSTOMIZATION = f"{OVERLAY}/kustomization.yaml"
EXAMPLE = ROOT / "examples" / "hello-gitops"
USER = "canary-user"
PASSWORD = "canary-registry-password"
GIT_TOKEN = "canary-git-token"


@dataclass
class World:
    """The example's repository, a registry, an Argo CD that follows, and a runner."""

    folder: Path
    image: str
    docker_host: str
    git: GitServer
    registry: RunningRegistry
    argocd: FakeArgoCD
    jobs: list[HostedRunner] = field(default_factory=list)

    application: MemoryApplication = field(init=False)

    def job(self, event: str = "push", *, engine: str = "") -> HostedRunner:
        """Check the repository out on a runner of its own."""
        runner = HostedRunner(
            folder=self.folder / f"runner-{len(self.jobs)}",
            image=self.image,
            docker_host=self.docker_host,
            repository=REPOSITORY,
            server_url=self.git.address,
            event=event,
            engine=engine,
        )
        self.jobs.append(runner)
        runner.checkout(str(self.git.path(REPOSITORY)))
        return runner

    def inputs(self, **given: str) -> dict[str, str]:
        """The step's `with:`, as the runner sends it: every input, with its default."""
        step = {
            "image": f"{self.registry.address}/{REPOSITORY}",
            "registry-username": USER,
            "registry-password": PASSWORD,
            "kustomizations": OVERLAY,
            "github-token": self.git.token,
            "argocd-server": self.argocd.url,
            "argocd-token": self.argocd.token,
            "argocd-applications": "hello-gitops",
            "wait-timeout": "2m",
        }
        return step | {name.replace("_", "-"): value for name, value in given.items()}

    def ko(self, **given: str) -> dict[str, str]:
        """The same without an engine."""
        return self.inputs(builder="ko", base_image=f"{self.registry.address}/base/static", **given)

    def remote(self, buildkit: RunningBuildKit) -> dict[str, str]:
        """The same with an engine elsewhere, and with what most engines cannot do."""
        return self.inputs(
            buildkit_address=buildkit.address,
            buildkit_tls=buildkit.tls,
            platforms="linux/amd64, linux/arm64",
            build_cache="registry",
            attestations="provenance",
        )

    def only(self, stage: str, **given: str) -> dict[str, str]:
        """A step for one stage."""
        return {"stages": stage, "github-token": self.git.token} | {
            name.replace("_", "-"): value for name, value in given.items()
        }

    def publish(self, tag: str) -> None:
        """Put an image into the registry, as an earlier job did."""
        base = f"{self.registry.address}/base/static"
        image = f"{self.registry.address}/{REPOSITORY}:{tag}"
        subprocess.run(["crane", "copy", base, image], check=True, capture_output=True)

    def follow(self, name: str, path: str) -> MemoryApplication:
        """Let Argo CD deploy a folder of the repository."""
        return self.argocd.add_application(
            name,
            repo_url=self.git.url(REPOSITORY),
            path=path,
            resolve=lambda branch: self.git.head(REPOSITORY, branch),
            images=lambda sha: [
                self.git.git(REPOSITORY, "show", f"{sha}:{path}/kustomization.yaml")
            ],
        )

    def digest(self, tag: str) -> str:
        """Ask the registry; empty where there is no such tag."""
        command = ["crane", "digest", f"{self.registry.address}/{REPOSITORY}:{tag}"]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()

    @contextmanager
    def started_here(
        self, inputs: dict[str, str], folder: Path, more: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Start the step without its container; it leaves no temporary file behind.

        `more` are variables that the runner would set besides.
        """
        folder.mkdir(exist_ok=True)
        workspace = folder / "workspace"
        if not workspace.exists():
            clone = ["git", "clone", "-q", str(self.git.path(REPOSITORY)), str(workspace)]
            subprocess.run(clone, check=True)
        event = folder / "event.json"
        event.write_text(json.dumps({"repository": {"default_branch": "main"}}))
        machine = ("PATH", "HOME", "GOPROXY", "SSL_CERT_FILE")
        # Not below `folder`, which is closed to the user that the code under test runs as.
        with tempfile.TemporaryDirectory() as temporary:
            Path(temporary).chmod(0o755)
            env = {name: os.environ[name] for name in machine if name in os.environ} | {
                "TMPDIR": temporary,
                "PYTHONPATH": str(ROOT),
                "GITHUB_WORKSPACE": str(workspace),
                "GITHUB_SERVER_URL": self.git.address,
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_EVENT_NAME": "push",
                "GITHUB_EVENT_PATH": str(event),
                "GITHUB_REF_NAME": "main",
            }
            env |= {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
            env |= more or {}
            with subprocess.Popen(
                [sys.executable, ROOT / "entrypoint.py"],
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as step:
                yield step
            assert list(Path(temporary).iterdir()) == []

    def run_here(
        self, inputs: dict[str, str], folder: Path, more: Mapping[str, str] | None = None
    ) -> tuple[int, str, dict[str, str]]:
        """Run the step without its container; gives exit status, log and outputs."""
        with self.started_here(inputs, folder, more) as step:
            # Go compiles without a cache here, which a busy machine does slowly.
            log, _ = step.communicate(timeout=600)
        outputs = dict(line.split("=", 1) for line in log.splitlines() if "=" in line)
        return step.returncode, log, outputs

    def commits_since(self, sha: str) -> list[str]:
        return self.git.git(REPOSITORY, "rev-list", f"{sha}..main").splitlines()


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    with engine() as address:
        yield address


@pytest.fixture(scope="session")
def image(docker_host: str) -> str:
    return build_action_image(docker_host)


@pytest.fixture
def buildkit(docker_host: str) -> Iterator[RunningBuildKit]:
    """It keeps layers between runs, as the engine does, and has no other user meanwhile."""
    with (
        locked(cache() / "buildkitd.lock"),
        mirror(docker_host) as address,
        required_buildkit(mirror=address, root=cache() / "buildkitd") as running,
    ):
        yield running


@pytest.fixture
def world(
    tmp_path: Path, docker_host: str, image: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    with _world(tmp_path, monkeypatch, image, docker_host) as world:
        yield world


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same systems without an engine and without the action's image."""
    with _world(tmp_path, monkeypatch, "", "") as world:
        yield world


@contextmanager
def _world(
    folder: Path, monkeypatch: pytest.MonkeyPatch, image: str, docker_host: str
) -> Iterator[World]:
    with (
        GitServer(folder / "git", token=GIT_TOKEN) as git,
        closed_registry(USER, PASSWORD) as registry,
        FakeArgoCD(token="eyJhbGciOiJIUzI1NiJ9.canary.argocd") as argocd,
    ):
        credentials = folder / "credentials"
        write_credentials(credentials, registry.address, USER, Secret(PASSWORD))
        monkeypatch.setenv("DOCKER_CONFIG", str(credentials))
        static_base(registry.address)
        files = {
            str(file.relative_to(EXAMPLE)): file.read_bytes()
            for file in sorted(EXAMPLE.rglob("*"))
            if file.is_file()
        }
        files[KUSTOMIZATION] = files[KUSTOMIZATION].replace(b"ghcr.io", registry.address.encode())
        git.create(REPOSITORY, files)
        world = World(folder, image, docker_host, git, registry, argocd)
        world.application = world.follow("hello-gitops", OVERLAY)
        yield world
