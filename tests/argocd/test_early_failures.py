"""What the real Argo CD will not do by itself is found long before the deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.errors import ApplicationError, SyncError
from tests.systems.rollout import PATH, kustomization

if TYPE_CHECKING:
    from tests.argocd.conftest import Deploy, Wait
    from tests.systems.kubernetes import Document

UNPRUNED: Document = {"automated": {}}


def test_a_resource_that_is_gone_from_git_and_not_pruned(deploy: Deploy, wait: Wait) -> None:
    """
    Argo CD neither deletes nor begins an operation: the wait says which resource is left.
    """
    one, _ = deploy(sync_policy=UNPRUNED)

    text = kustomization("1.0.0").replace("  - service.yaml\n", "")
    waiting = wait(one.push({f"{PATH}/kustomization.yaml": text}), one, timeout_seconds=300)

    error = waiting.failure()
    assert isinstance(error, SyncError)
    assert "has no Service/shop any more" in error.message
    assert waiting.ended - waiting.begun <= 45


def test_a_sync_window_that_is_closed(deploy: Deploy, wait: Wait) -> None:
    """
    Auto-sync says nowhere that a window keeps it from syncing: the wait asks, and says which.
    """
    one, _ = deploy()
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": [one.name]}
    one.kubernetes.patch(
        "AppProject",
        one.installation.namespace,
        "default",
        {"spec": {"syncWindows": [window]}},
    )

    waiting = wait(one.bump("1.1.0"), one, timeout_seconds=300)

    error = waiting.failure()
    assert isinstance(error, ApplicationError)
    assert "A sync window keeps Argo CD from syncing" in error.message
    assert "deny `* * * * *` for 1h" in error.message
    assert waiting.ended - waiting.begun <= 90
