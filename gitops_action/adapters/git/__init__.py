"""The GitOps repository through git: a private clone that knows nothing of the workspace's."""

from __future__ import annotations

from gitops_action.adapters.git.clone import GitOpsClone
from gitops_action.adapters.git.command import Git
from gitops_action.adapters.git.history import History
from gitops_action.adapters.git.keys import ssh_command
from gitops_action.adapters.git.workspace import is_clean, workspace_commit

__all__ = ["Git", "GitOpsClone", "History", "is_clean", "ssh_command", "workspace_commit"]
