"""The GitOps repository through git: a private clone that knows nothing of the workspace's."""

from __future__ import annotations

from gitops_action.adapters.git.clone import GitOpsClone
from gitops_action.adapters.git.workspace import workspace_commit

__all__ = ["GitOpsClone", "workspace_commit"]
