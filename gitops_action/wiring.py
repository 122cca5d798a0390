"""The systems of a run, each an adapter: where mypy proves that the adapters fit the stages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from gitops_action.adapters.argocd import ArgoCD
from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.docker import BuildKit, Docker
from gitops_action.adapters.git import Git, GitOpsClone, History, ssh_command
from gitops_action.adapters.github import (
    GitHubApi,
    GitHubReports,
    GitHubRepository,
    PullRequests,
    RequiredChecks,
)
from gitops_action.adapters.go import Go, can_isolate
from gitops_action.adapters.http import Http
from gitops_action.adapters.isolation import BUILD_USER
from gitops_action.adapters.ko import Ko
from gitops_action.adapters.kustomize import RENDER_USER, Kustomize
from gitops_action.adapters.process import Processes
from gitops_action.adapters.registry import Registry, write_credentials
from gitops_action.inputs import Inputs, RunContext
from gitops_action.model.secret import Secret
from gitops_action.pipeline import Systems
from gitops_action.place import (
    KO_CACHE,
    SYSTEM_CERTIFICATES,
    Place,
    folder_of,
    kept_caches,
    verify_folder,
)
from gitops_action.plan import Plan, gitops_token, registry_credentials
from gitops_action.stages.promote import GitHub, SourceHistory

# A wait for a report asks again itself, and has a deadline of its own.
_REPORT_PATIENCE_SECONDS = 15.0


@contextmanager
def wired(
    inputs: Inputs, context: RunContext, plan: Plan, place: Place, cancellation: Cancellation
) -> Iterator[Systems]:
    """Open every system for the run, and end what they leave."""
    processes = Processes(cancellation)
    username, password = registry_credentials(inputs, context) or ("", Secret())
    credentials = place.private / "credentials"
    if inputs.repository:
        write_credentials(credentials, inputs.repository.registry, username, password)
    authorities = Path(place.base.get("SSL_CERT_FILE", SYSTEM_CERTIFICATES))
    ca_file = authorities if authorities.is_file() else None
    argocd_http = Http(
        cancellation, ca_file=ca_file, verify=not inputs.argocd_insecure, proxies=place.base
    )
    with (
        verify_folder() as verify,
        folder_of(BUILD_USER) as (builds, builder),
        folder_of(RENDER_USER) as (renderings, renderer),
    ):
        clone = _gitops(inputs, context, plan, place, cancellation)
        api = partial(
            GitHubApi,
            Http(cancellation, ca_file=ca_file, proxies=place.base),
            cancellation,
            repository=plan.gitops_name,
            token=gitops_token(inputs, context, plan.gitops_url),
            rest=context.api_url,
            graphql=context.graphql_url,
        )
        github = api()
        branches = GitHubRepository(github)
        through_git = inputs.delivery.clones
        source = Git(
            url=plan.source_url,
            token=inputs.github_token,
            directory=place.folder("source"),
            cancellation=cancellation,
            env=place.base,
        )
        yield Systems(
            go=Go(
                processes,
                workspace=place.workspace,
                private=verify,
                env=place.env,
                isolated=can_isolate(),
                kept=kept_caches(place.env),
                modules_token=inputs.modules_token,
            ),
            docker=_docker(inputs, place, credentials, processes),
            ko=Ko(
                processes,
                env=place.env,
                workspace=place.workspace,
                private=builds,
                credentials=credentials,
                user=builder,
                cache=KO_CACHE if builder is not None and KO_CACHE.is_dir() else None,
                kept=kept_caches(place.env),
            ),
            registry=Registry(
                processes, env=place.env, private=place.private, credentials=credentials
            ),
            gitops=clone if through_git else branches,
            github=GitHub(
                branches=branches, pulls=PullRequests(github), checks=RequiredChecks(github)
            ),
            commits=clone.history if through_git else branches,
            source=_source(source, plan, clone if through_git else branches),
            kustomize=Kustomize(
                processes,
                place=renderings,
                path=place.base["PATH"],
                user=renderer,
            ),
            argocd=ArgoCD(
                argocd_http, inputs.argocd_server, inputs.argocd_token, inputs.argocd_headers
            ),
            reports=GitHubReports(api(patience_seconds=_REPORT_PATIENCE_SECONDS)),
            cancellation=cancellation,
            chance=random.SystemRandom().random,
        )


def _source(source: Git, plan: Plan, gitops: GitOpsClone | GitHubRepository) -> SourceHistory:
    if plan.elsewhere:
        return History(source)
    return gitops.history if isinstance(gitops, GitOpsClone) else gitops


def _docker(
    inputs: Inputs, place: Place, credentials: Path, processes: Processes
) -> Docker | BuildKit:
    private = place.folder("docker")
    if not inputs.buildkit_address:
        return Docker(
            processes,
            env=place.env,
            workspace=place.workspace,
            private=private,
            credentials=credentials,
        )
    return BuildKit(
        processes,
        env=place.env,
        workspace=place.workspace,
        private=private,
        credentials=credentials,
        address=inputs.buildkit_address,
        tls=inputs.buildkit_tls,
    )


def _gitops(
    inputs: Inputs, context: RunContext, plan: Plan, place: Place, cancellation: Cancellation
) -> GitOpsClone:
    folder = place.folder("gitops")
    key = inputs.gitops_ssh_key
    return GitOpsClone(
        Git(
            url=plan.gitops_url,
            token=gitops_token(inputs, context, plan.gitops_url),
            ssh=ssh_command(folder, key, inputs.gitops_known_hosts) if key else "",
            directory=folder,
            cancellation=cancellation,
            env=place.base,
        ),
        signing_key=inputs.signing_key,
    )
