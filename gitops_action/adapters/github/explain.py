"""What GitHub's refusals mean, and what to do about them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitops_action.adapters.http import (
    CertificateError,
    HTTPError,
    TimedOutError,
    UnreachableError,
)
from gitops_action.errors import (
    ActionError,
    GitOpsAccessError,
    GitOpsError,
    GitOpsUnavailableError,
    PushRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.adapters.http import Response

_OK, _MULTIPLE_CHOICES, _BAD_REQUEST, _UNAUTHENTICATED = 200, 300, 400, 401
_FORBIDDEN, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 403, 404, 429, 500
_LONGEST = 1000
_RATE = re.compile(r"rate limit|abuse detection", re.IGNORECASE)
# Classic protection answers BRANCH_PROTECTION_RULE_VIOLATION, rulesets another type: the words
# are what both have in common.
_RULE = re.compile(
    r"rule violations|protected branch|protected ref|through a pull request|required status check"
    r"|verified signatures|approving review|branch is locked",
    re.IGNORECASE,
)
_FAILED = "Something went wrong while executing your query"
_MAY_NOT_OPEN = re.compile(r"not permitted to create or approve pull requests", re.IGNORECASE)
RECIPE = (
    "- uses: actions/create-github-app-token@v3\n"
    "  id: app\n"
    "  with:\n"
    "    app-id: ${{ vars.GITOPS_APP_ID }}\n"
    "    private-key: ${{ secrets.GITOPS_APP_PRIVATE_KEY }}\n"
    "# in this action's step\n"
    "with:\n"
    "  gitops-token: ${{ steps.app.outputs.token }}"
)


def is_rate_limit(answer: Response) -> bool:
    """Whether GitHub asks us to slow down; by HTTP 403 too, and in GraphQL by 200."""
    if answer.status == _TOO_MANY:
        return True
    if answer.status == _FORBIDDEN:
        return (
            "Retry-After" in answer.headers
            or answer.headers.get("X-RateLimit-Remaining") == "0"
            or bool(_RATE.search(said(answer)))
        )
    return any(one.get("type") == "RATE_LIMITED" for one in _errors(answer))


def is_failure(answer: Response) -> bool:
    """Whether GitHub itself failed; in GraphQL it says so by 200, of changes with stale values too.

    https://github.com/orgs/community/discussions/213655
    """
    return answer.status >= _SERVER_ERROR or any(
        str(one.get("message", "")).startswith(_FAILED) for one in _errors(answer)
    )


def _errors(answer: Response) -> list[dict[str, object]]:
    """Those of GraphQL."""
    body = answer.json() if answer.status == _OK else None
    errors = body.get("errors") if isinstance(body, dict) else None
    return errors if isinstance(errors, list) else []


def explain_network(error: HTTPError, url: str) -> ActionError:
    """No answer came."""
    host = urlsplit(url).netloc
    if isinstance(error, CertificateError):
        return GitOpsError(
            f"The certificate of {host} is not trusted: {error}.",
            hint="Give the certificate of its authority, as PEM, to the input `ca-certificates`:\n"
            "with:\n  ca-certificates: ${{ vars.CA_CERTIFICATES }}",
        )
    if not isinstance(error, (TimedOutError, UnreachableError)):
        return GitOpsError(
            f"GitHub's API at {host} could not be asked: {error}.",
            hint="Look for blanks, line breaks and odd characters in `gitops-token`.",
        )
    return GitOpsUnavailableError(
        f"GitHub's API at {host} does not answer: {error}.",
        hint="Run the job again; look at the network, the proxy variables, and githubstatus.com.",
    )


def explain_refusal(answer: Response, repository: str, permission: str) -> ActionError:
    """An answer by HTTP status came that is not the one we asked for."""
    words = said(answer)
    if is_rate_limit(answer):
        return GitOpsUnavailableError(
            f"GitHub's rate limit for this token is used up: {words or answer.status}.",
            hint="Run the job again later. GITHUB_TOKEN has 1,000 requests an hour for each "
            "repository; a GitHub App's token (`gitops-token`) has more.",
        )
    if answer.status == _UNAUTHENTICATED:
        return GitOpsAccessError(
            f"GitHub refuses the token for {repository}: {words or 'Bad credentials'}.",
            hint="A job's own token ends with the job; another one may have expired or been "
            "revoked: store a new one as a secret, and give it in `gitops-token`.",
        )
    if answer.status == _NOT_FOUND:
        return _no_repository(repository, permission)
    if answer.status < _BAD_REQUEST or is_failure(answer):
        return _strange(answer, repository, words)
    kind = "FORBIDDEN" if answer.status == _FORBIDDEN else ""
    return explain_problems([(kind, words or f"HTTP {answer.status}")], repository, permission)


def _strange(answer: Response, repository: str, words: str) -> GitOpsError:
    if _MULTIPLE_CHOICES <= answer.status < _BAD_REQUEST:
        return GitOpsError(
            f"The repository {repository} was renamed or moved: GitHub redirects, and the token "
            "does not go along.",
            hint="Give its present name in `gitops-repository`.",
        )
    said = f"the words: {words}" if words else answer.content_type or "nothing"
    kind = GitOpsUnavailableError if is_failure(answer) else GitOpsError
    return kind(
        f"GitHub answers {answer.status} with {said}.",
        hint="Run the job again; look at githubstatus.com, and at the proxy in between.",
    )


def explain_problems(
    problems: Sequence[tuple[str, str]], repository: str, permission: str
) -> ActionError:
    """GitHub understood the question and refused it; `problems` are pairs of type and message."""
    words = "; ".join(dict.fromkeys(message.rstrip(".") for _, message in problems))[:_LONGEST]
    kinds = {kind for kind, _ in problems}
    if _MAY_NOT_OPEN.search(words):
        return GitOpsAccessError(
            f"The job's token may not open pull requests in {repository}: {words}.",
            hint='Tick "Allow GitHub Actions to create and approve pull requests" in the '
            'repository\'s Settings, Actions, General, "Workflow permissions" (an organization can '
            f"forbid it in its own settings), or use the token of a GitHub App:\n{RECIPE}",
        )
    if "BRANCH_PROTECTION_RULE_VIOLATION" in kinds or _RULE.search(words):
        return PushRefusedError(
            f"A rule of the repository {repository} refuses the commit: {words}.",
            hint="Let a pull request carry it (`delivery: pull-request`), or give `gitops-token` "
            "the token of a GitHub App that may bypass the rule, which github-actions[bot] may "
            "not.",
        )
    if "FORBIDDEN" in kinds:
        return GitOpsAccessError(
            f"The token lacks a right in {repository}: {words or 'forbidden'}.",
            hint=_granting(permission),
        )
    if "NOT_FOUND" in kinds and "Repository" in words:
        return _no_repository(repository, permission)
    return GitOpsError(
        f"GitHub refuses to do it in {repository}: {words}.",
        hint="Compare the inputs `gitops-repository` and `gitops-branch` with what GitHub says.",
    )


def said(answer: Response) -> str:
    """GitHub's own words on one line, those about single fields included."""
    body = answer.json()
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors") if isinstance(body.get("errors"), list) else []
    more = [one.get("message", "") if isinstance(one, dict) else str(one) for one in errors or ()]
    lines = [str(body.get("message") or ""), *(str(line) for line in more)]
    return ", ".join(" ".join(line.split()).rstrip(".") for line in lines if line)[:_LONGEST]


def _no_repository(repository: str, permission: str) -> GitOpsAccessError:
    return GitOpsAccessError(
        f"The repository {repository} does not exist, or the token may not see it.",
        hint=f"Compare the input `gitops-repository`. {_granting(permission)}",
    )


def _granting(permission: str) -> str:
    return (
        "Give the job's token this right, and another repository's token where the GitOps "
        "repository is another one:\n"
        "permissions:\n"
        f"  {permission or 'contents: read'}\n"
        "# in the step, for another repository\n"
        "with:\n"
        "  gitops-token: ${{ secrets.GITOPS_TOKEN }}"
    )
