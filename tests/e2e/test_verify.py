"""The tests of a module in the action's own image: what the next job has of them, and how soon."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systems.go import MODULES
from tests.systems.runner import OWNER, HostedRunner, Step
from tests.systems.services import PORT, service

VERIFY = {"stages": "verify"}
# Where the runner acts on no command.
FENCED = re.compile(r"^::stop-commands::(\S+)$.*?^::\1::$", re.MULTILINE | re.DOTALL)
EXAMPLE = Path(__file__).parents[2] / "examples" / "hello-gitops"


@pytest.fixture
def job(tmp_path: Path, image: str, docker_host: str) -> HostedRunner:
    return HostedRunner(
        folder=tmp_path / "runner",
        image=image,
        docker_host=docker_host,
        repository="acme/hello-gitops",
        server_url="https://git.example.com",
    )


def checkout(job: HostedRunner, source: Path) -> None:
    """Begin a job on a new checkout, with what `actions/cache` brought and nothing else."""
    shutil.rmtree(job.workspace)
    origin = job.folder.parent / "origin"
    job.checkout(str(origin if origin.exists() else commit(source, origin)))


def commit(source: Path, origin: Path) -> Path:
    shutil.copytree(source, origin)
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        identity = ["-c", "user.name=Dev", "-c", "user.email=dev@example.com"]
        subprocess.run(["git", *identity, *command], cwd=origin, check=True)
    return origin


def seconds(step: Step, what: str) -> float:
    found = re.search(rf"{what} ([0-9.]+) s", step.log)
    assert found, step.log
    return float(found[1])


def test_a_second_job_answers_from_the_cache(job: HostedRunner) -> None:
    """
    The caches lie where `actions/cache` finds them, as the runner's user, and save the next job.
    """
    checkout(job, EXAMPLE)
    first = job.run(VERIFY)
    kept = job.folder / "_temp" / "gitops-action"
    owners = {path.lstat().st_uid for path in (kept, *kept.rglob("*"))}
    checkout(job, EXAMPLE)

    second = job.run(VERIFY)

    assert first.exit_code == second.exit_code == 0, first.log + second.log
    assert "(cached)" not in first.log
    assert re.search(r"^ok   .*  \(cached\)  ", second.log, re.MULTILINE), second.log
    assert owners == {OWNER}


def test_a_warm_stage_costs_little_beside_go_itself(job: HostedRunner) -> None:
    """
    Copy, isolation and reading take at most 0.3 s beside `go test`, the copy of caches apart.
    """
    checkout(job, EXAMPLE)
    job.run(VERIFY)

    steps = [job.run(VERIFY) for _ in range(3)]

    beside = [
        {run["stage"]: run["seconds"] for run in json.loads(step.outputs["timings"])}["verify"]
        - seconds(step, "`go test` took")
        - seconds(step, "copying its caches")
        for step in steps
    ]
    assert min(beside) <= 0.3


def test_a_cold_job_compiles_no_standard_library(job: HostedRunner) -> None:
    """
    The image brings it compiled: a first job, without any cache, tests at once.
    """
    checkout(job, MODULES / "passing")

    step = job.run(VERIFY)

    assert step.exit_code == 0, step.log
    made = (job.folder / "_temp" / "gitops-action" / "go-build-tests").rglob("*-d")
    # The standard library alone would be 60 MB.
    assert 0 < sum(path.stat().st_size for path in made) < 8_000_000


def test_the_image_carries_what_the_race_detector_needs(job: HostedRunner) -> None:
    """
    `-race` in `go-test-flags` is all that a workflow says: a race is found, and shown at its line.
    """
    checkout(job, MODULES / "race")

    step = job.run({**VERIFY, "go-test-flags": "-race"})

    assert step.exit_code == 1
    assert any("file=counter.go,line=6" in line for line in step.errors), step.log


def test_a_hostile_module_changes_nothing_and_turns_nothing_green(job: HostedRunner) -> None:
    """
    In the image as on a runner: red stays red, no forged command counts, no output is another's.
    """
    checkout(job, MODULES / "hostile")
    before = job.git("status", "--porcelain", "--ignored")

    step = job.run(VERIFY)

    assert step.exit_code == 1, step.log
    assert step.outputs["result"] == "failed"
    assert any("really broken" in line for line in step.errors)
    acted_on = FENCED.sub("", step.log)
    assert "really broken" in acted_on
    assert not re.findall(
        r"^\s+::.*|^::(?:add-mask::a$|set-output|stop-commands).*", acted_on, re.MULTILINE
    )
    assert not any("TestPlants" in line or "TestForges" in line for line in step.errors), step.log
    assert job.git("status", "--porcelain", "--ignored") == before


def test_services_of_the_job_are_reached_by_name(
    job: HostedRunner, image: str, docker_host: str
) -> None:
    """
    With `services:` the step joins their network, where the code under test finds each by its key.
    """
    checkout(job, MODULES / "service")
    job.env["SERVICE"] = f"postgres:{PORT}"

    with service("postgres", image=image, docker_host=docker_host) as network:
        job.network = network
        step = job.run({**VERIFY, "test-env": "SERVICE"})

    assert step.exit_code == 0, step.log
    assert step.outputs["tests-passed"] == "1"


def test_what_the_image_brings_is_replaced_by_nobody(job: HostedRunner) -> None:
    """
    Tests could put a file of their own in the place of the standard library's, for later jobs.
    """
    checkout(job, MODULES / "poisoner")

    step = job.run(VERIFY)

    assert step.exit_code == 0, step.log


class InFolder(HostedRunner):
    """A job whose checkout was given `path: app`."""

    @property
    def head(self) -> str:
        return self.git("-C", "app", "rev-parse", "HEAD")


def test_a_checkout_in_a_folder_is_annotated_as_the_repository(
    tmp_path: Path, image: str, docker_host: str
) -> None:
    """
    With `path: app` and `working-directory: app`, annotations name files as GitHub knows them.
    """
    job = InFolder(
        folder=tmp_path / "runner",
        image=image,
        docker_host=docker_host,
        repository="acme/failing",
        server_url="https://git.example.com",
    )
    origin = commit(MODULES / "failing", tmp_path / "origin")
    subprocess.run(["git", "clone", "-q", origin, job.workspace / "app"], check=True)

    step = job.run({**VERIFY, "working-directory": "app"})

    assert step.exit_code == 1
    files = [re.findall(r"file=([^,]*),line=(\d*)", line) for line in step.errors]
    assert [one for found in files for one in found if one[0]] == [
        ("farewell/farewell_test.go", "16"),
        ("greeting/greeting_test.go", "13"),
        ("greeting/greeting_test.go", "16"),
    ], step.log
