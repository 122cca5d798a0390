"""GraphQL of the fake GitHub: queries are executed against the schema that GitHub publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, graphql_sync

from tests.fakes.github_description import graphql_schema
from tests.fakes.github_git import Git, decoded
from tests.fakes.github_state import BOT, ApiError, PullRequest, Repository, Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.github import FakeGitHub

_CLEAN = "Pull request Pull request is in clean status"


class Graphql:
    """One request of one token."""

    def __init__(self, github: FakeGitHub, token: Token) -> None:
        self._github = github
        self._token = token

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Execute a request as GitHub does; errors carry a type, and the status is 200."""
        mutations: dict[str, Callable[..., Any]] = {
            "createCommitOnBranch": self._commit,
            "updateRefs": self._update_refs,
            "createPullRequest": self._open,
            "updatePullRequest": self._edit,
            "enablePullRequestAutoMerge": self._auto_merge,
            "mergePullRequest": self._merge,
        }
        root = {name: _mutation(run) for name, run in mutations.items()}
        result = graphql_sync(
            graphql_schema(),
            body["query"],
            {**root, "repository": lambda _, owner, name, **__: self._repository(owner, name)},
            variable_values=body.get("variables"),
        )
        errors = [self._error(error) for error in result.errors or ()]
        return {"data": result.data} | ({"errors": errors} if errors else {})

    def _error(self, error: GraphQLError) -> dict[str, Any]:
        original = error.original_error
        if not isinstance(original, ApiError):
            self._github.violations.append(f"GraphQL: {error.message}")
        kind = original.kind if isinstance(original, ApiError) else "INTERNAL"
        formatted = {"path": error.path, "message": error.message}
        return {**formatted, "type": kind} if kind else formatted

    def _repository(self, owner: str, name: str) -> dict[str, Any]:
        full = f"{owner}/{name}"
        if not self._github.sees(self._token, full):
            message = f"Could not resolve to a Repository with the name '{full}'."
            raise ApiError("NOT_FOUND", message)
        self._token.require("contents: read")
        git, about = self._github.git(full), self._github.about(full)
        may_write = self._token.permissions.get("contents") == "write"
        return {
            "id": full,
            "nameWithOwner": full,
            "viewerPermission": "WRITE" if may_write else "READ",
            "autoMergeAllowed": about.auto_merge_allowed,
            "viewerDefaultMergeMethod": about.merge_method,
            "ref": lambda _, qualifiedName: _ref(git, qualifiedName),  # noqa: N803
            "object": lambda _, oid=None, expression=None: _object(git, oid or expression),
            "pullRequests": lambda _, **asked: self._pulls(full, asked),
            "pullRequest": lambda _, number: self._pull(full, self._numbered(full, number)),
        }

    def _commit(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["branch"]["repositoryNameWithOwner"]
        branch = asked["branch"]["branchName"]
        git, about = self._for_writing(name)
        head = git.head(branch)
        if not head:
            raise ApiError("NOT_FOUND", f"No ref exists with the name {branch}")
        self._obey(about, branch)
        if head != asked["expectedHeadOid"]:
            said = f'Expected branch to point to "{head}" but it did not.  Pull and try again.'
            raise ApiError("STALE_DATA", said)
        files = {
            one["path"]: decoded(one["contents"])
            for one in asked.get("fileChanges", {}).get("additions", ())
        }
        lines = [asked["message"]["headline"], asked["message"].get("body") or ""]
        message = "\n\n".join(line for line in lines if line)
        sha = git.write(head, files, message, self._token.login)
        git.move(f"refs/heads/{branch}", head, sha)
        return {"commit": git.commit(sha)}

    def _update_refs(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["repositoryId"]
        git, about = self._for_writing(name)
        for update in asked["refUpdates"]:
            branch = update["name"].removeprefix("refs/heads/")
            self._obey(about, branch)
            before, after = update.get("beforeOid") or "", update["afterOid"]
            git.move(update["name"], before or git.resolve(update["name"]) or "", after)
            for pull in about.pulls:
                # GitHub closes a pull request that has no commit left.
                if pull.head == branch and git.contains(after, git.head(pull.base)):
                    pull.state = "CLOSED"
        return {"clientMutationId": None}

    def _open(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["repositoryId"]
        about = self._for_pulls(name)
        if not self._token.may_open_pull_requests:
            said = "GitHub Actions is not permitted to create or approve pull requests"
            raise ApiError("FORBIDDEN", said)
        head, base = asked["headRefName"], asked["baseRefName"]
        ours = [one for one in about.pulls if not one.from_fork]
        if any((one.head, one.base, one.state) == (head, base, "OPEN") for one in ours):
            said = f"A pull request already exists for {name.split('/')[0]}:{head}."
            raise ApiError("UNPROCESSABLE", said)
        number = len(about.pulls) + 1
        pull = PullRequest(
            number, head, base, asked["title"], asked.get("body") or "", self._token.login
        )
        about.pulls.append(pull)
        return {"pullRequest": self._pull(name, pull)}

    def _edit(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, pull = self._identified(asked["pullRequestId"])
        pull.title = asked.get("title") or pull.title
        pull.body = asked.get("body") or pull.body
        return {"pullRequest": self._pull(name, pull)}

    def _auto_merge(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, pull = self._identified(asked["pullRequestId"])
        about = self._github.about(name)
        if not about.auto_merge_allowed:
            raise ApiError("UNPROCESSABLE", "Auto merge is not allowed for this repository")
        if about.merge_state == "CLEAN":
            raise ApiError("UNPROCESSABLE", _CLEAN)
        pull.auto_merge = asked["mergeMethod"]
        return {"pullRequest": self._pull(name, pull)}

    def _merge(self, asked: dict[str, Any]) -> dict[str, Any]:
        name, pull = self._identified(asked["pullRequestId"])
        self._token.require("contents: write")
        if asked.get("expectedHeadOid") not in {None, self._github.git(name).head(pull.head)}:
            raise ApiError(
                "UNPROCESSABLE", "Head branch was modified. Review and try the merge again."
            )
        self._github.merge(name, pull.number)
        return {"pullRequest": self._pull(name, pull)}

    def _pulls(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        self._token.require("pull-requests: read")
        wanted = {"headRefName": "head", "baseRefName": "base"}
        found = [
            self._pull(name, pull)
            for pull in self._github.about(name).pulls
            if pull.state in (asked.get("states") or {pull.state})
            and all(
                getattr(pull, own) == asked.get(key, getattr(pull, own))
                for key, own in wanted.items()
            )
        ]
        return {"nodes": found[: asked["first"]]}

    def _pull(self, name: str, pull: PullRequest) -> dict[str, Any]:
        git = self._github.git(name)
        bot = pull.author == BOT
        merged = pull.merge_commit and {"__typename": "Commit", "oid": pull.merge_commit}
        checks = [
            {"__typename": "StatusContext", "context": one["context"]}
            for one in self._github.about(name).statuses.get(git.head(pull.head), ())
        ]
        rollup = {"contexts": lambda _, **__: {"nodes": checks}}
        return {
            "__typename": "PullRequest",
            "id": f"{name}#{pull.number}",
            "number": pull.number,
            "url": f"https://github.example/{name}/pull/{pull.number}",
            "state": pull.state,
            "isCrossRepository": pull.from_fork,
            "headRefOid": git.head(pull.head),
            "headRefName": pull.head,
            "baseRefName": pull.base,
            "mergeCommit": merged,
            "autoMergeRequest": {"mergeMethod": pull.auto_merge} if pull.auto_merge else None,
            "author": {"__typename": "Bot" if bot else "User", "login": pull.author},
            "statusCheckRollup": lambda _: (self._may_read_checks() and checks and rollup) or None,
        }

    def _may_read_checks(self) -> bool:
        self._token.require("checks: read")
        return True

    def _numbered(self, name: str, number: int) -> PullRequest:
        for pull in self._github.about(name).pulls:
            if pull.number == number:
                return pull
        said = f"Could not resolve to a PullRequest with the number of {number}."
        raise ApiError("NOT_FOUND", said)

    def _identified(self, identity: str) -> tuple[str, PullRequest]:
        name, _, number = identity.partition("#")
        self._for_pulls(name)
        return name, self._numbered(name, int(number))

    def _for_pulls(self, name: str) -> Repository:
        self._token.require("pull-requests: write")
        return self._github.about(name)

    def _for_writing(self, name: str) -> tuple[Git, Repository]:
        if not self._github.sees(self._token, name):
            said = f"Could not resolve to a Repository with the name '{name}'."
            raise ApiError("NOT_FOUND", said)
        self._token.require("contents: write")
        about = self._github.about(name)
        if about.races:
            about.races.pop(0)()
        return self._github.git(name), about

    def _obey(self, about: Repository, branch: str) -> None:
        if rule := about.rules.get(branch):
            raise ApiError(*rule)


def _mutation(run: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
    return lambda _, input: run(input)  # noqa: A006


def _ref(git: Git, qualified: str) -> dict[str, Any] | None:
    sha = git.resolve(qualified)
    return {"target": git.object(sha)} if sha else None


def _object(git: Git, expression: str) -> dict[str, Any] | None:
    sha = git.resolve(expression)
    return git.object(sha) if sha else None
