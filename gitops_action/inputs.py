"""The step's inputs and the run's context, parsed once; every problem is reported at once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

from gitops_action.errors import InputError
from gitops_action.model.image import Repository
from gitops_action.model.pin import Pin
from gitops_action.model.secret import Secret
from gitops_action.model.source import Commit
from gitops_action.model.stage import Stage
from gitops_action.model.wait import ApplicationName, WaitFor

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
_BUILDERS = ("auto", "docker", "ko")
_PROOFS = {"when-possible": False, "required": True}


def _text(raw: str) -> str:
    return raw


def _words(raw: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[,\s]+", raw) if word)


def _packages(raw: str) -> tuple[str, ...]:
    words = _words(raw)
    if not words or any(word.startswith("-") for word in words):
        raise ValueError(f"must be packages such as `./...`, got {raw!r}")
    return words


def _package(raw: str) -> str:
    if raw.startswith("-"):
        raise ValueError(f"must be a package such as `./cmd/shop`, got {raw!r}")
    return raw


def _go_test_flags(raw: str) -> tuple[str, ...]:
    words = tuple(shlex.split(raw))
    for word in words:
        name = "-" + word.lstrip("-").partition("=")[0]
        if word.startswith("-") and name in _OUR_FLAGS:
            raise ValueError(f"must not hold `{name}`: it would replace how the tests are run")
    return words


def _boolean(raw: str) -> bool:
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


_builder = _one_of({builder: builder for builder in _BUILDERS})
_pin = _one_of({pin.value: pin for pin in Pin})
_rendered_proof = _one_of(_PROOFS)
_wait_for = _one_of({goal.value: goal for goal in WaitFor})


def _duration(raw: str) -> timedelta:
    match = _DURATION.fullmatch(raw)
    if not match:
        raise ValueError(f"must be a duration such as `90s`, `15m` or `1h`, got {raw!r}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _stages(raw: str) -> frozenset[Stage] | None:
    """Parse a list of stages; None stands for `auto`."""
    words = _words(raw)
    if words == ("auto",):
        return None
    unknown = [word for word in words if word not in list(Stage)]
    if unknown or not words:
        raise ValueError(
            f"must be `auto` or some of `{' '.join(Stage)}`, "
            f"got {', '.join(map(repr, unknown)) or 'nothing'}"
        )
    return frozenset(Stage(word) for word in words)


def _repository(raw: str) -> Repository | None:
    return Repository(raw) if raw else None


def _path(raw: str) -> PurePosixPath:
    path = PurePosixPath(raw)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"must be a path inside the repository, got {raw!r}")
    return path


def _paths(raw: str) -> tuple[PurePosixPath, ...]:
    return tuple(_path(line.strip()) for line in re.split(r"[,\n]", raw) if line.strip())


def _applications(raw: str) -> tuple[ApplicationName, ...]:
    names = []
    for word in _words(raw):
        namespace, _, name = word.rpartition("/")
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name) or "/" in namespace:
            raise ValueError(f"must be names such as `shop` or `team/shop`, got {word!r}")
        names.append(ApplicationName(name, namespace))
    return tuple(names)


def _server(raw: str) -> str:
    url = raw if "://" in raw or not raw else f"https://{raw}"
    parts = urlsplit(url)
    if raw and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username):
        raise ValueError(f"must be an address such as `https://argocd.example.com`, got {raw!r}")
    return url.rstrip("/")


def _certificates(raw: str) -> str:
    if raw and "-----BEGIN CERTIFICATE-----" not in raw:
        raise ValueError("must hold PEM certificates (`-----BEGIN CERTIFICATE-----`)")
    return raw


def _line(raw: str) -> str:
    if "\n" in raw or not raw:
        raise ValueError("must be one line of text")
    return raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The inputs of action.yml, with `_` for `-`; `given` names those that are not the default."""

    stages: Annotated[frozenset[Stage] | None, _stages]
    github_token: Annotated[Secret, Secret]
    ca_certificates: Annotated[str, _certificates]
    working_directory: Annotated[PurePosixPath, _path]
    go_packages: Annotated[tuple[str, ...], _packages]
    go_test_flags: Annotated[tuple[str, ...], _go_test_flags]
    image: Annotated[Repository | None, _repository]
    tags: Annotated[tuple[str, ...], _words]
    builder: Annotated[str, _builder]
    context: Annotated[PurePosixPath | None, lambda raw: _path(raw) if raw else None]
    dockerfile: Annotated[PurePosixPath, _path]
    main_package: Annotated[str, _package]
    base_image: Annotated[str, _text]
    registry_username: Annotated[str, _text]
    registry_password: Annotated[Secret, Secret]
    kustomizations: Annotated[tuple[PurePosixPath, ...], _paths]
    kustomize_name: Annotated[str, _text]
    rendered_proof: Annotated[bool, _rendered_proof]
    pin: Annotated[Pin, _pin]
    gitops_repository: Annotated[str, _text]
    gitops_branch: Annotated[str, _text]
    gitops_token: Annotated[Secret, Secret]
    commit_message: Annotated[str, _line]
    argocd_server: Annotated[str, _server]
    argocd_token: Annotated[Secret, Secret]
    argocd_applications: Annotated[tuple[ApplicationName, ...], _applications]
    argocd_insecure: Annotated[bool, _boolean]
    wait_for: Annotated[WaitFor, _wait_for]
    wait_timeout: Annotated[timedelta, _duration]
    given: frozenset[str]


