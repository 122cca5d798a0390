"""Beside verify and build: fail early on what would fail late, and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Protocol, TypeVar

from gitops_action.errors import (
    ApplicationError,
    ArgoCDUnavailableError,
    GitOpsUnavailableError,
    RegistryUnavailableError,
)
from gitops_action.kustomization import (
    FileEdit,
    ImageRequest,
    Renderer,
    Snapshot,
    Tree,
    kustomizations_below,
    plan_edits,
    prove_rendered,
)
from gitops_action.model.argocd import Application, Source, same_repository
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import Log
from gitops_action.model.pin import Pin
from gitops_action.model.source import CommitSha
from gitops_action.model.wait import ApplicationName

_T = TypeVar("_T")
PREFLIGHT = "preflight"
_ANSWER_SECONDS = 15.0
# Servers restart, and load balancers blink: a few seconds are cheaper than a red run.
_PAUSES_SECONDS = (1.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightRequest:
    """What later stages will need; `image` is None where nothing is promoted.

    `registry` is where an image will be pushed, None where none is. The rest is as in the requests
    of promote and sync.
    """

    registry: Repository | None
    image: ImageReference | None
    gitops_url: str
    branch: str
    kustomizations: tuple[PurePosixPath, ...]
    entry: str
    pin: Pin
    proof_required: bool
    applications: tuple[ApplicationName, ...]
    selector: str = ""
    project: str = ""


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """How many things were asked and found well."""

    checks: int


class Registry(Protocol):
    def check_push(self, repository: Repository) -> bool:
        """Whether the registry agrees to a push; False where it does not say.

        Raises RegistryError or RegistryLoginError where it refuses us.
        """


class GitOps(Snapshot, Protocol):
    def head(self, branch: str) -> CommitSha: ...

    def default_branch(self) -> str: ...

    def check_push(self, branch: str) -> None:
        """Raise GitOpsAccessError where the token may not push."""


class ArgoCD(Protocol):
    def application(
        self, name: str, namespace: str, *, project: str, timeout: float
    ) -> Application: ...

    def select(self, selector: str, *, project: str) -> tuple[ApplicationName, ...]:
        """Every Application whose labels fit."""


class Clock(Protocol):
    def sleep(self, seconds: float) -> None: ...


def preflight(  # noqa: PLR0913  the systems that are asked are named one by one
    request: PreflightRequest,
    *,
    registry: Registry,
    gitops: GitOps,
    argocd: ArgoCD,
    renderer: Renderer,
    clock: Clock,
    log: Log,
) -> PreflightResult:
    """Ask every system what the later stages will ask of it."""
    checks = 0
    if request.registry:
        agreed = _patient(partial(registry.check_push, request.registry), clock)
        log.say(
            f"{request.registry} may be pushed to."
            if agreed
            else f"Whether {request.registry} may be pushed to is not known before the push."
        )
        checks += 1
    # Before the clone: a wrong token of Argo CD is the quickest answer of all.
    names = _names(request, argocd, clock)
    applications = [_patient(partial(_ask, name, request.project, argocd), clock) for name in names]
    if request.image:
        head = _patient(partial(gitops.head, request.branch), clock)
        edits = _edits(request, request.image, head, gitops)
        _patient(partial(gitops.check_push, request.branch), clock)
        proof = prove_rendered(
            edits, tree=gitops, head=head, renderer=renderer, required=request.proof_required
        )
        proved = "What is rendered asks for the new image, and is otherwise the same."
        for edit in edits:
            log.say(f"{edit.path} asks for {edit.edit.previous or 'no image yet'}.")
        for line in proof.unproved or (proved,):
            log.say(line)
        log.say(f"{request.branch} may be pushed to, as far as its rules can be asked beforehand.")
        checks += len(edits) + 1
        promoted = {edit.path for edit in edits}
        for name, application in zip(names, applications, strict=True):
            folders = _followed(application, name, request, gitops)
            using = [
                one for one in folders if promoted & set(kustomizations_below(gitops, head, one))
            ]
            if not using:
                raise _unused(name, folders[0], promoted)
            log.say(f"{name} follows {request.branch} at {using[0]}.")
            checks += 1
    return PreflightResult(checks)


def _names(request: PreflightRequest, argocd: ArgoCD, clock: Clock) -> tuple[ApplicationName, ...]:
    if not request.selector:
        return request.applications
    select = partial(argocd.select, request.selector, project=request.project)
    found = _patient(select, clock)
    if not found:
        raise ApplicationError(
            f"The token sees no Application with the labels {request.selector}.",
            hint="Look at `argocd app list --selector`, and at the rights of the account.",
        )
    return tuple(dict.fromkeys((*request.applications, *found)))


def _ask(name: ApplicationName, project: str, argocd: ArgoCD) -> Application:
    return argocd.application(name.name, name.namespace, project=project, timeout=_ANSWER_SECONDS)


def _patient(ask: Callable[[], _T], clock: Clock) -> _T:
    for pause in _PAUSES_SECONDS:
        try:
            return ask()
        except (ArgoCDUnavailableError, GitOpsUnavailableError, RegistryUnavailableError):
            clock.sleep(pause)
    return ask()


def _edits(
    request: PreflightRequest, image: ImageReference, head: CommitSha, tree: Tree
) -> tuple[FileEdit, ...]:
    if request.pin.has_digest:
        image = image.provisional
    return plan_edits(
        request.kustomizations,
        requests=[ImageRequest(image, request.entry, request.pin)],
        tree=tree,
        head=head,
    )


def _followed(
    application: Application, name: ApplicationName, request: PreflightRequest, gitops: GitOps
) -> list[PurePosixPath]:
    """The folders of the sources that will see the promotion."""
    if application.hydrated:
        raise ApplicationError(
            f"The Application {name} has a source hydrator, which this version cannot wait for.",
            hint="Promote without the wait (`wait-for: nothing`), or give it a plain source.",
        )
    sources = application.spec.sources or (Source(),)
    ours = [one for one in sources if same_repository(one.repo_url, request.gitops_url)]
    if not ours:
        listed = ", ".join(one.repo_url for one in sources if one.repo_url)
        raise ApplicationError(
            f"The Application {name} follows {listed or 'no git repository'}, and not "
            f"{request.gitops_url}: it would never see the promotion.",
            hint="Name the Application of this repository in `argocd-applications`, or its "
            "repository in `gitops-repository`.",
        )
    default = gitops.default_branch() if any(_branch(one) == "" for one in ours) else ""
    there = [one for one in ours if (_branch(one) or default) == request.branch]
    if not there:
        followed = _branch(ours[0]) or default
        raise ApplicationError(
            f"The Application {name} follows {followed}, and the promotion goes to "
            f"{request.branch}: it would never see it.",
            hint=f"Set `gitops-branch: {followed}`, or the Application's `targetRevision` to "
            f"{request.branch}.",
        )
    return [PurePosixPath(one.path) for one in there]


def _branch(source: Source) -> str:
    """The branch by its name; `""` for the default one."""
    named = source.target_revision.removeprefix("refs/heads/")
    return "" if named == "HEAD" else named


def _unused(
    name: ApplicationName, folder: PurePosixPath, promoted: set[PurePosixPath]
) -> ApplicationError:
    files = ", ".join(str(file) for file in sorted(promoted))
    return ApplicationError(
        f"The Application {name} is made from {folder}, which does not use {files}: the promotion "
        "would not change it.",
        hint=f"Put {folder} into `kustomizations`, or name another Application.",
    )
