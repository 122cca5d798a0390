"""The whole environments of `go`: one that may reach the network, one that tests may see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gitops_action.adapters.go.private import Private
from gitops_action.errors import InputError

# Go's own variables that say what is built and how; none holds a secret or a place of ours.
_BUILD = (
    *("GOARCH", "GOAMD64", "GOARM", "GOARM64", "GO386", "GODEBUG", "GOEXPERIMENT", "GOFIPS140"),
    *("GOFLAGS", "GOWORK", "GO111MODULE", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"),
    *("CC", "CXX", "AR", "FC", "PKG_CONFIG", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS"),
    *("CGO_FFLAGS", "CGO_LDFLAGS"),
)
# Where modules come from; what is asked for it may hold credentials, so that tests see none of it.
_NETWORK = (
    *("GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOINSECURE", "GOVCS"),
    *("GOTOOLCHAIN", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy"),
    *("no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
# They run a program of their own choice, or read a file from outside, in place of what is tested.
_REFUSED = ("toolexec", "exec", "overlay")
_REFUSED_IN_GOFLAGS = re.compile(rf"""(?:^|[\s'"])--?({"|".join(_REFUSED)})(?=[\s='"]|$)""")
# The reading of the events depends on these.
_OURS = ("json", "fullpath")
_DEFAULT_PATH = "/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin"


def trusted_environment(env: Mapping[str, str], private: Private) -> dict[str, str]:
    """Compose the environment of `go` where it resolves and downloads, before any test runs."""
    return {
        **_common(env, (*_BUILD, *_NETWORK)),
        "HOME": str(private.trusted),
        "TMPDIR": str(private.trusted),
        "GOPATH": str(private.trusted),
        "GOCACHE": str(private.trusted / "cache"),
        "GOMODCACHE": str(private.modules),
        "GIT_TERMINAL_PROMPT": "0",
    }


def verify_environment(env: Mapping[str, str], private: Private) -> dict[str, str]:
    """Compose the environment of `go test` and of the tests: all that they see."""
    return {
        **_common(env, _BUILD),
        "CI": "true",
        "HOME": str(private.home),
        "TMPDIR": str(private.temporary),
        "GOPATH": str(private.home / "go"),
        "GOCACHE": str(private.cache),
        "GOMODCACHE": str(private.modules),
        # Everything has been downloaded, by a process that may know a token.
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOTOOLCHAIN": "local",
    }


def _common(env: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {
        "PATH": env.get("PATH") or _DEFAULT_PATH,
        "LANG": env.get("LANG") or "C.UTF-8",
        "CGO_ENABLED": env.get("CGO_ENABLED") or "0",
        "GOENV": "off",
        **{name: env[name] for name in names if env.get(name)},
    }


def check_flags(env: Mapping[str, str], flags: Sequence[str], packages: Sequence[str]) -> None:
    """Raise InputError where GOFLAGS, the flags or the packages ask for what is refused."""
    # Searched as text, because a parser that reads quotes another way than Go can be fooled.
    if match := _REFUSED_IN_GOFLAGS.search(env.get("GOFLAGS", "")):
        raise InputError(
            f"`GOFLAGS` contains `-{match[1]}`, which would run or read something else than "
            "what is tested.",
            hint=f"Take `-{match[1]}` out of `GOFLAGS` in the `env:` of this step.",
        )
    for flag in flags:
        name = flag.lstrip("-").partition("=")[0]
        if not flag.startswith("-") or name not in {*_REFUSED, *_OURS, "args"}:
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
