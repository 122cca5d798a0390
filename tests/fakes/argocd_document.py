"""The JSON of an Application in memory, as Argo CD's API writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fakes.argocd_memory import MemoryApplication

Document = dict[str, Any]
_ANNOTATION = "argocd.argoproj.io/refresh"
_DESTINATION = {"server": "https://kubernetes.default.svc", "namespace": "default"}


def document_of(application: MemoryApplication) -> Document:
    """What the API shows; what is empty is absent, as Go's `omitempty` has it."""
    automated = {"automated": {"prune": True, "selfHeal": True}}
    document: Document = {
        "metadata": {
            "name": application.name,
            "namespace": application.namespace,
            "uid": f"uid-{application.name}",
            "resourceVersion": str(application.version),
            "labels": application.labels or None,
            "annotations": {_ANNOTATION: "normal"} if application.refreshing else None,
        },
        "spec": {
            "source": application.source(),
            "destination": _DESTINATION,
            "project": application.project,
            "syncPolicy": automated if application.behaviour.automated else None,
        },
        "operation": application.operation,
        "status": {
            "resources": [_deployment(application)],
            "sync": {
                **application.sync,
                "comparedTo": {
                    "source": application.compared_source,
                    "destination": _DESTINATION,
                },
            },
            "health": {"status": application.health},
            "conditions": application.conditions or None,
            "reconciledAt": stamp(application.reconciled_at),
            "operationState": application.state,
            "summary": {"images": list(application.live)},
        },
    }
    return _without_none(_merged(document, application.extra))


def failed_resource(name: str, message: str) -> Document:
    """What an operation tells of a resource that the cluster refused."""
    return {
        "kind": "Service",
        "namespace": "default",
        "name": name,
        "status": "SyncFailed",
        "message": message,
    }


def stamp(moment: float) -> str:
    """Seconds since 1970 as Argo CD writes them: whole."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _deployment(application: MemoryApplication) -> Document:
    degraded = application.health == "Degraded"
    return {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
        "namespace": "default",
        "name": application.name,
        "status": application.sync["status"],
        "health": {"status": application.health}
        | ({"message": application.behaviour.degraded} if degraded else {}),
    }


def _without_none(document: Document) -> Document:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in document.items()
        if value is not None
    }


def _merged(document: Document, extra: Document) -> Document:
    merged = dict(document)
    for key, value in extra.items():
        inner = merged.get(key)
        both = isinstance(value, dict) and isinstance(inner, dict)
        merged[key] = _merged(inner or {}, value) if both else value
    return merged
