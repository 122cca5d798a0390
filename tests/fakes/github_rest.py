"""REST of the fake GitHub: what it answers is checked against the description GitHub publishes."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.fakes.github_description import Json, escaped, example, openapi, violations
from tests.fakes.github_state import BOT, ApiError, Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.github import FakeGitHub

# A permission, and what answers.
_Route: TypeAlias = "tuple[str, Callable[..., object]]"
_ERROR = "/components/schemas/basic-error"


class Rest:
    """One request of one token about one repository."""

    def __init__(self, github: FakeGitHub, token: Token, name: str) -> None:
        self._github = github
        self._token = token
        self._name = name
        self._git = github.git(name)
        self._about = github.about(name)

    def answer(
        self, method: str, path: str, asked: dict[str, str], body: Json
    ) -> tuple[int, object]:
        """Status and value; what is against the description is noted in `violations`."""
        for (verb, template), route in self._routes().items():
            found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>.+)", template), path)
            if verb == method and found:
                operation = (
                    f"/paths/{escaped(f'/repos/{{owner}}/{{repo}}{template}')}/{verb.lower()}"
                )
                return self._run(operation, route, found.groupdict(), asked, body)
        self._github.violations.append(f"the fake knows no {method} {path}")
        return 404, _refusal("Not Found", 404)

    def _run(
        self,
        operation: str,
        route: _Route,
        parts: dict[str, str],
        asked: dict[str, str],
        body: Json,
    ) -> tuple[int, object]:
        described: Json = openapi()
        for part in operation.split("/")[1:]:
            described = described[part.replace("~1", "/").replace("~0", "~")]
        self._note(_unknown(described, asked))
        if body is not None:
            content = f"{operation}/requestBody/content/application~1json/schema"
            if wrong := violations(content, body):
                self._note(wrong)
                return 422, _refusal("Validation Failed", 422)
        status = next(iter(described["responses"]))
        try:
            self._token.require(route[0])
            value = route[1](**parts, **({"asked": asked} if body is None else {"body": body}))
        except ApiError as error:
            value = _refusal(error.message, error.status)
            self._note(violations(_ERROR, value))
            return error.status, value
        content = f"{operation}/responses/{status}/content/application~1json/schema"
        self._note(violations(content, value))
        return int(status), value

    def _note(self, found: list[str]) -> None:
        self._github.violations += found

    def _routes(self) -> dict[tuple[str, str], _Route]:
        return {
            ("GET", ""): ("contents: read", self._repository),
            ("GET", "/commits/{ref}/status"): ("statuses: read", self._status),
            ("GET", "/commits"): ("contents: read", self._commits),
            ("GET", "/compare/{basehead}"): ("contents: read", self._compare),
            ("GET", "/deployments"): ("deployments: read", self._deployments),
            ("GET", "/deployments/{deployment_id}/statuses"): ("deployments: read", self._deployed),
            ("GET", "/git/blobs/{file_sha}"): ("contents: read", self._blob),
            ("POST", "/git/trees"): ("contents: write", self._tree),
            ("POST", "/git/commits"): ("contents: write", self._commit),
            ("GET", "/branches/{branch}"): ("contents: read", self._branch),
            ("GET", "/rules/branches/{branch}"): ("contents: read", self._rules),
            ("POST", "/issues/{issue_number}/labels"): ("pull-requests: write", self._labels),
        }

    def _repository(self, asked: dict[str, str]) -> object:  # noqa: ARG002
        branch = self._git.run("symbolic-ref", "--short", "HEAD")
        return _of("full-repository", full_name=self._name, default_branch=branch)

    def _status(self, ref: str, asked: dict[str, str]) -> object:
        sha = self._require_commit(ref)
        newest = {one["context"]: one for one in self._about.statuses.get(sha, [])}
        page = _page(list(newest.values()), asked)
        found = [_of("simple-commit-status", **one) for one in page]
        return _of("combined-commit-status", sha=sha, statuses=found, total_count=len(newest))

    def _commits(self, asked: dict[str, str]) -> object:
        start = self._require_commit(asked.get("sha", "HEAD"))
        paths = ("--", asked["path"]) if "path" in asked else ()
        count = asked.get("per_page", "30")
        listed = self._git.run("log", f"--max-count={count}", "--format=%H", start, *paths)
        return [_of("commit", sha=sha) for sha in listed.split()]

    def _compare(self, basehead: str, asked: dict[str, str]) -> object:
        base, _, head = basehead.partition("...")
        base, head = self._require_commit(base), self._require_commit(head)
        ahead = int(self._git.run("rev-list", "--count", f"{base}..{head}"))
        behind = int(self._git.run("rev-list", "--count", f"{head}..{base}"))
        states = {
            (False, False): "identical",
            (True, False): "ahead",
            (False, True): "behind",
            (True, True): "diverged",
        }
        state = states[ahead > 0, behind > 0]
        files = [] if asked.get("page", "1") != "1" else self._files(base, head)
        return _of("commit-comparison", status=state, ahead_by=ahead, behind_by=behind, files=files)

    def _files(self, base: str, head: str) -> list[object]:
        """At most 300, as GitHub tells them."""
        lines = self._git.run("diff", "--name-status", "-M", f"{base}...{head}").splitlines()
        found: list[object] = []
        for line in lines[:300]:
            status, *names = line.split("\t")
            word = {"A": "added", "M": "modified", "D": "removed", "R": "renamed"}[status[0]]
            before = {"previous_filename": names[0]} if word == "renamed" else {}
            found.append(_of("diff-entry", filename=names[-1], status=word, **before))
        return found

    def _deployments(self, asked: dict[str, str]) -> object:
        found = [
            _of("deployment", **one)
            for one in reversed(self._about.deployments)
            if all(one[key] == asked.get(key, one[key]) for key in ("environment", "sha"))
        ]
        return _page(found, asked)

    def _deployed(self, deployment_id: str, asked: dict[str, str]) -> object:
        found = self._about.deployment_statuses.get(int(deployment_id), [])
        return _page([_of("deployment-status", **one) for one in reversed(found)], asked)

    def _blob(self, file_sha: str, asked: dict[str, str]) -> object:  # noqa: ARG002
        content = self._git.blob(file_sha)
        text = base64.encodebytes(content).decode()
        return _of("blob", sha=file_sha, content=text, encoding="base64", size=len(content))

    def _tree(self, body: dict[str, Any]) -> object:
        entries = body["tree"]
        files = {one["path"]: one["content"].encode() for one in entries}
        modes = {one["path"]: one["mode"] for one in entries}
        commit = self._git.write(body["base_tree"], files, "tree", modes=modes)
        return _of("git-tree", sha=self._git.commit(commit)["tree"]["oid"], tree=[])

    def _commit(self, body: dict[str, Any]) -> object:
        # https://docs.github.com/en/authentication/managing-commit-signature-verification
        signed = self._token.login == BOT and "author" not in body
        sha = self._git.commit_tree(
            body["tree"], body["parents"], body["message"], self._token.login, signed=signed
        )
        return _of("git-commit", sha=sha, message=body["message"])

    def _branch(self, branch: str, asked: dict[str, str]) -> object:  # noqa: ARG002
        checks = [{"context": name, "app_id": app} for name, app in self._about.classic_checks]
        contexts = [name for name, _ in self._about.classic_checks]
        protection = {
            "enabled": bool(checks),
            "required_status_checks": {
                "enforcement_level": "non_admins" if checks else "off",
                "contexts": contexts,
                "checks": checks,
            },
        }
        return _of(
            "branch-with-protection", name=branch, protected=bool(checks), protection=protection
        )

    def _rules(self, branch: str, asked: dict[str, str]) -> object:  # noqa: ARG002
        if not self._about.required_checks:
            return []
        checks = [
            {"context": name} | ({"integration_id": app} if app else {})
            for name, app in self._about.required_checks
        ]
        parameters = {
            "required_status_checks": checks,
            "strict_required_status_checks_policy": False,
        }
        return [{"type": "required_status_checks", "parameters": parameters}]

    def _labels(self, issue_number: str, body: dict[str, Any]) -> object:
        pull = self._about.pulls[int(issue_number) - 1]
        pull.labels += [name for name in body["labels"] if name not in pull.labels]
        return [_of("label", name=name) for name in pull.labels]

    def _require_commit(self, expression: str) -> str:
        sha = self._git.resolve(f"{expression}^{{commit}}")
        if sha is None:
            raise ApiError("", "Not Found", 404)
        return sha


def _of(schema: str, **known: object) -> dict[str, Any]:
    """An answer as the description wants it, of which the tests look at what is `known`."""
    return {**example(f"/components/schemas/{schema}"), **known}


def _page(found: list[Any], asked: dict[str, str]) -> list[Any]:
    size, page = int(asked.get("per_page", "30")), int(asked.get("page", "1"))
    return found[(page - 1) * size : page * size]


def _refusal(message: str, status: int) -> dict[str, str]:
    page = "https://docs.github.com/rest"
    return {"message": message, "documentation_url": page, "status": str(status)}


def _unknown(described: dict[str, Any], asked: dict[str, str]) -> list[str]:
    names = set()
    for parameter in described.get("parameters", ()):
        at: Json = parameter
        if "$ref" in parameter:
            at = openapi()
            for part in parameter["$ref"].removeprefix("#/").split("/"):
                at = at[part]
        names.add(at["name"])
    return [f"{described['operationId']} has no parameter {one}" for one in set(asked) - names]
