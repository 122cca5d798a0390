"""What a workflow may not ask of `go test`: to test something else, or to tell a secret."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence

from gitops_action.errors import InputError, RunnerError
from gitops_action.model.go import refused_flag

_REFUSED = ("toolexec", "exec", "overlay")
# The reading of the events depends on these.
_OURS = ("json", "fullpath")
# With these nothing is tested, or without an end.
_NO_TEST = ("c", "n", "list", "fuzz")
# The runner's own variables and those of this action: tokens, sockets, files of later steps.
_RUNNERS = re.compile(r"(INPUT|GITHUB|ACTIONS|RUNNER|DOCKER|GIT|LD)_.*|(?i:.*_PROXY)|PATH|HOME")
_SECRETS = re.compile(r"INPUT_(.*(TOKEN|PASSWORD|KEY)|BUILDKIT-TLS)|ACTIONS_.*TOKEN|GITHUB_TOKEN")
# Lines of a name and a secret.
_LISTS = re.compile(r"INPUT_(BUILD-SECRETS|ARGOCD-HEADERS)")
_SHORTEST_SECRET = 8


def check_flags(env: Mapping[str, str], flags: Sequence[str], packages: Sequence[str]) -> None:
    """Raise InputError where GOFLAGS, the flags or the packages ask for what is refused."""
    if flag := refused_flag(env.get("GOFLAGS", "")):
        raise InputError(
            f"`GOFLAGS` contains `{flag}`, which would run or read something else than what is "
            "tested.",
            hint=f"Take `{flag}` out of `GOFLAGS` in the `env:` of this step.",
        )
    for flag in flags:
        name = flag.lstrip("-").partition("=")[0]
        if not flag.startswith("-") or name not in {*_REFUSED, *_OURS, *_NO_TEST, "args"}:
            continue
        if name == "args":
            break
        raise InputError(
            f"`go-test-flags` contains `{flag}`, which this action does not pass on.",
            hint=f"Take `{flag}` out of `go-test-flags`.",
        )
    if odd := [package for package in packages if package.startswith("-")]:
        raise InputError(
            f"`go-packages` contains `{odd[0]}`, which is a flag.",
            hint="Write flags into `go-test-flags`.",
        )


def check_variables(env: Mapping[str, str], names: Sequence[str]) -> None:
    """Raise InputError where tests would see a variable of the runner's, a token, or nothing."""
    secrets = {value for value in _secrets(env) if len(value) >= _SHORTEST_SECRET}
    for name in names:
        if _RUNNERS.fullmatch(name):
            raise InputError(
                f"`test-env` names `{name}`, which is the runner's or this action's own.",
                hint="Give the tests a variable of their own name in the `env:` of this step.",
            )
        if name not in env:
            raise InputError(
                f"`test-env` names `{name}`, which is not set.",
                hint=f"Set `{name}` in the `env:` of this step, or take it out of `test-env`.",
            )
        if any(secret in env[name] for secret in secrets):
            raise InputError(
                f"`test-env` names `{name}`, whose value holds a token of this step.",
                hint="Tests would have it. Give them a token of their own that can do less.",
            )


def _secrets(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        if _SECRETS.fullmatch(name):
            yield value.strip()
        elif _LISTS.fullmatch(name):
            yield from (
                re.split("[=:]", line, maxsplit=1)[-1].strip() for line in value.split("\n")
            )


def check_compiler(env: Mapping[str, str]) -> None:
    """Raise RunnerError where cgo is on and no C compiler is there; `env` is that of the tests."""
    compiler = env.get("CC", "gcc").split()[0]
    if env.get("CGO_ENABLED") == "1" and shutil.which(compiler, path=env["PATH"]) is None:
        raise RunnerError(
            f"cgo is on (`CGO_ENABLED: 1`, or `-race`), and its C compiler `{compiler}` is not "
            "there.",
            hint="The action's image carries gcc: take `CC` out of the `env:` of this step. "
            "Elsewhere, install gcc.",
        )
