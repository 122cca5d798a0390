"""The JSON of an Argo CD Application, read leniently: Go leaves out what is empty (`omitempty`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gitops_action.model.argocd import (
    NONCE,
    Application,
    Comparison,
    Condition,
    Destination,
    Operation,
    Resource,
    Source,
)

# What Go's strconv.ParseBool takes for true.
_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_ANNOTATION = "argocd.argoproj.io/"


def parse_application(document: object) -> Application:
    """Parse the JSON of an Application.

    Raises ValueError where it has no `metadata.name`, so is no Application.
    """
    root = _mapping(document)
    metadata, spec, status = (_mapping(root.get(key)) for key in ("metadata", "spec", "status"))
    annotations, sync = _mapping(metadata.get("annotations")), _mapping(status.get("sync"))
    if not _text(metadata, "name"):
        raise ValueError("not an Application: it has no metadata.name")
    return Application(
        name=_text(metadata, "name"),
        namespace=_text(metadata, "namespace"),
        uid=_text(metadata, "uid"),
        project=_text(spec, "project"),
        spec=_comparison(spec),
        compared_to=_comparison(_mapping(sync.get("comparedTo"))),
        several_sources=bool(_items(spec, "sources")),
        hydrated=bool(spec.get("sourceHydrator")),
        automated=_automated(spec),
        prunes=_policy(spec).get("prune") is True,
        self_heals=_policy(spec).get("selfHeal") is True,
        of_application_set=any(
            _text(owner, "kind") == "ApplicationSet"
            for owner in _items(metadata, "ownerReferences")
        ),
        deleting=bool(metadata.get("deletionTimestamp")),
        skips_reconcile=_text(annotations, f"{_ANNOTATION}skip-reconcile") in _TRUE,
        refresh_queued=f"{_ANNOTATION}refresh" in annotations,
        sync=_text(sync, "status"),
        revision=_text(sync, "revision"),
        revisions=_strings(sync.get("revisions")),
        health=_text(_mapping(status.get("health")), "status"),
        health_message=_text(_mapping(status.get("health")), "message"),
        reconciled_at=_time(status, "reconciledAt"),
        operation_requested=bool(root.get("operation")),
        requested_nonce=_nonce(_mapping(root.get("operation"))),
        operation=_operation(_mapping(status.get("operationState"))),
        conditions=tuple(
            Condition(_text(condition, "type"), _text(condition, "message"))
            for condition in _items(status, "conditions")
        ),
        resources=tuple(_resource(resource) for resource in _items(status, "resources")),
        images=_strings(_mapping(status.get("summary")).get("images")),
    )


def _comparison(spec: Mapping[str, object]) -> Comparison:
    destination = _mapping(spec.get("destination"))
    sources = _items(spec, "sources") or ([_mapping(spec["source"])] if spec.get("source") else [])
    return Comparison(
        sources=tuple(
            Source(
                repo_url=_text(source, "repoURL"),
                target_revision=_text(source, "targetRevision"),
                path=_text(source, "path"),
                chart=_text(source, "chart"),
                ref=_text(source, "ref"),
                images=_strings(_mapping(source.get("kustomize")).get("images")),
            )
            for source in sources
        ),
        destination=Destination(
            server=_text(destination, "server"),
            name=_text(destination, "name"),
            namespace=_text(destination, "namespace"),
        ),
    )


def _automated(spec: Mapping[str, object]) -> bool:
    # An empty `automated: {}` is on; only its own `enabled: false` switches it off.
    automated = _mapping(spec.get("syncPolicy")).get("automated")
    return isinstance(automated, Mapping) and automated.get("enabled") is not False


def _policy(spec: Mapping[str, object]) -> Mapping[str, object]:
    return _mapping(_mapping(spec.get("syncPolicy")).get("automated"))


def _nonce(operation: Mapping[str, object]) -> str:
    values = (
        _text(info, "value") for info in _items(operation, "info") if _text(info, "name") == NONCE
    )
    return next(values, "")


def _operation(state: Mapping[str, object]) -> Operation | None:
    if not state:
        return None
    operation = _mapping(state.get("operation"))
    asked = _mapping(operation.get("sync"))
    result = _mapping(state.get("syncResult"))
    retries = state.get("retryCount")
    return Operation(
        phase=_text(state, "phase"),
        message=_text(state, "message"),
        revision=_text(result, "revision") or _text(asked, "revision"),
        revisions=_strings(result.get("revisions")) or _strings(asked.get("revisions")),
        nonce=_nonce(operation),
        started_at=_time(state, "startedAt"),
        finished_at=_time(state, "finishedAt"),
        retries=retries if isinstance(retries, int) else 0,
        dry_run=bool(asked.get("dryRun")),
        failed=tuple(
            _resource(resource)
            for resource in _items(result, "resources")
            if _text(resource, "status") == "SyncFailed"
            or _text(resource, "hookPhase") in {"Failed", "Error"}
        ),
        touched=tuple(
            _resource(resource)
            for resource in _items(result, "resources")
            # As kubectl words it: `deployment.apps/shop unchanged`.
            if not _text(resource, "message").endswith(" unchanged")
        ),
    )


def _resource(resource: Mapping[str, object]) -> Resource:
    health = _mapping(resource.get("health"))
    return Resource(
        group=_text(resource, "group"),
        kind=_text(resource, "kind"),
        namespace=_text(resource, "namespace"),
        name=_text(resource, "name"),
        sync=_text(resource, "status"),
        health=_text(health, "status"),
        message=_text(health, "message") or _text(resource, "message"),
        requires_pruning=resource.get("requiresPruning") is True,
        hook=resource.get("hook") is True,
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _items(mapping: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    value = mapping.get(key)
    return [_mapping(item) for item in value] if isinstance(value, list) else []


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _text(mapping: Mapping[str, object], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""


def _time(mapping: Mapping[str, object], key: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(_text(mapping, key))
    except ValueError:
        return None
    return time if time.tzinfo else None
