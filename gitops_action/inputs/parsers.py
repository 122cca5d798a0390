"""The text of an input made into a value; ValueError says what the text must be."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import urlsplit

from gitops_action.model.delivery import Delivery
from gitops_action.model.identity import Identity
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.pin import Pin
from gitops_action.model.secret import Secret
from gitops_action.model.stage import Stage
from gitops_action.model.via import Via, parse_via
from gitops_action.model.wait import (
    ApplicationName,
    ResourcePattern,
    SyncMode,
    WaitFor,
    parse_resource_pattern,
)

_T = TypeVar("_T")
_DURATION = re.compile(r"([1-9][0-9]*)(s|m|h)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
# These run another program, or change the output that decides.
_OUR_FLAGS = {"-exec", "-toolexec", "-overlay", "-json", "-c", "-o", "-C"}
_NOT_IN_BRANCHES = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/]|(?:^|/)\.|\.lock(?:/|$)")
_ALL = 100
_LAST_PORT = 65535
_BUILDERS = ("auto", "docker", "ko")
_ATTESTATIONS = {"provenance", "sbom"}
_PROOFS = {"when-possible": False, "required": True}


def text(raw: str) -> str:
    return raw


def words(raw: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[,\s]+", raw) if word)


def packages(raw: str) -> tuple[str, ...]:
    found = words(raw)
    if not found or any(word.startswith("-") for word in found):
        raise ValueError(f"must be packages such as `./...`, got {raw!r}")
    return found


def package(raw: str) -> str:
    if raw.startswith("-"):
        raise ValueError(f"must be a package such as `./cmd/shop`, got {raw!r}")
    return raw


def target(raw: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_.-]*)?", raw):
        raise ValueError(f"must be a stage of the Dockerfile such as `runtime`, got {raw!r}")
    return raw


def go_test_flags(raw: str) -> tuple[str, ...]:
    found = tuple(shlex.split(raw))
    for word in found:
        name = "-" + word.lstrip("-").partition("=")[0]
        if word.startswith("-") and name in _OUR_FLAGS:
            raise ValueError(f"must not hold `{name}`: it would replace how the tests are run")
    return found


def variables(raw: str) -> tuple[str, ...]:
    found = words(raw)
    if odd := [word for word in found if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", word)]:
        raise ValueError(f"must be names of variables such as `DATABASE_URL`, got {odd[0]!r}")
    return found


def percent(raw: str) -> float | None:
    """Parse a percentage; None stands for none."""
    if not re.fullmatch(r"(\d{1,3}(\.\d+)?)?", raw, re.ASCII) or float(raw or 0) > _ALL:
        raise ValueError(f"must be a percentage such as `80` or `72.5`, got {raw!r}")
    return float(raw) if raw else None


def boolean(raw: str) -> bool:
    if raw not in _BOOLEANS:
        raise ValueError(f"must be `true` or `false`, got {raw!r}")
    return _BOOLEANS[raw]


def _one_of(choices: Mapping[str, _T]) -> Callable[[str], _T]:
    """Make the parser of an input that takes one of some words."""

    def parse(raw: str) -> _T:
        if raw not in choices:
            raise ValueError(f"must be one of `{'`, `'.join(choices)}`, got {raw!r}")
        return choices[raw]

    return parse


builder = _one_of({builder: builder for builder in _BUILDERS})
build_cache = _one_of({kind: kind for kind in ("none", "inline", "registry")})
pin = _one_of({pin.value: pin for pin in Pin})
rendered_proof = _one_of(_PROOFS)
delivery = _one_of({way.value: way for way in Delivery})
on_failed_rollout = _one_of({"keep": False, "revert": True})
wait_for = _one_of({goal.value: goal for goal in WaitFor})
argocd_sync = _one_of({mode.value: mode for mode in SyncMode})


def optional_duration(raw: str) -> timedelta:
    return duration(raw) if raw else timedelta()


def labels(raw: str) -> tuple[str, ...]:
    """Parse labels, which may have spaces inside."""
    return tuple(part.strip() for part in re.split(r"[,\n]", raw) if part.strip())


def duration(raw: str) -> timedelta:
    match = _DURATION.fullmatch(raw)
    if not match:
        raise ValueError(f"must be a duration such as `90s`, `15m` or `1h`, got {raw!r}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def stages(raw: str) -> frozenset[Stage] | None:
    """Parse a list of stages; None stands for `auto`."""
    found = words(raw)
    if found == ("auto",):
        return None
    unknown = [word for word in found if word not in list(Stage)]
    if unknown or not found:
        raise ValueError(
            f"must be `auto` or some of `{' '.join(Stage)}`, "
            f"got {', '.join(map(repr, unknown)) or 'nothing'}"
        )
    return frozenset(Stage(word) for word in found)


def image(raw: str) -> Repository | ImageReference | None:
    return ImageReference.parse(raw) if raw else None


def path(raw: str) -> PurePosixPath:
    path = PurePosixPath(raw)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"must be a path inside the repository, got {raw!r}")
    return path


def paths(raw: str) -> tuple[PurePosixPath, ...]:
    return tuple(path(line.strip()) for line in re.split(r"[,\n]", raw) if line.strip())


def applications(raw: str) -> tuple[ApplicationName, ...]:
    names = []
    for word in words(raw):
        namespace, _, name = word.rpartition("/")
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name) or "/" in namespace:
            raise ValueError(f"must be names such as `shop` or `team/shop`, got {word!r}")
        names.append(ApplicationName(name, namespace))
    return tuple(names)


def selector(raw: str) -> str:
    """Parse a selector of labels as Kubernetes has it; Argo CD reads what is between the commas."""
    if raw and not re.fullmatch(r"[A-Za-z0-9._/!=(), -]+", raw):
        raise ValueError(f"must be labels such as `app=shop,stage!=dev`, got {raw!r}")
    return raw


def project(raw: str) -> str:
    if raw and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", raw):
        raise ValueError(f"must be the name of a project such as `team`, got {raw!r}")
    return raw


def resources(raw: str) -> tuple[ResourcePattern, ...]:
    return tuple(parse_resource_pattern(word) for word in words(raw))


def server(raw: str) -> str:
    url = raw if "://" in raw or not raw else f"https://{raw}"
    parts = urlsplit(url)
    if raw and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username):
        raise ValueError(f"must be an address such as `https://argocd.example.com`, got {raw!r}")
    return url.rstrip("/")


def pairs(raw: str) -> Mapping[str, str]:
    """Parse `NAME=value` lines, such as labels and build arguments."""
    found = {}
    for line in filter(None, map(str.strip, raw.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./-]*", name):
            raise ValueError(f"must be lines such as `NAME=value`, got {line!r}")
        found[name] = value
    return found


def build_secrets(raw: str) -> Mapping[str, Secret]:
    """Parse one secret a line; what they are is never part of an error."""
    found = {}
    for line in filter(None, map(str.strip, raw.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or not value:
            raise ValueError("must be lines such as `NPM_TOKEN=${{ secrets.NPM_TOKEN }}`")
        found[name] = Secret(value)
    return found


def platforms(raw: str) -> tuple[str, ...]:
    found = words(raw)
    if odd := [one for one in found if not re.fullmatch(r"[a-z0-9]+/[a-z0-9]+(/v[0-9]+)?", one)]:
        raise ValueError(f"must be platforms such as `linux/amd64`, got {odd[0]!r}")
    return tuple(dict.fromkeys(found))


def attestations(raw: str) -> tuple[str, ...]:
    found = words(raw)
    if found == ("none",):
        return ()
    if not found or not _ATTESTATIONS.issuperset(found):
        raise ValueError(f"must be `none`, `provenance`, `sbom` or both of these, got {raw!r}")
    return found


def buildkit_address(raw: str) -> str:
    """Parse `tcp://HOST:PORT`; empty stands for none."""
    found = re.fullmatch(r"tcp://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})", raw)
    if raw and not (found and 0 < int(found[1]) <= _LAST_PORT):
        raise ValueError(f"must be as `tcp://buildkit.example.com:1234`, got {raw!r}")
    return raw


def headers(raw: str) -> Mapping[str, Secret]:
    """Parse one header a line; what they are is never part of an error."""
    found = {}
    for line in filter(None, map(str.strip, raw.splitlines())):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not value:
            raise ValueError("must be lines such as `CF-Access-Client-Id: …`")
        found[name] = Secret(value)
    return found


def via(raw: str) -> Via:
    return parse_via(raw)


def certificates(raw: str) -> str:
    if raw and "-----BEGIN CERTIFICATE-----" not in raw:
        raise ValueError("must hold PEM certificates (`-----BEGIN CERTIFICATE-----`)")
    return raw


def line(raw: str) -> str:
    if "\n" in raw or not raw:
        raise ValueError("must be one line of text")
    return raw


def branch(raw: str) -> str:
    """Parse a branch's name by the rules of `git check-ref-format`; empty stands for none."""
    if raw and (_NOT_IN_BRANCHES.search(raw) or raw == "@" or raw.endswith((".", "/"))):
        raise ValueError(f"must be the name of a branch such as `main`, got {raw!r}")
    return raw


def identity(raw: str) -> Identity:
    match = re.fullmatch(r"([^<>\n]*\w[^<>\n]*?) <([^<>\s]+)>", raw)
    if not match:
        raise ValueError(f"must be as `Ada Lovelace <ada@example.com>`, got {raw!r}")
    return Identity(match[1], match[2])


def private_key(raw: str) -> Secret:
    if raw and "PRIVATE KEY-----" not in raw:
        raise ValueError(
            "must be a private SSH key with all its lines, from `-----BEGIN` to `-----`"
        )
    return Secret(raw)
