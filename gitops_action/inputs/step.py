"""The step's inputs, parsed once; every problem is reported at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, get_type_hints

from gitops_action.errors import InputError
from gitops_action.inputs import parsers
from gitops_action.model.buildkit import checked_bundle
from gitops_action.model.delivery import Delivery
from gitops_action.model.identity import Identity
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.pin import Pin
from gitops_action.model.secret import Secret
from gitops_action.model.stage import Stage
from gitops_action.model.via import Via
from gitops_action.model.wait import ApplicationName, ResourcePattern, SyncMode, WaitFor


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The inputs of action.yml, with `_` for `-`; `given` names those that are not the default."""

    stages: Annotated[frozenset[Stage] | None, parsers.stages]
    dry_run: Annotated[bool, parsers.boolean]
    github_token: Annotated[Secret, Secret]
    ca_certificates: Annotated[str, parsers.certificates]
    working_directory: Annotated[PurePosixPath, parsers.path]
    go_packages: Annotated[tuple[str, ...], parsers.packages]
    go_test_flags: Annotated[tuple[str, ...], parsers.go_test_flags]
    modules_token: Annotated[Secret, Secret]
    test_env: Annotated[tuple[str, ...], parsers.variables]
    coverage_minimum: Annotated[float | None, parsers.percent]
    image: Annotated[Repository | ImageReference | None, parsers.image]
    tags: Annotated[tuple[str, ...], parsers.words]
    builder: Annotated[str, parsers.builder]
    rebuild: Annotated[bool, parsers.boolean]
    context: Annotated[PurePosixPath | None, lambda raw: parsers.path(raw) if raw else None]
    dockerfile: Annotated[PurePosixPath, parsers.path]
    target: Annotated[str, parsers.target]
    build_args: Annotated[Mapping[str, str], parsers.pairs]
    build_secrets: Annotated[Mapping[str, Secret], parsers.build_secrets]
    build_cache: Annotated[str, parsers.build_cache]
    attestations: Annotated[tuple[str, ...], parsers.attestations]
    buildkit_address: Annotated[str, parsers.buildkit_address]
    buildkit_tls: Annotated[Secret, checked_bundle]
    labels: Annotated[Mapping[str, str], parsers.pairs]
    platforms: Annotated[tuple[str, ...], parsers.platforms]
    main_package: Annotated[str, parsers.package]
    base_image: Annotated[str, parsers.text]
    registry_username: Annotated[str, parsers.text]
    registry_password: Annotated[Secret, Secret]
    kustomizations: Annotated[tuple[PurePosixPath, ...], parsers.paths]
    kustomize_name: Annotated[str, parsers.text]
    rendered_proof: Annotated[bool, parsers.rendered_proof]
    pin: Annotated[Pin, parsers.pin]
    gitops_repository: Annotated[str, parsers.text]
    gitops_branch: Annotated[str, parsers.branch]
    gitops_token: Annotated[Secret, Secret]
    gitops_ssh_key: Annotated[Secret, parsers.private_key]
    gitops_known_hosts: Annotated[str, parsers.text]
    allow_downgrade: Annotated[bool, parsers.boolean]
    delivery: Annotated[Delivery, parsers.delivery]
    pull_request_labels: Annotated[tuple[str, ...], parsers.labels]
    pull_request_auto_merge: Annotated[bool, parsers.boolean]
    pull_request_wait: Annotated[timedelta, parsers.optional_duration]
    commit_message: Annotated[str, parsers.line]
    commit_author: Annotated[Identity, parsers.identity]
    signing_key: Annotated[Secret, parsers.private_key]
    argocd_server: Annotated[str, parsers.server]
    argocd_token: Annotated[Secret, Secret]
    argocd_applications: Annotated[tuple[ApplicationName, ...], parsers.applications]
    argocd_selector: Annotated[str, parsers.selector]
    argocd_project: Annotated[str, parsers.project]
    argocd_resources: Annotated[tuple[ResourcePattern, ...], parsers.resources]
    argocd_sync: Annotated[SyncMode, parsers.argocd_sync]
    argocd_unblock: Annotated[bool, parsers.boolean]
    argocd_insecure: Annotated[bool, parsers.boolean]
    argocd_headers: Annotated[Mapping[str, Secret], parsers.headers]
    wait_via: Annotated[Via, parsers.via]
    wait_for: Annotated[WaitFor, parsers.wait_for]
    wait_timeout: Annotated[timedelta, parsers.duration]
    on_failed_rollout: Annotated[bool, parsers.on_failed_rollout]
    given: frozenset[str]

    @property
    def repository(self) -> Repository | None:
        """Where the image is, or shall be, kept."""
        return self.image.repository if isinstance(self.image, ImageReference) else self.image


def input_names() -> tuple[str, ...]:
    """Every input's name, as action.yml spells it."""
    return tuple(field.name.replace("_", "-") for field in fields(Inputs) if field.name != "given")


def secrets(env: Mapping[str, str]) -> tuple[Secret, ...]:
    """Every secret that was sent, to be masked before the first line is printed."""
    hints = get_type_hints(Inputs)
    sent = {name: env.get(f"INPUT_{name.replace('_', '-').upper()}", "") for name in hints}
    values = [sent[name].strip() for name, hint in hints.items() if hint is Secret]
    for name, hint in hints.items():
        if hint == Mapping[str, Secret]:
            # Whatever stands where a value should, also where it cannot be parsed.
            mark = "=" if name == "build_secrets" else ":"
            values += [line.partition(mark)[2].strip() or line for line in sent[name].splitlines()]
    return tuple(Secret(value) for value in values if value)


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
        hint="Correct the step's `with:`; nothing was touched. "
        "docs/reference.md lists every input.",
    )
