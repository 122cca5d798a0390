"""What the fake GitHub knows beyond git: tokens, rules, pull requests, statuses, deployments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BOT = "github-actions"
BOT_EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)
REVIEW_NEEDED = (
    "BRANCH_PROTECTION_RULE_VIOLATION",
    "protected branch 'main' check failed:\nAt least 1 approving review is required.",
)
RULESET = (
    "UNPROCESSABLE",
    "Repository rule violations found\n\nChanges must be made through a pull request.\n\n",
)


class ApiError(Exception):
    """A refusal: GraphQL's type, or the status of REST."""

    def __init__(self, kind: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status


@dataclass
class Token:
    """Who a token is, and what it may, in the words of a workflow's `permissions`."""

    permissions: dict[str, str]
    login: str = BOT
    may_open_pull_requests: bool = True

    def require(self, permission: str) -> None:
        """Raise as GitHub refuses; `permission` is such as `contents: write`."""
        scope, _, level = permission.partition(": ")
        if self.permissions.get(scope, "") not in {level, "write"}:
            raise ApiError("FORBIDDEN", "Resource not accessible by integration", 403)


@dataclass
class PullRequest:
    """A pull request; `state` is as GraphQL writes it."""

    number: int
    head: str
    base: str
    title: str
    body: str
    author: str
    state: str = "OPEN"
    merge_commit: str | None = None
    auto_merge: str | None = None
    labels: list[str] = field(default_factory=list)
    from_fork: bool = False


@dataclass
class Scripted:
    """An answer that the next request gets; `after` it was carried out, or instead.

    With `pass_on` that request gets the true one.
    """

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    pass_on: bool = False


@dataclass
class Repository:
    """What one repository has beyond git."""

    rules: dict[str, tuple[str, str]] = field(default_factory=dict)
    required_checks: list[tuple[str, int | None]] = field(default_factory=list)
    classic_checks: list[tuple[str, int | None]] = field(default_factory=list)
    pulls: list[PullRequest] = field(default_factory=list)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    deployment_statuses: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    auto_merge_allowed: bool = True
    merge_state: str = "BLOCKED"
    merge_method: str = "MERGE"
    races: list[Callable[[], object]] = field(default_factory=list)
