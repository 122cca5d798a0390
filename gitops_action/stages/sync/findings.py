"""What one document says by itself, as the first check that applies.

Truth needs all of it: a revision that contains our commit, Synced, compared with the spec of now,
no operation under way, and a comparison begun after the last operation ended. Synced alone is about
the previous commit until Argo CD has seen ours (akuity/kargo#6357); the operation alone says
nothing, as none happens where a commit leaves the manifests as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.model.argocd import same_repository
from gitops_action.model.wait import WaitFor
from gitops_action.stages.sync import failures
from gitops_action.stages.sync.applying import not_applied, out_of_sync, refused, under_way
from gitops_action.stages.sync.conditions import not_compared
from gitops_action.stages.sync.image import other_image
from gitops_action.stages.sync.lineage import Relation
from gitops_action.stages.sync.narrow import chosen
from gitops_action.stages.sync.view import Finding, State, View
from gitops_action.stages.sync.words import listed, short

if TYPE_CHECKING:
    from collections.abc import Callable


# How long a state may last that could still mend itself, in seconds.
_SPEC_GRACE = _DEGRADED_GRACE = 60.0
_DIVERGED_GRACE = 20.0


def find(view: View) -> Finding:
    """Say what the document means."""
    return next((found for check in _CHECKS if (found := check(view))), _ready(view))


def _unsupported(view: View) -> Finding | None:
    application = view.application
    for applies, failure in (
        (application.deleting, failures.deleting),
        (application.skips_reconcile, failures.skips_reconcile),
        (application.hydrated, failures.hydrated),
    ):
        if applies:
            error = failure(application)
            return Finding(state=State.COMPARE, reason=error.message, failure=error)
    if application.spec.sources and not application.source.is_git:
        error = failures.no_git_source(application)
        return Finding(
            state=State.COMPARE,
            reason=error.message,
            about="source",
            failure=error,
            grace=_SPEC_GRACE,
        )
    return None


def _unplaced(view: View) -> Finding | None:
    application = view.application
    if view.relation is Relation.UNRESOLVED:
        reason = f"Argo CD compares with {application.revision or 'nothing'!r}, not with a commit"
    elif view.relation is Relation.UNKNOWN:
        reason = (
            f"cannot tell whether {short(application.revision)} contains {view.goal.commit.short}"
        )
    else:
        return None
    return Finding(state=State.COMPARE, reason=reason)


def _other_repository(view: View) -> Finding | None:
    # An ancestor of our commit comes from a mirror of our repository, whatever its address.
    if view.relation.follows or view.relation is Relation.BEHIND:
        return None
    application = view.application
    if same_repository(application.source.repo_url, view.goal.gitops_url):
        return None
    return Finding(
        state=State.REVISION,
        reason=f"the Application follows {application.source.repo_url}",
        failure=failures.other_repository(application, view.goal.gitops_url),
        grace=_SPEC_GRACE,
    )


def replaced(view: View) -> Finding | None:
    """Find that the revision asks for another image than ours."""
    application, image = view.application, view.replacement
    if view.relation is Relation.SUPERSEDED:
        reason = f"superseded: {short(application.revision)} asks for the newer {image}"
        return Finding(state=State.SUPERSEDED, reason=reason)
    if view.relation is Relation.REPLACED:
        error = failures.rolled_back(application, view.goal.commit, image)
        return Finding(state=State.REVISION, reason=error.message, failure=error)
    return None


def _other_revision(view: View) -> Finding | None:
    if view.relation.covers:
        return None
    application, commit = view.application, view.goal.commit
    reason = (
        f"{application.sync} at {short(application.revision)}, which does not contain"
        f" {commit.short}{' yet' if view.relation is Relation.BEHIND else ''}"
    )
    if application.source.target_revision == application.revision:
        about, grace, comparisons = "pinned", _SPEC_GRACE, 0
        failure = failures.pinned(application, commit)
    elif view.relation is Relation.DIVERGED:
        about, grace, comparisons = "diverged", _DIVERGED_GRACE, 2
        failure = failures.diverged(application, commit)
    else:
        return Finding(state=State.REVISION, reason=reason)
    return Finding(
        state=State.REVISION,
        reason=reason,
        about=about,
        failure=failure,
        grace=grace,
        comparisons=comparisons,
    )


def _spec_changed(view: View) -> Finding | None:
    if view.application.spec == view.application.compared_to:
        return None
    return Finding(state=State.COMPARE, reason="the spec is newer than the comparison")


def _stale(view: View) -> Finding | None:
    if view.fresh:
        return None
    ended = view.finished.finished_at if view.finished else None
    return Finding(
        state=State.RECONCILE,
        reason="the operation is done, the comparison after it is not",
        about=str(ended),
    )


def _unhealthy(view: View) -> Finding | None:
    application = view.application
    if view.goal.wait_for is WaitFor.SYNCED or application.health in view.goal.healths:
        return None
    looked_at = chosen(application, view.goal.resources)
    bad = [one for one in looked_at if one.health not in {"", *view.goal.healths}]
    reason = f"Synced at {short(application.revision)}, {application.health or 'health not known'}"
    if bad:
        reason += f": {listed(bad)}"
    if view.goal.resources and not looked_at:
        error = failures.no_such_resource(application, view.goal.resources)
        return Finding(
            state=State.HEALTH,
            reason=error.message,
            about="resources",
            failure=error,
            grace=_SPEC_GRACE,
        )
    if application.health != "Degraded":
        return Finding(state=State.HEALTH, reason=reason)
    return Finding(
        state=State.HEALTH,
        reason=reason,
        about="degraded",
        failure=failures.degraded(view, bad),
        grace=_DEGRADED_GRACE,
    )


def _ready(view: View) -> Finding:
    application = view.application
    healthy = "" if view.goal.wait_for is WaitFor.SYNCED else f" and {application.health}"
    reason = f"Synced{healthy} at {short(application.revision)}"
    if view.relation is Relation.CONTAINS:
        reason += f", which contains {view.goal.commit.short}"
    started = application.operation.started_at if application.operation else None
    return Finding(state=State.READY, reason=reason, about=str(started))


_CHECKS: tuple[Callable[[View], Finding | None], ...] = (
    _unsupported,
    not_compared,
    _other_repository,
    _unplaced,
    replaced,
    _other_revision,
    _spec_changed,
    under_way,
    not_applied,
    _stale,
    refused,
    out_of_sync,
    _unhealthy,
    other_image,
)
