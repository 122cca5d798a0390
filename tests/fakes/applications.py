"""Applications as Argo CD shows them, one keyword away from deployed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gitops_action.model.argocd import Application, Comparison, Destination, Source

URL = "https://git.example.com/acme/gitops.git"
OLDER = "4be1c2a" + "b" * 33
OURS = "9d0f7e3" + "a" * 33
NEWER = "c" * 40
BEFORE = datetime(2026, 11, 23, 5, 33, 33, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 5, 33, 35, tzinfo=UTC)


def application(
    *,
    repo_url: str = URL,
    target_revision: str = "main",
    chart: str = "",
    **changes: Any,  # noqa: ANN401  the fields of an Application
) -> Application:
    """One that has our commit deployed, but for what is given."""
    spec = Comparison(
        sources=(
            Source(
                repo_url=repo_url, target_revision=target_revision, path="overlays/dev", chart=chart
            ),
        ),
        destination=Destination(server="https://kubernetes.default.svc", namespace="default"),
    )
    deployed = Application(
        name="shop",
        namespace="argocd",
        uid="1",
        spec=spec,
        compared_to=spec,
        automated=True,
        sync="Synced",
        revision=OURS,
        health="Healthy",
        reconciled_at=LATER,
    )
    return replace(deployed, **changes)
