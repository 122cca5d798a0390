"""GitHub's API: the GitOps repository without a clone, pull requests, and reports on commits."""

from gitops_action.adapters.github.api import GitHubApi
from gitops_action.adapters.github.reports import GitHubReports
from gitops_action.adapters.github.repository import GitHubRepository

__all__ = ["GitHubApi", "GitHubReports", "GitHubRepository"]
