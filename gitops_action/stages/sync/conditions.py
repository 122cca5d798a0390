"""What the conditions of an Application say: Argo CD's own words for why it cannot compare.

Conditions that are warnings (a resource that two Applications share, one that is excluded) keep
nothing from being deployed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitops_action.stages.sync import failures
from gitops_action.stages.sync.view import Finding, State
from gitops_action.stages.sync.words import cause, one_line

if TYPE_CHECKING:
    from gitops_action.model.argocd import Condition
    from gitops_action.stages.sync.view import View

# How long a condition may last that could still mend itself, in seconds.
_GRACE_SECONDS = 120.0
# The comparison from before we asked, and two that we asked for.
_COMPARISONS = 3
_TOO_LARGE = "resource size limit"
# As git, Go's net package and gRPC word it where a server cannot be reached, or lets nobody in.
_OUTSIDE = re.compile(
    r"dial tcp|dial unix|connection (refused|reset|error)|no such host|could not resolve host"
    r"|i/o timeout|timed? ?out|deadline ?exceeded|code = unavailable|\bEOF\b|tls: |x509: "
    r"|failed to list refs|ls-remote|repository not (found|accessible)|ssh: "
    r"|authentication (required|failed)|authorization failed|permission denied|unauthorized",
    re.IGNORECASE,
)


def is_outside(message: str) -> bool:
    """Whether what could not be rendered failed by a server or a right, and by no commit."""
    return bool(_OUTSIDE.search(message))


def not_compared(view: View) -> Finding | None:
    """Find what keeps Argo CD from comparing."""
    application = view.application
    for condition in application.conditions:
        if found := _error(view, condition):
            return found
    if application.sync not in {"Synced", "OutOfSync"}:
        reason = f"the sync status is {application.sync or 'not known yet'}"
        return Finding(state=State.COMPARE, reason=reason)
    return None


def _error(view: View, condition: Condition) -> Finding | None:
    application, message = view.application, condition.message
    comparisons = _COMPARISONS
    match condition.type:
        case "ComparisonError":
            failure = failures.not_rendered(application, message)
            message = cause(message) + (" (cached)" if "(cached)" in message else "")
        case "InvalidSpecError":
            failure = failures.invalid_spec(application, message)
        case "UnknownError" if _TOO_LARGE in message:
            failure = failures.too_large(application, message)
            comparisons = 0  # the document stays as it is: no comparison is ever written
        case "UnknownError":
            failure = failures.not_compared(application, message)
        case _:
            return None
    return Finding(
        state=State.COMPARE,
        reason=f"{condition.type}: {one_line(message)}",
        about="error",
        failure=failure,
        grace=_GRACE_SECONDS,
        comparisons=comparisons,
    )
