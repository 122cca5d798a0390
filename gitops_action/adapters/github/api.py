"""GitHub's REST and GraphQL as one token sees one repository.

What may be sent twice is sent again after a failure of the network or of GitHub, and everything
after a rate limit, whose refusal means that nothing was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gitops_action.adapters.github.explain import (
    explain_network,
    explain_problems,
    explain_refusal,
    is_failure,
    said,
)
from gitops_action.adapters.github.patience import Patience, pause
from gitops_action.adapters.http import HTTPError, TimedOutError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.cancellation import Cancellation
    from gitops_action.adapters.http import Http, Response
    from gitops_action.errors import ActionError
    from gitops_action.model.secret import Secret

_SECONDS = 20.0  # GitHub itself gives up after 10
_MULTIPLE_CHOICES, _NOT_MODIFIED, _NOT_FOUND = 300, 304, 404
_NO_COMMIT = "No commit found for"
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class UnansweredError(Exception):
    """A change was sent, and whether it was made is not known; `why` says what came instead."""

    def __init__(self, why: ActionError) -> None:
        super().__init__(why.message)
        self.why = why


@dataclass(frozen=True, slots=True)
class Problem:
    """One of the errors in a GraphQL answer; `kind` is its `type`, such as `NOT_FOUND`."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Data:
    """What GraphQL answered: the values, and what went wrong with some of them."""

    values: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


class GitHubApi:
    """Asks about `repository`, which is `owner/name`.

    `rest` and `graphql` are addresses as in GITHUB_API_URL and GITHUB_GRAPHQL_URL, which differ
    between github.com and a GitHub Enterprise Server. `patience_seconds` is how long one question
    may wait for GitHub to be well again, or for a rate limit to end.

    Methods raise GitOpsAccessError where the token lacks a right (`permission` names it as the
    workflow's `permissions` do), GitOpsUnavailableError where GitHub cannot answer now, GitOpsError
    where it will not, and CancelledError.
    """

    def __init__(  # noqa: PLR0913  where, as whom, and by what means
        self,
        http: Http,
        cancellation: Cancellation,
        *,
        repository: str,
        token: Secret,
        rest: str = "https://api.github.com",
        graphql: str = "https://api.github.com/graphql",
        patience_seconds: float = 120.0,
    ) -> None:
        self.repository = repository
        self._http = http
        self._cancellation = cancellation
        self._token = token
        self._rest = rest.rstrip("/")
        self._graphql = graphql
        self._patience_seconds = patience_seconds
        self._visible = False
        self._known: dict[tuple[str, str], tuple[str, object]] = {}

    def get(
        self, path: str, params: Mapping[str, str] | None = None, *, permission: str
    ) -> object | None:
        """Read `path` of the repository; None where there is no such thing in it.

        What has not changed since it was last asked for costs nothing of the rate limit.
        """
        key = (path, repr(sorted((params or {}).items())))
        tag, value = self._known.get(key, ("", None))
        headers = {"If-None-Match": tag} if tag else {}
        answer = self._send("GET", self._url(path), params=params, headers=headers)
        if answer.status == _NOT_MODIFIED:
            return value
        if answer.status == _NOT_FOUND or _NO_COMMIT in said(answer):
            self._require_repository()
            return None
        value = self._value(answer, permission)
        if tag := answer.headers.get("ETag", ""):
            self._known[key] = (tag, value)
        return value

    def make(self, path: str, json: object, *, permission: str) -> dict[str, Any]:
        """Make something that may be made twice."""
        value = self._value(self._send("POST", self._url(path), json=json), permission)
        return value if isinstance(value, dict) else {}

    def ask(self, document: str, variables: Mapping[str, object], *, permission: str) -> Data:
        """Ask GraphQL, or change by it what may be changed twice; fills in `$owner` and `$name`."""
        return self._execute(document, variables, permission, once=False)

    def change(self, document: str, variables: Mapping[str, object], *, permission: str) -> Data:
        """Change something by GraphQL; raises UnansweredError too."""
        return self._execute(document, variables, permission, once=True)

    def patience(self) -> Patience:
        """The waits of one question."""
        return Patience(self._cancellation, self._patience_seconds)

    def refused(self, data: Data, permission: str) -> ActionError:
        """What the problems of an answer mean."""
        return explain_problems(
            [(one.kind, one.message) for one in data.problems], self.repository, permission
        )

    def _execute(
        self, document: str, variables: Mapping[str, object], permission: str, *, once: bool
    ) -> Data:
        owner, _, name = self.repository.partition("/")
        asked = {"owner": owner, "name": name, **variables}
        body = {"query": document, "variables": asked}
        answer = self._send("POST", self._graphql, json=body, once=once)
        value = self._value(answer, permission)
        found = value if isinstance(value, dict) else {}
        data = Data(
            found.get("data") or {},
            tuple(
                Problem(str(one.get("type", "")), " ".join(str(one.get("message", "")).split()))
                for one in found.get("errors") or ()
            ),
        )
        if not data.values and not data.problems:
            raise explain_refusal(answer, self.repository, permission)
        if any(one.kind == "FORBIDDEN" or _is_no_repository(one) for one in data.problems):
            raise self.refused(data, permission)
        return data

    def _send(  # noqa: PLR0913  a request has this many sides
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        once: bool = False,
    ) -> Response:
        patience = self.patience()
        while True:
            try:
                answer = self._http.request(
                    method,
                    url,
                    bearer=self._token,
                    params=params,
                    headers={**_HEADERS, **(headers or {})},
                    json=json,
                    timeout=_SECONDS,
                    finish=once,
                )
            except (TimedOutError, UnreachableError) as error:
                why = explain_network(error, url)
                if once:
                    raise UnansweredError(why) from error
                patience.wait(None, why)
                continue
            except HTTPError as error:
                raise explain_network(error, url) from error
            if (seconds := pause(answer)) is not None:
                patience.wait(seconds, explain_refusal(answer, self.repository, ""))
            elif not is_failure(answer):
                return answer
            elif once:
                raise UnansweredError(explain_refusal(answer, self.repository, ""))
            else:
                patience.wait(None, explain_refusal(answer, self.repository, ""))

    def _value(self, answer: Response, permission: str) -> object:
        value = answer.json()
        if answer.status >= _MULTIPLE_CHOICES or value is None:
            raise explain_refusal(answer, self.repository, permission)
        return value

    def _require_repository(self) -> None:
        """GitHub says 404 of what a token must not know of, too."""
        if self._visible:
            return
        answer = self._send("GET", self._url(""))
        if answer.status >= _MULTIPLE_CHOICES:
            raise explain_refusal(answer, self.repository, "contents: read")
        self._visible = True

    def _url(self, path: str) -> str:
        return f"{self._rest}/repos/{self.repository}{path}"


def quoted(part: str) -> str:
    """A name as part of a path; GitHub takes the slashes of branches as they are."""
    return quote(part, safe="/")


def _is_no_repository(problem: Problem) -> bool:
    return problem.kind == "NOT_FOUND" and "Repository" in problem.message
