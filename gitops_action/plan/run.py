"""Every name, tag, path, message and deadline of the run, decided before anything is touched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gitops_action.errors import EventError, RunnerError
from gitops_action.inputs import Inputs, RunContext, invalid
from gitops_action.model.image import ImageReference
from gitops_action.model.pin import Pin
from gitops_action.model.secret import Secret
from gitops_action.model.source import Commit
from gitops_action.model.stage import Stage
from gitops_action.model.via import Reporter
from gitops_action.plan.build import build_request
from gitops_action.plan.gitops import (
    gitops_branch,
    gitops_name,
    gitops_url,
    is_push_to,
    is_this_repository,
    proposal_branch,
    source_trailers,
    source_url,
    subject,
)
from gitops_action.plan.stages import about_delivery, choose_stages, contradictions, is_read_only
from gitops_action.stages.build import BuildRequest
from gitops_action.stages.preflight import PreflightRequest
from gitops_action.stages.promote import PromoteRequest
from gitops_action.stages.publish import PublishRequest
from gitops_action.stages.sync import ReportedRequest, SyncRequest
from gitops_action.stages.verify import VerifyRequest
from gitops_action.tags import Tags, resolve_tags

_GITHUB_REGISTRY = "ghcr.io"
_PUSH_SECONDS = 300.0
_SETTLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will happen; the request of a stage that does not run is None.

    `image` is what the kustomizations shall ask for, without its digest where only the registry
    knows it; `commit_page` is the address that a commit SHA completes, empty where it is not known;
    `elsewhere` means that the GitOps repository is not the one of the run; `may_be_echo` that a
    promotion of ours may have started it; `revert` that a failed rollout is taken back.
    """

    stages: tuple[Stage, ...]
    image: ImageReference | None
    verify: VerifyRequest | None
    build: BuildRequest | None
    preflight: PreflightRequest | None
    publish: PublishRequest | None
    promote: PromoteRequest | None
    sync: SyncRequest | None
    reported: ReportedRequest | None
    source_url: str
    gitops_url: str
    gitops_name: str
    commit_page: str
    elsewhere: bool
    may_be_echo: bool
    revert: bool
    notices: tuple[str, ...]


def make_plan(inputs: Inputs, context: RunContext) -> Plan:
    """Decide the run; raises EventError, RunnerError, or InputError with every problem."""
    _check_event(context)
    problems: list[str] = []
    stages = choose_stages(inputs, context, problems)
    commit = _checked_out(inputs, context, stages)
    image, tags = _image(inputs, context, problems)
    notices = tags.notices
    name = gitops_name(inputs, context)
    url, page = gitops_url(inputs, context, problems)
    branch = gitops_branch(inputs, context) if Stage.PROMOTE in stages else ""
    if Stage.PROMOTE in stages and not branch:
        problems.append("`gitops-branch` is needed: this run has no branch of that repository")
    problems += contradictions(inputs, stages)
    if inputs.rebuild and inputs.pin is not Pin.DIGEST and not tags.new_each_run:
        problems.append(
            "`rebuild` makes another image of the same commit, and needs `pin: digest` or a new "
            'first tag: `tags: "{sha-short}-{run-number}"`'
        )
    if inputs.wait_via.reporter is not Reporter.ARGOCD and not page:
        problems.append("`wait-via` needs the GitOps repository on this GitHub, as `owner/name`")
    if Stage.PROMOTE in stages:
        problems += about_delivery(inputs, name)
    if problems:
        raise invalid(problems)
    if commit and _is_another(commit, context):
        notices = (*notices, f"The checked-out commit {commit.sha.short} is not the event's.")
    writes = not inputs.dry_run
    module = inputs.working_directory
    reported = _reported(inputs, branch) if Stage.SYNC in stages else None
    asks_argocd = Stage.SYNC in stages and not reported
    build_context = module if inputs.context is None else inputs.context
    return Plan(
        stages=stages,
        image=image,
        verify=VerifyRequest(
            module=module,
            packages=inputs.go_packages,
            flags=inputs.go_test_flags,
            variables=inputs.test_env,
            coverage_minimum=inputs.coverage_minimum,
            dockerfile=build_context / inputs.dockerfile
            if Stage.BUILD in stages and inputs.builder != "ko"
            else None,
        )
        if Stage.VERIFY in stages
        else None,
        build=build_request(inputs, context, commit, image, tags, publishes=Stage.PUBLISH in stages)
        if Stage.BUILD in stages and commit
        else None,
        preflight=PreflightRequest(
            registry=inputs.repository if Stage.PUBLISH in stages else None,
            image=image if Stage.PROMOTE in stages else None,
            gitops_url=url,
            branch=branch,
            kustomizations=inputs.kustomizations,
            entry=inputs.kustomize_name,
            pin=inputs.pin,
            proof_required=inputs.rendered_proof,
            applications=inputs.argocd_applications if asks_argocd else (),
            selector=inputs.argocd_selector if asks_argocd else "",
            project=inputs.argocd_project,
        )
        if {Stage.PUBLISH, Stage.PROMOTE} & set(stages)
        else None,
        publish=PublishRequest(
            repository=image.repository,
            tags=tags.names,
            moving=tags.moving,
            version=tags.version,
            source=commit.sha if commit else None,
            kept=_kept(inputs, tags),
        )
        if Stage.PUBLISH in stages and image and writes
        else None,
        promote=PromoteRequest(
            branch=branch,
            kustomizations=inputs.kustomizations,
            entry=inputs.kustomize_name,
            pin=inputs.pin,
            subject=subject(inputs.commit_message, image),
            trailers=source_trailers(context),
            author=inputs.commit_author,
            deadline_seconds=_PUSH_SECONDS,
            proof_required=inputs.rendered_proof,
            delivery=inputs.delivery,
            proposal=proposal_branch(branch, inputs),
            labels=inputs.pull_request_labels,
            auto_merge=inputs.pull_request_auto_merge,
            wait_seconds=inputs.pull_request_wait.total_seconds(),
            source=commit.sha if commit and image is not inputs.image else None,
            allow_downgrade=inputs.allow_downgrade,
            dry_run=inputs.dry_run,
        )
        if Stage.PROMOTE in stages and image
        else None,
        sync=SyncRequest(
            applications=inputs.argocd_applications,
            gitops_url=url,
            wait_for=inputs.wait_for,
            timeout_seconds=inputs.wait_timeout.total_seconds(),
            settle_seconds=_SETTLE_SECONDS,
            selector=inputs.argocd_selector,
            project=inputs.argocd_project,
            branch=branch,
            resources=inputs.argocd_resources,
            mode=inputs.argocd_sync,
            unblock=inputs.argocd_unblock,
            run=context.run_url,
        )
        if asks_argocd and writes
        else None,
        reported=reported if writes else None,
        source_url=source_url(context),
        gitops_url=url,
        gitops_name=name,
        commit_page=page,
        elsewhere=not is_this_repository(inputs, context),
        may_be_echo=Stage.BUILD in stages and is_push_to(branch, inputs, context),
        revert=inputs.on_failed_rollout,
        notices=notices,
    )


