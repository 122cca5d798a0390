"""What cannot come by waiting, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.errors import (
    ApplicationError,
    ComparisonError,
    DegradedError,
    RolledBackError,
    SyncError,
)
from gitops_action.stages.sync.words import cause, listed, one_line, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.errors import ActionError
    from gitops_action.model.argocd import Application, Operation, Resource
    from gitops_action.model.source import CommitSha
    from gitops_action.model.wait import ResourcePattern
    from gitops_action.stages.sync.view import View


def deleting(application: Application) -> ActionError:
    return ApplicationError(
        f"{application.name} is being deleted, so that Argo CD deploys nothing to it.",
        hint="Remove it from `argocd-applications`, or create it again.",
    )


def skips_reconcile(application: Application) -> ActionError:
    return ApplicationError(
        f"{application.name} carries the annotation `argocd.argoproj.io/skip-reconcile`: Argo CD"
        " leaves it alone.",
        hint=f"Remove it: `kubectl -n {application.namespace or 'argocd'} annotate application"
        f" {application.name} argocd.argoproj.io/skip-reconcile-`.",
    )


def hydrated(application: Application) -> ActionError:
    return ApplicationError(
        f"{application.name} uses a source hydrator, which this action does not support yet.",
        hint="Set `wait-for: nothing` for this step.",
    )


def no_git_source(application: Application) -> ActionError:
    return ApplicationError(
        f"{application.name} follows {application.source.repo_url}, which is no git repository.",
        hint="Name the Application that follows the GitOps repository in `argocd-applications`.",
    )


def other_repository(application: Application, gitops_url: str) -> ActionError:
    return ApplicationError(
        f"{application.name} follows {application.source.repo_url}, not {gitops_url}.",
        hint="Name the Application that follows the GitOps repository in `argocd-applications`, or"
        " give its repository in `gitops-repository`.",
    )


def pinned(application: Application, commit: CommitSha) -> ActionError:
    target = application.source.target_revision
    return ApplicationError(
        f"{application.name} is pinned to {short(target)}, which does not contain {commit.short}.",
        hint="Let it follow the GitOps branch: `spec: {source: {targetRevision: BRANCH}}`.",
    )


def rolled_back(application: Application, commit: CommitSha, image: str) -> ActionError:
    return RolledBackError(
        f"Somebody replaced our image after {commit.short}: at {short(application.revision)} the"
        f" kustomization of {application.name} asks for {image}, which is not known to be newer.",
        hint="Look who changed it: `git log` of the kustomization. If it was not meant, run this"
        " job again.",
    )


def diverged(application: Application, commit: CommitSha) -> ActionError:
    return ApplicationError(
        f"{application.name} follows {application.source.target_revision or 'HEAD'} at"
        f" {short(application.revision)}, whose history does not contain {commit.short}.",
        hint="Look whether the Application follows the branch in `gitops-branch`, and whether"
        " someone pushed to that branch with force.",
    )


def not_rendered(application: Application, message: str) -> ActionError:
    return ComparisonError(
        f"Argo CD cannot render {application.name}: {cause(message)}",
        hint="Run `kustomize build` on the Application's path at this commit, mend what it says,"
        " and push. What ran before still runs.",
    )


def invalid_spec(application: Application, message: str) -> ActionError:
    return ApplicationError(
        f"Argo CD refuses the spec of {application.name}: {one_line(message)}",
        hint="Mend the Application, or its AppProject's `sourceRepos` and `destinations`; the"
        " message names what. The commit stays, and is deployed once that is mended.",
    )


def too_large(application: Application, message: str) -> ActionError:
    return ApplicationError(
        f"Argo CD cannot write the status of {application.name} any more: {one_line(message)}",
        hint="What it shows is stale. Split the Application, or exclude resources from it"
        " (`resource.exclusions` in argocd-cm).",
    )


def not_compared(application: Application, message: str) -> ActionError:
    return ApplicationError(
        f"Argo CD cannot compare {application.name}: {one_line(message)}",
        hint="Look at the log of argocd-application-controller.",
    )


def not_applied(application: Application, operation: Operation) -> ActionError:
    resources = f" ({listed(operation.failed)})" if operation.failed else ""
    return SyncError(
        f"Argo CD could not apply {short(operation.revision)} to {application.name}:"
        f" {one_line(operation.message)}{resources}",
        hint="Mend what the message names in the GitOps repository and push. Argo CD does not try"
        " this commit again by itself; resources that it names not may have been changed.",
    )


def refused(application: Application, message: str) -> ActionError:
    return SyncError(
        f"Argo CD does not sync {application.name} by itself: {one_line(message)}",
        hint="Mend what the message names, or sync once by hand:"
        f" `argocd app sync {application.name}`.",
    )


def keeps_failing(application: Application, operation: Operation, answer: str) -> ActionError:
    return SyncError(
        f"Argo CD cannot apply {short(operation.revision)} to {application.name}: the API server"
        f" answered two attempts alike: {one_line(answer)}",
        hint="Mend what the message names in the GitOps repository and push. Argo CD goes on"
        " trying this commit, and takes no newer one until it gives up: `argocd app terminate-op"
        f" {application.name}` ends that, as does `argocd-unblock: true` in the job of the mended"
        " commit.",
    )


def needs_pruning(application: Application, resources: Sequence[Resource]) -> ActionError:
    names = ", ".join(str(one) for one in resources[:10])
    return SyncError(
        f"{application.name} stays OutOfSync: the commit has no {names} any more, and Argo CD does"
        " not delete by itself.",
        hint="Let it delete what is gone from git:"
        " `spec: {syncPolicy: {automated: {prune: true}}}`. Or once by hand:"
        f" `argocd app sync {application.name} --prune`.",
    )


def still_different(application: Application, resources: Sequence[Resource]) -> ActionError:
    return SyncError(
        f"{application.name} is OutOfSync at {short(application.revision)} although the sync"
        f" succeeded: {listed(resources) or 'Argo CD names no resource'}.",
        hint=f"See what differs: `argocd app diff {application.name}`. Something in the cluster"
        " changes it back, or fills in fields: name those in `spec.ignoreDifferences`.",
    )


def window_closed(application: Application, window: str) -> ActionError:
    return ApplicationError(
        f"A sync window keeps Argo CD from syncing {application.name}: {one_line(window)}.",
        hint="Argo CD deploys the commit by itself once the window lets it. Run such jobs inside"
        " the window, set `wait-for: nothing`, or change `syncWindows` in the AppProject.",
    )


def manual(application: Application, view: View) -> ActionError:
    last = application.operation
    elsewhere = (
        f" Its last sync was at {short(last.revision)}, by hand or as a rollback."
        if last and last.revision and not view.operation_covers
        else ""
    )
    return ApplicationError(
        f"{application.name} has seen the commit and waits for someone to sync it: auto-sync is"
        f" off.{elsewhere}",
        hint="Switch it on in the Application: `spec: {syncPolicy: {automated: {}}}`. Or have this"
        " job sync: `argocd-sync: if-needed`, with a token that has the right"
        " `applications, sync`.",
    )


def no_such_resource(application: Application, patterns: Sequence[ResourcePattern]) -> ActionError:
    there = ", ".join(f"{one.group}:{one.kind}:{one.name}" for one in application.resources[:10])
    return ApplicationError(
        f"{application.name} has none of the resources {', '.join(map(str, patterns))}."
        f" It has {there or 'no resource at all'}.",
        hint="Name some of them in `argocd-resources`, as `GROUP:KIND:NAME`.",
    )


def degraded(view: View, resources: Sequence[Resource]) -> ActionError:
    application = view.application
    before = [one for one in resources if view.was_degraded_before(one)]
    ours = [one for one in resources if one not in before]
    what = listed(ours) or ("what it was before" if before else "Argo CD names no resource")
    said = f" {_untouched(before)}" if before else ""
    return DegradedError(
        f"{application.name} is Synced at {short(application.revision)} and Degraded:"
        f" {what}.{said}",
        hint="Look at the events and logs of what is named. Push a mended commit, or promote the"
        " previous image again."
        if ours or not before
        else "Mend what was Degraded before, or leave it out of this wait by naming the others in"
        " `argocd-resources`.",
    )


def _untouched(resources: Sequence[Resource]) -> str:
    names = ", ".join(str(one) for one in resources[:10])
    return f"{names}: Degraded before this commit already, and not touched by it."
