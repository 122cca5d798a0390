"""What bad input gets: one clear message with its fix, before anything is pushed or committed.

The step runs without its container here, so that each case takes a second or two.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import GIT_TOKEN, PASSWORD, REPOSITORY, World
from tests.fakes.argocd import FakeArgoCD
from tests.systems.buildkit import required_buildkit
from tests.systems.proxy import proxy

_NOBODY_LISTENS = "127.0.0.1:9"
# Longer than the step is waited for here.
_SLOW = b"""package greeting

import ("testing"; "time")

func TestSlow(*testing.T) { time.Sleep(5 * time.Minute) }
"""


def _step(world: World, inputs: dict[str, str], folder: Path) -> tuple[int, str, dict[str, str]]:
    """Run the step on this machine; gives exit status, log and outputs."""
    with world.started_here(inputs, folder) as step:
        log, _ = step.communicate(timeout=120)
    outputs = dict(line.split("=", 1) for line in log.splitlines() if "=" in line)
    return step.returncode, log, outputs


def _promote(world: World, **given: str) -> dict[str, str]:
    return world.inputs(stages="promote sync") | {
        name.replace("_", "-"): value for name, value in given.items()
    }


def _publish(world: World, **given: str) -> dict[str, str]:
    inputs = world.ko(stages="verify build publish")
    for name in (
        *("kustomizations", "argocd-server", "argocd-token", "argocd-applications"),
        "wait-timeout",
    ):
        del inputs[name]
    return inputs | {name.replace("_", "-"): value for name, value in given.items()}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        pytest.param(
            lambda world: _promote(world, kustomizations="kustomize/overlays/prod"),
            ("kustomization", "kustomize/overlays/prod", "start at the root"),
            id="kustomization that does not exist",
        ),
        pytest.param(
            lambda world: _promote(world, gitops_branch="live"),
            ("gitops", "live", "main"),
            id="branch that does not exist",
        ),
        pytest.param(
            lambda world: _promote(world, github_token=world.git.read_only_token),
            ("gitops-access", "", "contents: write"),
            id="token without write permission",
        ),
        pytest.param(
            lambda world: _promote(world, github_token="wrong"),
            ("gitops-access", "", "contents: write"),
            id="wrong git token",
        ),
        pytest.param(
            lambda world: _promote(world, argocd_applications="hello-gitop"),
            ("application", "hello-gitop", "hello-gitops"),
            id="unknown Application",
        ),
        pytest.param(
            lambda world: _promote(world, argocd_token="a.b.c"),
            ("argocd-login", "", "argocd-token"),
            id="wrong Argo CD token",
        ),
        pytest.param(
            lambda world: _promote(world, argocd_server=f"http://{_NOBODY_LISTENS}"),
            ("argocd-unavailable", _NOBODY_LISTENS, "argocd-server"),
            id="unreachable Argo CD",
        ),
        pytest.param(
            lambda world: _publish(world, image=f"{_NOBODY_LISTENS}/acme/shop"),
            ("registry-unavailable", _NOBODY_LISTENS, "image"),
            id="unreachable registry",
        ),
        pytest.param(
            lambda world: _publish(world, registry_password="wrong"),
            ("registry-login", "", "registry-password"),
            id="wrong registry password",
        ),
    ],
)
def test_the_message_says_what_to_do(
    laptop: World,
    tmp_path: Path,
    inputs: Callable[[World], dict[str, str]],
    expected: tuple[str, str, str],
) -> None:
    """
    Each mistake ends in its own kind of failure and its fix, and nothing was written.
    """
    failure, said, advice = expected
    laptop.publish(laptop.git.head(REPOSITORY))
    before = laptop.git.head(REPOSITORY)

    status, log, outputs = _step(laptop, inputs(laptop), tmp_path)

    assert (status, outputs["result"], outputs["failure"]) == (1, "failed", failure), log
    error = log[log.index("\nerror: ") :]
    assert said in error
    assert advice in error
    assert "nothing was pushed or committed" in log
    assert laptop.git.head(REPOSITORY) == before
    assert GIT_TOKEN not in log
    assert PASSWORD not in log


def test_a_user_who_may_not_push_is_told_while_the_tests_run(laptop: World, tmp_path: Path) -> None:
    """
    Nobody waits for tests and a build whose image the registry would not take.
    """
    laptop.git.commit(REPOSITORY, {"internal/greeting/slow_test.go": _SLOW})
    refusal = b'{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}'
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nConnection: close\r\n"
    answer = head + b"Content-Length: %d\r\n\r\n" % len(refusal) + refusal
    with proxy(laptop.registry.address) as reading:
        reading.breaks(answer, at=b"POST /v2/")
        inputs = _publish(
            laptop,
            image=f"{reading.address}/{REPOSITORY}",
            base_image=f"{reading.address}/base/static",
        )

        status, log, outputs = _step(laptop, inputs, tmp_path)

    assert (status, outputs["failure"]) == (1, "registry-login"), log
    assert "permission_denied: write_package" in log
    assert "nothing was pushed or committed" in log
    assert PASSWORD not in log


def test_a_self_signed_certificate_is_explained_and_can_be_trusted(
    laptop: World, tmp_path: Path
) -> None:
    """
    The message names `ca-certificates`, and with it the step goes on.
    """
    laptop.publish(laptop.git.head(REPOSITORY))
    with FakeArgoCD(tls=True) as argocd:
        argocd.add_application(
            "hello-gitops",
            repo_url=laptop.git.url(REPOSITORY),
            path="kustomize/overlays/dev",
            resolve=lambda branch: laptop.git.head(REPOSITORY, branch),
        )
        inputs = _promote(laptop, argocd_server=argocd.url, argocd_token=argocd.token)

        status, log, outputs = _step(laptop, inputs, tmp_path)
        inputs["ca-certificates"] = argocd.certificate.read_text()
        _, second_log, trusted = _step(laptop, inputs, tmp_path)

    assert (status, outputs["failure"]) == (1, "argocd-tls"), log
    assert "ca-certificates" in log
    assert trusted["result"] == "healthy", second_log


def test_a_module_without_go_mod_is_explained(laptop: World, tmp_path: Path) -> None:
    """
    A wrong `working-directory` is told in one line.
    """
    inputs = laptop.only("verify", working_directory="kustomize")

    status, log, outputs = _step(laptop, inputs, tmp_path)

    assert (status, outputs["failure"]) == (1, "go-module")
    assert "working-directory" in log


def test_several_wrong_inputs_are_named_at_once(laptop: World, tmp_path: Path) -> None:
    """
    One run finds every mistake in the step, before anything is asked or touched.
    """
    inputs = _promote(laptop, argocd_token="", tags="a+b", stages="promote, sync, deploy")
    contradictory = _promote(laptop, argocd_token="", tags="a+b", registry_password="")

    _, log, outputs = _step(laptop, inputs, tmp_path)
    _, second_log, _ = _step(laptop, contradictory, tmp_path)

    assert outputs["failure"] == "invalid-input"
    assert "'deploy'" in log
    for said in ("`argocd-token` is empty", "'a_b' would do", "`registry-password` is empty"):
        assert said in second_log
    assert laptop.argocd.requests == []


def test_a_dockerfile_without_an_engine_offers_both_ways_out(
    laptop: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The builder is never changed in silence.
    """
    monkeypatch.setenv("PATH", _without_docker(tmp_path))

    status, log, outputs = _step(laptop, _publish(laptop, builder="auto", base_image=""), tmp_path)

    assert (status, outputs["failure"]) == (1, "no-engine"), log
    assert "builder: ko" in log
    assert "/var/run/docker.sock" in log


def test_a_buildkit_that_does_not_let_us_in_is_explained(laptop: World, tmp_path: Path) -> None:
    """
    A client's certificate of another authority is told at once, and nothing of the key is shown.
    """
    with required_buildkit(mirror=laptop.registry.address) as running:
        inputs = _publish(
            laptop,
            stages="build publish",
            builder="auto",
            base_image="",
            buildkit_address=running.address,
            buildkit_tls=running.stranger,
        )
        status, log, outputs = _step(laptop, inputs, tmp_path)

    assert (status, outputs["failure"]) == (1, "no-engine"), log
    assert "`buildkit-tls` do not fit: tlsv1 alert unknown ca" in log
    assert "cat ca.pem cert.pem key.pem" in log
    shown = [line for line in log.splitlines() if not line.startswith("::add-mask::")]
    assert not [line for line in running.stranger.splitlines() if line in shown]


def _without_docker(folder: Path) -> str:
    """A PATH on which there is no `docker`."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("git", "go", "gofmt", "crane", "ko", "setpriv", "sh", "env"):
        found = shutil.which(name)
        if found:
            (programs / name).symlink_to(found)
    return str(programs)
