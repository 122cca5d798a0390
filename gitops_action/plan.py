"""Every name, tag, path, message and deadline of the run, decided before anything is touched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from gitops_action.errors import EventError, RunnerError
from gitops_action.inputs import Inputs, RunContext, invalid
from gitops_action.model.identity import GITHUB_ACTIONS
from gitops_action.model.image import ImageReference
from gitops_action.model.secret import Secret
from gitops_action.model.source import Commit
from gitops_action.model.stage import Stage
from gitops_action.model.wait import WaitFor
from gitops_action.stages.build import BuildRequest
from gitops_action.stages.preflight import PreflightRequest
from gitops_action.stages.promote import PromoteRequest
from gitops_action.stages.publish import PublishRequest
from gitops_action.stages.sync import SyncRequest
from gitops_action.stages.verify import VerifyRequest
from gitops_action.tags import resolve_tags

_READ_ONLY_EVENTS = {"pull_request", "merge_group"}
_READ_ONLY_STAGES = {Stage.VERIFY, Stage.BUILD}
_ARGOCD = ("argocd-server", "argocd-token", "argocd-applications")
_GITHUB_REGISTRY = "ghcr.io"
_PUSH_SECONDS = 120.0
_SETTLE_SECONDS = 10.0

# Which stages an input is for; what stands nowhere here is for every stage.
_USERS = {
    Stage.VERIFY: ("go-packages", "go-test-flags"),
    Stage.BUILD: ("builder", "context", "dockerfile", "main-package", "base-image"),
    Stage.PROMOTE: (
        *("kustomizations", "kustomize-name", "pin", "rendered-proof", "commit-message"),
        *("gitops-repository", "gitops-branch", "gitops-token"),
    ),
    Stage.SYNC: (*_ARGOCD, "argocd-insecure", "wait-timeout"),
}
_ONLY_FOR = {"docker": ("context", "dockerfile"), "ko": ("main-package", "base-image")}
# What a stage cannot do without, and the stages whose result it needs in the same run.
_NEEDS = {
    Stage.BUILD: ("image",),
    Stage.PUBLISH: ("image",),
    Stage.PROMOTE: ("image", "kustomizations"),
    Stage.SYNC: _ARGOCD,
}
_AFTER = {Stage.PUBLISH: Stage.BUILD, Stage.SYNC: Stage.PROMOTE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will happen; the request of a stage that does not run is None.

    `image` is what the kustomizations shall ask for, without its digest, which only the registry
    knows; `commit_page` is the address that a commit SHA completes, empty where it is not known;
    `elsewhere` means that the GitOps repository is not the one of the run.
    """

    stages: tuple[Stage, ...]
    image: ImageReference | None
    verify: VerifyRequest | None
    build: BuildRequest | None
    preflight: PreflightRequest | None
    publish: PublishRequest | None
    promote: PromoteRequest | None
    sync: SyncRequest | None
    gitops_url: str
    commit_page: str
    elsewhere: bool
    notices: tuple[str, ...]


