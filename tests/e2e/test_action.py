"""The action's own image, run as a runner runs it, against real git, registry, engine and Go."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.argocd_memory import Behaviour
from tests.systems.container import HOSTNAME, Life, compiled_for, live
from tests.systems.modern_engine import required_modern_engine
from tests.systems.runner import CHECKOUT_TOKEN, OWNER, RUNTIME_TOKEN, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_httpserver import HTTPServer

    from tests.e2e.conftest import World

REPOSITORY = "acme/hello-gitops"
KUSTOMIZATION = "kustomize/overlays/dev/kustomization.yaml"
MAIN = "cmd/hello-gitops/main.go"
LOGIN = ("registry-username", "registry-password")
SLOW = """package greeting

import (
	"testing"
	"time"
)

func TestSlow(*testing.T) { time.Sleep(time.Minute) }
"""
NOSY_COMPILER = (Path(__file__).parent / "nosy_compiler.py").read_text()
NOSY = (Path(__file__).parent / "nosy_test.go").read_text()


def _canaries(world: World) -> list[str]:
    return [
        world.git.token,
        world.argocd.token,
        "canary-registry-password",
        RUNTIME_TOKEN,
        CHECKOUT_TOKEN,
    ]


def _owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in folder.rglob("*")}


@pytest.fixture(params=["ko", "docker", "buildkit"])
def builder(request: pytest.FixtureRequest) -> str:
    """Each way to build the example."""
    return str(request.param)


@pytest.fixture
def inputs(request: pytest.FixtureRequest, world: World, builder: str) -> dict[str, str]:
    """What a workflow says for the builder."""
    match builder:
        case "ko":
            return world.ko(attestations="sbom")
        case "docker":
            return world.inputs()
        case _:
            return world.remote(request.getfixturevalue("buildkit"))


def test_one_changed_line_of_go_becomes_a_deployment(
    world: World, builder: str, inputs: dict[str, str]
) -> None:
    """
    The whole job: one commit that changes one line, an image that runs, and Argo CD follows.
    """
    job = world.job(engine="" if builder == "docker" else "/dev/null")
    # Whoever looks for a fault switches these on, and no secret may show in what they add.
    job.env |= {"ACTIONS_STEP_DEBUG": "true", "RUNNER_DEBUG": "1"}
    before = world.git.head(REPOSITORY)
    text = (job.workspace / MAIN).read_text()
    job.write(MAIN, text.replace('"listening on %s", listener.Addr()', '"serving on %s", address'))
    assert job.git("diff", "--shortstat", "HEAD~1").startswith("1 file changed, 1 insertion")

    step = job.run(inputs)

    assert step.exit_code == 0, step.log
    assert step.outputs["result"] == "healthy"
    assert world.commits_since(before) == [step.outputs["gitops-commit"]]
    changed = world.git.git(REPOSITORY, "diff", "--numstat", before, "main")
    assert changed == f"1\t1\t{KUSTOMIZATION}"
    assert step.outputs["tag"] == job.head
    assert world.digest(job.head) == world.digest("latest") == step.outputs["digest"] != ""
    # The tag in which a registry without an API lists what is attached: here the SBOM.
    assert bool(world.digest(step.outputs["digest"].replace(":", "-"))) is (builder == "ko")
    assert step.outputs["revision"] == world.git.head(REPOSITORY)
    message = world.git.git(REPOSITORY, "log", "-1", "--format=%an <%ae>%n%B", "main")
    assert message.startswith(
        "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>\n"
        f"Promote hello-gitops to {job.head}\n"
    )
    assert f"Source-Commit: {job.head}" in message
    assert step.outputs["image"] in message
    assert "Deployed and healthy" in step.summary
    assert f"built with {builder}" in step.summary
    assert "ERROR" not in step.log
    _assert_is_what_was_asked_for(world, step.outputs["image"], inputs)
    assert live(step.outputs["image"], world.docker_host) == Life(
        revision=job.head,
        user="65532",
        greeting=f"Hello from {HOSTNAME}\n",
        health=204,
        said="serving on :8080",
        exit_code=0,
    )
    assert _owners(job.workspace) == {OWNER}
    caches = job.folder / "_temp" / "gitops-action"
    assert _owners(caches) == {OWNER}
    compiled = {"go-build"} if builder == "ko" else set()
    assert {cache.name for cache in caches.iterdir()} == {"go-build-tests", "go-modules"} | compiled
    key = inputs.get("buildkit-tls", "").splitlines()[-2:-1]
    _assert_no_canary([*_canaries(world), *key], world, job.folder, step.log + step.summary)
    assert not [argv for argv in step.arguments for one in ("canary", *key) if one in argv]
    assert step.holders <= {"/usr/bin/env run", "/usr/bin/python3 run"}


def _assert_is_what_was_asked_for(world: World, image: str, inputs: dict[str, str]) -> None:
    """Each platform has a program of its own, and cache and proof are where they were asked for."""
    platforms = inputs.get("platforms", "linux/amd64").split(", ")
    assert [compiled_for(image, platform) for platform in platforms] == platforms
    assert (world.digest("buildcache") != "") == ("build-cache" in inputs)
    manifest = subprocess.run(["crane", "manifest", image], check=True, capture_output=True).stdout
    proven = b"attestation-manifest" in manifest
    assert proven == ("provenance" in inputs.get("attestations", ""))


def _assert_no_canary(canaries: Sequence[str], world: World, folder: Path, text: str) -> None:
    """The runner masks by `add-mask`; beside these lines and the persisted header, nothing."""
    shown = re.sub(r"^::add-mask::.*$", "", text, flags=re.MULTILINE)
    repository = str(world.git.path(REPOSITORY))
    command = ["git", "-C", repository, "cat-file", "--batch-all-objects", "--batch"]
    objects = subprocess.run(command, check=True, capture_output=True).stdout
    for canary in canaries:
        assert canary not in shown
        assert canary.encode() not in objects
        found = subprocess.run(
            ["grep", "-rlF", canary, str(folder)], check=False, capture_output=True, text=True
        ).stdout.splitlines()
        kept = {str(folder / "ws/.git/config"), str(folder / "_temp/git-credentials-1.config")}
        assert set(found) <= (kept if canary == CHECKOUT_TOKEN else set())


def test_the_same_commit_again_changes_nothing_and_still_waits(world: World) -> None:
    """
    A job that is run again commits nothing, and says what Argo CD reports.
    """
    job = world.job()
    first = job.run(world.ko())
    head = world.git.head(REPOSITORY)

    second = job.run(world.ko())

    assert first.outputs["result"] == "healthy", first.log
    assert second.outputs["result"] == "unchanged", second.log
    assert second.outputs["changed"] == "false"
    assert second.outputs["sync-status"] == "Synced"
    assert second.outputs["digest"] == first.outputs["digest"]
    assert world.git.head(REPOSITORY) == head


def test_two_platforms_need_no_more_than_a_modern_engine(world: World) -> None:
    """
    An engine with the containerd image store gives both images, their proofs and one digest.
    """
    job = world.job()
    job.write("Dockerfile", "FROM scratch\nCOPY go.mod /\n")
    asked = {"platforms": "linux/amd64, linux/arm64", "attestations": "provenance"}
    registry = {name: world.inputs()[name] for name in ("image", *LOGIN)}

    with required_modern_engine() as job.engine:
        step = job.run(world.only("build publish", **asked, **registry))

    assert step.exit_code == 0, step.log
    assert world.digest(job.head) == world.digest("latest") == step.outputs["digest"] != ""
    tagged = f"{world.registry.address}/{REPOSITORY}:{job.head}"
    index = subprocess.run(["crane", "manifest", tagged], check=True, capture_output=True).stdout
    found = [image["platform"]["architecture"] for image in json.loads(index)["manifests"]]
    assert found == ["amd64", "arm64", "unknown", "unknown"]


def test_a_failing_test_leaves_nothing_behind(world: World) -> None:
    """
    No image, no commit, and the annotation points to the failing line.
    """
    job = world.job()
    before = world.git.head(REPOSITORY)
    source = (
        'package greeting\n\nimport "testing"\n\nfunc TestNo(t *testing.T) {\n\tt.Error("no")\n}\n'
    )
    job.write("internal/greeting/no_test.go", source)

    step = job.run(world.ko())

    assert step.exit_code == 1
    assert step.outputs["result"] == "failed"
    assert step.outputs["failure"] == "tests-failed"
    assert step.outputs["tests-failed"] == "1"
    assert any("file=internal/greeting/no_test.go,line=6" in line for line in step.errors), step.log
    assert world.digest(job.head) == ""
    assert world.git.head(REPOSITORY) == before
    assert "nothing was pushed or committed" in step.log
    assert "Traceback" not in step.log


def test_code_under_test_reaches_no_secret(world: World) -> None:
    """
    The code under test reads neither the environment, the engine's socket nor any token.
    """
    job = world.job()
    job.write("internal/greeting/nosy_test.go", NOSY)

    step = job.run(world.only("verify"))

    assert step.exit_code == 0, step.log
    assert step.outputs["result"] == "verified"


def test_what_a_repository_runs_in_kos_build_reaches_no_secret(
    world: World, httpserver: HTTPServer
) -> None:
    """
    A pull request can have ko run a program: as a user who reads no token and has no engine.
    """
    httpserver.expect_request("/told").respond_with_data("")
    job = world.job(event="pull_request")
    program = b64encode(NOSY_COMPILER.replace("ADDRESS", httpserver.url_for("/told")).encode())
    compiler = f"""/usr/bin/python3 -c "exec(__import__('base64').b64decode({program!r}))" """
    job.write("cmd/hello-gitops/c.go", 'package main\n\nimport "C"\n')
    config = {
        "builds": [{"main": "./cmd/hello-gitops", "env": ["CGO_ENABLED=1", f"CC={compiler}"]}]
    }
    job.write(".ko.yaml", json.dumps(config))

    step = job.run(world.ko(stages="build"))

    assert step.exit_code == 1, step.log
    told = {request.get_data(as_text=True) for request, _ in httpserver.log}
    assert told == {'{"user": 65532, "reached": []}'}, step.log


@pytest.mark.parametrize("event", ["pull_request", "merge_group"])
def test_a_proposal_is_verified_and_written_nowhere(world: World, event: str) -> None:
    """
    A pull request or merge group is tested and built; registry and branch stay as they are.
    """
    job = world.job(event=event)
    before = world.git.head(REPOSITORY)

    step = job.run(world.ko(argocd_token=""))

    assert step.exit_code == 0, step.log
    assert step.outputs["result"] == "verified"
    assert world.digest(job.head) == ""
    assert world.git.head(REPOSITORY) == before


def test_pull_request_target_is_refused(world: World) -> None:
    """
    A stranger's code is not even tested beside the repository's secrets.
    """
    step = world.job(event="pull_request_target").run(world.ko())

    assert step.exit_code == 1
    assert step.outputs["failure"] == "unsupported-event"


def test_two_applications_promote_at_once(world: World) -> None:
    """
    Two jobs on one branch both land, and nothing is lost.
    """
    path = "kustomize/overlays/two"
    text = world.git.read(REPOSITORY, KUSTOMIZATION)
    world.git.commit(REPOSITORY, {f"{path}/kustomization.yaml": text})
    world.follow("two", path)
    before = world.git.head(REPOSITORY)
    jobs = [world.job(), world.job()]
    world.publish(jobs[0].head)
    given = [{}, {"kustomizations": path, "argocd_applications": "two"}]

    with ThreadPoolExecutor() as threads:
        steps = list(
            threads.map(
                lambda job, more: job.run(world.inputs(stages="promote sync", **more)), jobs, given
            )
        )

    assert [step.outputs["result"] for step in steps] == ["healthy", "healthy"], steps[0].log
    assert len(world.commits_since(before)) == 2
    for file in (KUSTOMIZATION, f"{path}/kustomization.yaml"):
        assert jobs[0].head in world.git.read(REPOSITORY, file).decode()


def test_cancelled_during_the_tests(world: World) -> None:
    """
    The tests end within seconds, and nothing was pushed.
    """
    job = world.job()
    job.write("internal/greeting/slow_test.go", SLOW)

    step = job.interrupt(world.only("verify"), when=lambda log: "ok  " in log)

    _assert_cancelled(step)
    assert json.loads(step.outputs["timings"])[1]["result"] == "cancelled"


def test_cancelled_during_the_build(world: World) -> None:
    """
    The compiler ends within seconds, and nothing was pushed.
    """
    job = world.job()
    inputs = world.only("build", image=f"{world.registry.address}/{REPOSITORY}", builder="ko")

    step = job.interrupt(inputs, when=lambda log: "Building ./cmd/hello-gitops" in log)

    _assert_cancelled(step)
    assert world.digest(job.head) == ""


def test_cancelled_during_the_push(world: World, tmp_path: Path) -> None:
    """
    A push under way is finished, and the outputs name its commit.
    """
    job = world.job()
    world.publish(job.head)
    before = world.git.head(REPOSITORY)
    begun = tmp_path / "push-has-begun"
    hook = world.git.path(REPOSITORY) / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\ntouch {begun}\nsleep 1\n")
    hook.chmod(0o755)

    step = job.interrupt(world.inputs(stages="promote sync"), when=lambda _: begun.exists())

    _assert_cancelled(step)
    assert world.commits_since(before) == [step.outputs["gitops-commit"]]
    assert f"{step.outputs['gitops-commit'][:7]} asks for the image" in step.log


def test_cancelled_during_the_wait(world: World) -> None:
    """
    The wait ends within seconds, and says where Argo CD stood.
    """
    job = world.job()
    world.publish(job.head)
    world.application.behaviour = Behaviour(never_healthy=True)

    step = job.interrupt(world.inputs(stages="promote sync"), when=lambda log: "Progressing" in log)

    _assert_cancelled(step)
    assert step.outputs["changed"] == "true"
    assert step.outputs["health-status"] == "Progressing"


def _assert_cancelled(step: Step) -> None:
    assert step.exit_code == 130, step.log
    assert step.seconds < 5
    assert step.outputs["result"] == "failed"
    assert step.outputs["failure"] == "cancelled"
    assert "⏹️ Cancelled" in step.summary
    assert "Traceback" not in step.log
