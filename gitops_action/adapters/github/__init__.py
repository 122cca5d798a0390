"""GitHub's API: the GitOps repository without a clone, pull requests, and reports on commits."""

from gitops_action.adapters.github.api import GitHubApi
from gitops_action.adapters.github.pull_requests import PullRequests
from gitops_action.adapters.github.reports import GitHubReports
from gitops_action.adapters.github.repository import GitHubRepository
from gitops_action.adapters.github.required_checks import RequiredChecks

__all__ = ["GitHubApi", "GitHubReports", "GitHubRepository", "PullRequests", "RequiredChecks"]