def make_plan(inputs: Inputs, context: RunContext) -> Plan:
    """Decide the run; raises EventError, RunnerError, or InputError with every problem."""
    _check_event(context)
    commit = _checked_out(context)
    problems: list[str] = []
    stages = _stages(inputs, context, problems)
    tags, notices, wrong = resolve_tags(inputs.tags, context, commit.sha)
    problems += wrong if inputs.image else ()
    url, page = _gitops_url(inputs, context, problems)
    branch = _branch(inputs, context) if Stage.PROMOTE in stages else ""
    if Stage.PROMOTE in stages and not branch:
        problems.append("`gitops-branch` is needed: this run has no branch of that repository")
    problems += _contradictions(inputs)
    if problems:
        raise invalid(problems)
    if context.event_sha and context.event_sha != commit.sha.value and not _read_only(context):
        notices = (*notices, f"The checked-out commit {commit.sha.short} is not the event's.")
    image = ImageReference(inputs.image, tags[0]) if inputs.image else None
    module = inputs.working_directory
    build_context = module if inputs.context is None else inputs.context
    return Plan(
        stages=stages,
        image=image,
        verify=VerifyRequest(module=module, packages=inputs.go_packages, flags=inputs.go_test_flags)
        if Stage.VERIFY in stages
        else None,
        build=BuildRequest(
            builder=inputs.builder,
            module=module,
            context=build_context,
            dockerfile=build_context / inputs.dockerfile,
            main_package=inputs.main_package,
            base_image=inputs.base_image,
            labels=_labels(context, commit, image),
            created=commit.time,
        )
        if Stage.BUILD in stages
        else None,
        preflight=PreflightRequest(
            registry=inputs.image if Stage.PUBLISH in stages else None,
            image=image if Stage.PROMOTE in stages else None,
            gitops_url=url,
            branch=branch,
            kustomizations=inputs.kustomizations,
            entry=inputs.kustomize_name,
            pin=inputs.pin,
            proof_required=inputs.rendered_proof,
            applications=inputs.argocd_applications if Stage.SYNC in stages else (),
        )
        if {Stage.PUBLISH, Stage.PROMOTE} & set(stages)
        else None,
        publish=PublishRequest(repository=image.repository, tags=tags)
        if Stage.PUBLISH in stages and image
        else None,
        promote=PromoteRequest(
            branch=branch,
            kustomizations=inputs.kustomizations,
            entry=inputs.kustomize_name,
            pin=inputs.pin,
            subject=_subject(inputs.commit_message, image),
            trailers=_trailers(context, commit),
            author=GITHUB_ACTIONS,
            deadline_seconds=_PUSH_SECONDS,
            proof_required=inputs.rendered_proof,
        )
        if Stage.PROMOTE in stages and image
        else None,
        sync=SyncRequest(
            applications=inputs.argocd_applications,
            gitops_url=url,
            wait_for=inputs.wait_for,
            timeout_seconds=inputs.wait_timeout.total_seconds(),
            settle_seconds=_SETTLE_SECONDS,
        )
        if Stage.SYNC in stages
        else None,
        gitops_url=url,
        commit_page=page,
        elsewhere=not _is_this_repository(inputs, context),
        notices=notices,
    )


def registry_credentials(inputs: Inputs, context: RunContext) -> tuple[str, Secret] | None:
    """The user and password for the image's registry; None for an anonymous one."""
    if inputs.registry_password:
        return inputs.registry_username, inputs.registry_password
    if inputs.image and inputs.image.registry == _GITHUB_REGISTRY and inputs.github_token:
        return context.actor, inputs.github_token
    return None


def _read_only(context: RunContext) -> bool:
    # Reviews of a pull request are events of their own, on the same unmerged commit.
    return context.event in _READ_ONLY_EVENTS or context.ref.startswith("refs/pull/")


def _check_event(context: RunContext) -> None:
    if context.event == "pull_request_target":
        raise EventError(
            "`pull_request_target` runs a stranger's code with this repository's secrets.",
            hint="Use `on: pull_request`: there this action tests and builds, and writes nowhere.",
        )


def _checked_out(context: RunContext) -> Commit:
    if context.commit is None:
        raise RunnerError(
            "The workspace holds no git repository, so there is nothing to test or build.",
            hint="Put `uses: actions/checkout` before this step.",
        )
    return context.commit


def _stages(inputs: Inputs, context: RunContext, problems: list[str]) -> tuple[Stage, ...]:
    """Choose the stages; add to `problems` what is missing, and what nobody would use."""
    wanted = inputs.stages if inputs.stages is not None else _implied(inputs)
    if inputs.wait_for is WaitFor.NOTHING:
        wanted -= {Stage.SYNC}
    if _read_only(context):
        # Secrets are empty on a fork's pull request: what a later stage lacks is no problem here.
        return tuple(stage for stage in Stage if stage in wanted & _READ_ONLY_STAGES)
    for stage in Stage:
        if stage in wanted:
            problems += _missing(stage, inputs, wanted)
        elif not (stage is Stage.SYNC and inputs.wait_for is WaitFor.NOTHING):
            problems += [
                f"`{name}` is for the stage `{stage}`, which does not run"
                for name in _USERS.get(stage, ())
                if name in inputs.given
            ]
    return tuple(stage for stage in Stage if stage in wanted)