def input_names() -> tuple[str, ...]:
    """Every input's name, as action.yml spells it."""
    return tuple(field.name.replace("_", "-") for field in fields(Inputs) if field.name != "given")


def secrets(env: Mapping[str, str]) -> tuple[Secret, ...]:
    """Every secret that was sent, to be masked before the first line is printed."""
    names = (name for name, hint in get_type_hints(Inputs).items() if hint is Secret)
    sent = (env.get(f"INPUT_{name.replace('_', '-').upper()}", "").strip() for name in names)
    return tuple(Secret(value) for value in sent if value)


def load_inputs(env: Mapping[str, str], defaults: Mapping[str, str]) -> Inputs:
    """Read `INPUT_*` as the runner sends them; `defaults` are those of action.yml.

    Outside a runner an absent input has its default. Raises InputError with every problem.
    """
    parsers: dict[str, Callable[[str], Any]] = {
        name: hint.__metadata__[0]
        for name, hint in get_type_hints(Inputs, include_extras=True).items()
        if hasattr(hint, "__metadata__")
    }
    values: dict[str, Any] = {}
    problems = []
    given = set()
    for field, parse in parsers.items():
        name = field.replace("_", "-")
        raw = env.get(f"INPUT_{name.upper()}", defaults[name]).strip().strip("\ufeff")
        if raw != defaults[name]:
            given.add(name)
        try:
            values[field] = parse(raw)
        except ValueError as error:
            problems.append(f"`{name}` {error}" if field != "image" else f"`image`: {error}")
    if problems:
        raise invalid(problems)
    return Inputs(**values, given=frozenset(given))


def invalid(problems: list[str]) -> InputError:
    """Make one error of all that is wrong."""
    return InputError(
        "; ".join(problems) + ".",
        hint="Correct the step's `with:`; nothing was touched. See docs/reference.md.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What the runner says of this run; `commit` is the workspace's HEAD, None without one."""

    event: str
    repository: str
    server_url: str
    ref: str
    ref_name: str
    ref_type: str
    default_branch: str
    actor: str
    run_url: str
    event_sha: str
    commit: Commit | None
    on_runner: bool


def load_context(
    env: Mapping[str, str], *, payload: Mapping[str, Any], commit: Commit | None
) -> RunContext:
    """Read `GITHUB_*`; `payload` is the event's, `commit` the workspace's HEAD."""
    server = env.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    repository = env.get("GITHUB_REPOSITORY", "")
    attempt = env.get("GITHUB_RUN_ATTEMPT", "1")
    run = f"{server}/{repository}/actions/runs/{env.get('GITHUB_RUN_ID', '')}/attempts/{attempt}"
    return RunContext(
        event=env.get("GITHUB_EVENT_NAME", ""),
        repository=repository,
        server_url=server,
        ref=env.get("GITHUB_REF", ""),
        ref_name=env.get("GITHUB_REF_NAME", ""),
        ref_type=env.get("GITHUB_REF_TYPE", "branch"),
        default_branch=str(payload.get("repository", {}).get("default_branch", "")),
        actor=env.get("GITHUB_ACTOR", ""),
        run_url=run if env.get("GITHUB_RUN_ID") else "",
        event_sha=env.get("GITHUB_SHA", ""),
        commit=commit,
        on_runner=env.get("GITHUB_ACTIONS") == "true",
    )
