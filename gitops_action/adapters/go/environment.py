"""The whole environments of `go`: one that may reach the network, one that tests may see."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

from gitops_action.adapters.go.private import Private
from gitops_action.model.secret import Secret

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
_DEFAULT_PATH = "/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin"
_RACE = {"-race", "--race", "-race=true", "--race=true"}


def trusted_environment(
    env: Mapping[str, str], private: Private, modules_token: Secret
) -> dict[str, str]:
    """Compose the environment of `go` where it resolves and downloads, before any test runs."""
    return {
        **_common(env, (*_BUILD, *_NETWORK), []),
        "HOME": str(private.trusted),
        "TMPDIR": str(private.trusted),
        "GOPATH": str(private.trusted),
        "GOCACHE": str(private.trusted / "cache"),
        "GOMODCACHE": str(private.modules),
        "GIT_TERMINAL_PROMPT": "0",
        **_git_credentials(env, modules_token),
    }


def verify_environment(
    env: Mapping[str, str], private: Private, flags: Sequence[str], variables: Sequence[str]
) -> dict[str, str]:
    """Compose the environment of `go test` and of the tests: all that they see.

    `variables` are the names beyond Go's own that they may see.
    """
    return {
        **{name: env[name] for name in variables},
        **_common(env, _BUILD, flags),
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


def races(env: Mapping[str, str], flags: Sequence[str]) -> bool:
    """Tell whether Go's race detector is asked for."""
    return bool(_RACE & {*flags, *env.get("GOFLAGS", "").split()})


def _common(env: Mapping[str, str], names: Sequence[str], flags: Sequence[str]) -> dict[str, str]:
    return {
        "PATH": env.get("PATH") or _DEFAULT_PATH,
        "LANG": env.get("LANG") or "C.UTF-8",
        # The race detector needs cgo, and who asks for it means that too.
        "CGO_ENABLED": env.get("CGO_ENABLED") or ("1" if races(env, flags) else "0"),
        "GOENV": "off",
        **{name: env[name] for name in names if env.get(name)},
    }


def _git_credentials(env: Mapping[str, str], token: Secret) -> dict[str, str]:
    """Let git read private modules of the server that the workflow runs on, and of no other."""
    if not token:
        return {}
    server = env.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    basic = b64encode(f"x-access-token:{token.reveal()}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {basic}",
        # git would send the header to wherever it is sent on.
        "GIT_CONFIG_KEY_1": f"http.{server}/.followRedirects",
        "GIT_CONFIG_VALUE_1": "false",
    }