def _reported(inputs: Inputs, branch: str) -> ReportedRequest | None:
    """The wait for a report on GitHub; None where Argo CD is asked."""
    if inputs.wait_via.reporter is Reporter.ARGOCD:
        return None
    return ReportedRequest(
        via=inputs.wait_via, branch=branch, timeout_seconds=inputs.wait_timeout.total_seconds()
    )


def registry_credentials(inputs: Inputs, context: RunContext) -> tuple[str, Secret] | None:
    """The user and password for the image's registry; None for an anonymous one."""
    if inputs.registry_password:
        return inputs.registry_username, inputs.registry_password
    if inputs.repository and inputs.repository.registry == _GITHUB_REGISTRY and inputs.github_token:
        return context.actor, inputs.github_token
    return None


def _check_event(context: RunContext) -> None:
    if context.event == "pull_request_target":
        raise EventError(
            "`pull_request_target` runs a stranger's code with this repository's secrets.",
            hint="Use `on: pull_request`: there this action tests and builds, and writes nowhere.",
        )


def _checked_out(inputs: Inputs, context: RunContext, stages: Collection[Stage]) -> Commit | None:
    """The workspace's commit; an image that exists can be promoted without one."""
    named = isinstance(inputs.image, ImageReference)
    if context.commit is None and not (named and {Stage.VERIFY, Stage.BUILD}.isdisjoint(stages)):
        raise RunnerError(
            "The workspace holds no git repository, so there is nothing to test or build.",
            hint="Put `uses: actions/checkout` before this step.",
        )
    return context.commit


def _is_another(commit: Commit, context: RunContext) -> bool:
    return context.event_sha not in {"", commit.sha.value} and not is_read_only(context)


def _image(
    inputs: Inputs, context: RunContext, problems: list[str]
) -> tuple[ImageReference | None, Tags]:
    """The image to promote, and the tags to push it with."""
    if isinstance(inputs.image, ImageReference) or context.commit is None:
        return inputs.image if isinstance(inputs.image, ImageReference) else None, Tags(())
    tags = resolve_tags(inputs.tags, context, context.commit)
    if inputs.image is None:
        return None, tags
    problems += tags.problems
    # With a problem there is no plan, and no tag may be left.
    return ImageReference(inputs.image, tags.names[0]) if tags.names else None, tags


def _kept(inputs: Inputs, tags: Tags) -> frozenset[str]:
    """The tags that stay with the first image of the commit when another one is built.

    All of them where the kustomization names the digest; else not the one that it names.
    """
    if not inputs.rebuild:
        return frozenset()
    return frozenset(tags.fixed if inputs.pin is Pin.DIGEST else tags.fixed[1:])
