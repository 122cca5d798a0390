"""What tests may see of the step's environment, and what is told to Go alone."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from gitops_action.adapters.go.environment import trusted_environment, verify_environment
from gitops_action.adapters.go.private import Private
from gitops_action.adapters.go.refusals import check_compiler, check_variables
from gitops_action.errors import InputError, RunnerError
from gitops_action.model.secret import Secret

PRIVATE = Private(Path("/verify"), None)


@pytest.mark.parametrize(
    "name",
    [
        *("GITHUB_TOKEN", "GITHUB_ENV", "ACTIONS_RUNTIME_TOKEN", "INPUT_ARGOCD-TOKEN"),
        *("RUNNER_TEMP", "DOCKER_CONFIG", "GIT_CONFIG_VALUE_0", "LD_PRELOAD", "HTTPS_PROXY"),
        *("https_proxy", "PATH", "HOME"),
    ],
)
def test_variables_of_the_runner_are_refused(name: str) -> None:
    """`test-env` hands on what the workflow's author made for the tests, and nothing else."""
    with pytest.raises(InputError, match=name):
        check_variables({name: "value"}, (name,))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INPUT_GITHUB-TOKEN", "ghs_0123456789"),
        ("INPUT_REGISTRY-PASSWORD", "ghs_0123456789\n"),
        ("INPUT_BUILD-SECRETS", "OTHER=something\nAPI_TOKEN = ghs_0123456789"),
        ("INPUT_ARGOCD-HEADERS", "X-Access: ghs_0123456789"),
        ("INPUT_BUILDKIT-TLS", "ghs_0123456789"),
    ],
)
def test_a_token_under_another_name_is_refused(name: str, value: str) -> None:
    """A variable that holds a token of this step would give the tests that token."""
    env = {name: value, "API": "https://ghs_0123456789@example.com"}

    with pytest.raises(InputError) as raised:
        check_variables(env, ("API",))

    assert "holds a token of this step" in raised.value.message
    assert "ghs_" not in raised.value.told


def test_a_variable_that_is_not_set_is_named() -> None:
    """A misspelt name fails before any test does."""
    with pytest.raises(InputError) as raised:
        check_variables({}, ("DATABASE_URL",))

    assert raised.value.message == "`test-env` names `DATABASE_URL`, which is not set."


def test_tests_see_the_variables_that_are_named() -> None:
    """A named variable reaches the tests, and cannot replace what keeps them apart."""
    env = {"DATABASE_URL": "postgres://db", "OTHER": "unseen", "GOPROXY": "https://proxy"}
    check_variables(env, ("DATABASE_URL", "GOPROXY"))

    seen = verify_environment(env, PRIVATE, (), ("DATABASE_URL", "GOPROXY"))

    assert seen["DATABASE_URL"] == "postgres://db"
    assert "OTHER" not in seen
    assert seen["GOPROXY"] == "off"


def test_the_token_for_modules_is_for_its_server_alone() -> None:
    """git sends it to the workflow's own GitHub, follows nowhere, and no test has it."""
    env = {"GITHUB_SERVER_URL": "https://github.example.com", "GOPRIVATE": "github.example.com"}

    trusted = trusted_environment(env, PRIVATE, Secret("ghp_secret"))
    tests = verify_environment(env, PRIVATE, (), ())

    basic = b64encode(b"x-access-token:ghp_secret").decode()
    key = "http.https://github.example.com/"
    assert (trusted["GIT_CONFIG_KEY_0"], trusted["GIT_CONFIG_VALUE_0"]) == (
        f"{key}.extraheader",
        f"AUTHORIZATION: basic {basic}",
    )
    assert (trusted["GIT_CONFIG_KEY_1"], trusted["GIT_CONFIG_VALUE_1"]) == (
        f"{key}.followRedirects",
        "false",
    )
    assert not {name for name in tests if name.startswith("GIT")}


@pytest.mark.parametrize(
    ("env", "flags", "expected"),
    [
        ({}, (), "0"),
        ({}, ("-race",), "1"),
        ({"GOFLAGS": "-mod=mod -race"}, (), "1"),
        ({"CGO_ENABLED": "0"}, ("-race",), "0"),
        ({"CGO_ENABLED": "1"}, (), "1"),
    ],
)
def test_cgo_is_on_for_who_asks(env: dict[str, str], flags: tuple[str, ...], expected: str) -> None:
    """`-race` needs cgo and brings it; Go's own variable has the last word."""
    assert verify_environment(env, PRIVATE, flags, ())["CGO_ENABLED"] == expected


def test_a_missing_compiler_is_named_at_once(tmp_path: Path) -> None:
    """Nobody waits for a build to learn that there is no C compiler."""
    with pytest.raises(RunnerError, match="`clang` is not there") as raised:
        check_compiler({"CGO_ENABLED": "1", "CC": "clang -m64", "PATH": str(tmp_path)})

    assert "gcc" in raised.value.hint