def _implied(inputs: Inputs) -> frozenset[Stage]:
    stages = {Stage.VERIFY}
    if inputs.image:
        stages |= {Stage.BUILD, Stage.PUBLISH}
    if inputs.kustomizations:
        stages.add(Stage.PROMOTE)
    if inputs.given & set(_ARGOCD):
        stages.add(Stage.SYNC)
    return frozenset(stages)


def _missing(stage: Stage, inputs: Inputs, wanted: frozenset[Stage]) -> list[str]:
    problems = [
        f"`{name}` is empty, and the stage `{stage}` needs it"
        + (" (is the secret set for this repository?)" if name.endswith("token") else "")
        for name in _NEEDS.get(stage, ())
        if not getattr(inputs, name.replace("-", "_"))
    ]
    before = _AFTER.get(stage)
    if before and before not in wanted:
        problems.append(f"the stage `{stage}` needs the stage `{before}` in the same run")
    return problems


def _is_this_repository(inputs: Inputs, context: RunContext) -> bool:
    return inputs.gitops_repository in {"", context.repository}


def _gitops_url(inputs: Inputs, context: RunContext, problems: list[str]) -> tuple[str, str]:
    """The URL of the GitOps repository, and of its commits' pages where they are known."""
    given = inputs.gitops_repository or context.repository
    if re.fullmatch(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+", given):
        return f"{context.server_url}/{given}.git", f"{context.server_url}/{given}/commit/"
    parts = urlsplit(given)
    if given and (
        parts.scheme not in {"http", "https", "file"} or parts.username or parts.password
    ):
        problems.append(
            "`gitops-repository` must be `owner/name` or a URL (http, https) without credentials"
        )
    return given, ""


def _branch(inputs: Inputs, context: RunContext) -> str:
    if inputs.gitops_branch:
        return inputs.gitops_branch
    if not _is_this_repository(inputs, context):
        return ""
    return context.ref_name if context.ref_type == "branch" else context.default_branch


def _contradictions(inputs: Inputs) -> list[str]:
    problems = [
        f"`{name}` is for `builder: {builder}`, and `builder` is `{inputs.builder}`"
        for builder, names in _ONLY_FOR.items()
        for name in names
        if name in inputs.given and inputs.builder not in {"auto", builder}
    ]
    if bool(inputs.registry_username) != bool(inputs.registry_password):
        empty = "registry-password" if inputs.registry_username else "registry-username"
        problems.append(f"`{empty}` is empty (is the secret set for this repository?)")
    return problems


def _labels(context: RunContext, commit: Commit, image: ImageReference | None) -> dict[str, str]:
    """Labels that are the same for the same commit, so that they leave the digest alone."""
    source = f"{context.server_url}/{context.repository}" if context.repository else ""
    labels = {
        "created": datetime.fromtimestamp(commit.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revision": commit.sha.value,
        "source": source,
        "title": PurePosixPath(image.repository.name).name if image else "",
    }
    return {f"org.opencontainers.image.{key}": value for key, value in labels.items() if value}


def _subject(template: str, image: ImageReference | None) -> str:
    name = PurePosixPath(image.repository.name).name if image else ""
    return template.replace("{name}", name).replace("{tag}", image.tag if image else "")


def _trailers(context: RunContext, commit: Commit) -> dict[str, str]:
    trailers = {
        "Source-Repository": context.repository,
        "Source-Commit": commit.sha.value,
        "Source-Run": context.run_url,
    }
    return {key: value for key, value in trailers.items() if value}
