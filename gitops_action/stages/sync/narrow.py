"""The document as far as a wait needs it: the source that decides, and the health asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gitops_action.model.argocd import Application, Comparison, Resource, same_repository
from gitops_action.stages.sync.lineage import Relation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gitops_action.model.argocd import Operation
    from gitops_action.model.wait import ResourcePattern
    from gitops_action.stages.sync.view import Goal

# The worst comes first. Of several sources that are ours, the one that is furthest behind decides.
_RELATIONS = (
    *(Relation.UNRESOLVED, Relation.UNKNOWN, Relation.DIVERGED, Relation.BEHIND),
    *(Relation.REPLACED, Relation.SUPERSEDED, Relation.CONTAINS, Relation.SAME),
)
# As Argo CD's own order has it (gitops-engine, pkg/health/health.go).
_HEALTHS = ("Unknown", "", "Degraded", "Missing", "Progressing", "Suspended", "Healthy")
# Their health is known once Argo CD has looked; other kinds may have none.
_WITH_HEALTH = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Rollout"})


def narrow(
    application: Application, goal: Goal, relation: Callable[[str], Relation]
) -> Application:
    """Put the source that decides first, with its revision and its operation's, and its health."""
    if goal.resources:
        application = replace(application, health=_health(application.resources, goal.resources))
    # A list of one source is still a list, with revisions of its own.
    if not application.several_sources:
        return application
    ours = _ours(application, goal, relation)
    place = min(ours, key=lambda one: _rank(relation(_at(application.revisions, one))))
    return replace(
        application,
        spec=_first(application.spec, place),
        compared_to=_first(application.compared_to, place),
        revision=_at(application.revisions, place),
        operation=_narrowed(application.operation, ours, relation),
    )


def chosen(application: Application, patterns: Sequence[ResourcePattern]) -> tuple[Resource, ...]:
    """The resources whose health counts; all of them without a pattern."""
    return tuple(
        one
        for one in application.resources
        if not patterns or any(each.matches(one.group, one.kind, one.name) for each in patterns)
    )


def _health(resources: Sequence[Resource], patterns: Sequence[ResourcePattern]) -> str:
    """The worst health; of a workload without any (it is not kept in the document) nothing."""
    found = [
        one.health or ("" if one.kind in _WITH_HEALTH else "Healthy")
        for one in resources
        if any(each.matches(one.group, one.kind, one.name) for each in patterns)
    ]
    # A word that is none of Argo CD's is as good as not known.
    known = (one if one in _HEALTHS else "Unknown" for one in found)
    return min(known, key=_HEALTHS.index, default="")


def _ours(
    application: Application, goal: Goal, relation: Callable[[str], Relation]
) -> Sequence[int]:
    """Where the sources are that follow our branch of our repository, whatever its address."""
    sources = application.spec.sources
    git = [place for place, source in enumerate(sources) if source.is_git]
    same = [place for place in git if same_repository(sources[place].repo_url, goal.gitops_url)]
    branch = [
        place
        for place in same
        if sources[place].target_revision.removeprefix("refs/heads/") in {"", "HEAD", goal.branch}
    ]
    mirrors = [
        place
        for place in git
        if (found := relation(_at(application.revisions, place))).follows
        or found is Relation.BEHIND
    ]
    return branch or same or mirrors or git or [0]


def _narrowed(
    operation: Operation | None, ours: Sequence[int], relation: Callable[[str], Relation]
) -> Operation | None:
    if operation is None or not operation.revisions:
        return operation
    revisions = [_at(operation.revisions, place) for place in ours]
    return replace(operation, revision=min(revisions, key=lambda one: _rank(relation(one))))


def _rank(relation: Relation) -> int:
    return _RELATIONS.index(relation)


def _at(revisions: Sequence[str], place: int) -> str:
    return revisions[place] if place < len(revisions) else ""


def _first(comparison: Comparison, place: int) -> Comparison:
    sources = list(comparison.sources)
    if place < len(sources):
        sources.insert(0, sources.pop(place))
    return replace(comparison, sources=tuple(sources))
