"""GitHub's API on loopback, in front of the bare repositories of a git server.

with GitServer(folder) as git, FakeGitHub(git) as github:
    git.create("acme/gitops", files={...})
    github.rest, github.graphql, github.token

A commit through the API is a commit that git shows. A question or an answer that is against what
GitHub publishes about its API fails the test at the end of the `with` block.
"""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes.github_description import Json
from tests.fakes.github_git import Git
from tests.fakes.github_graphql import Graphql
from tests.fakes.github_rest import Rest
from tests.fakes.github_state import BOT, Repository, Scripted, Token

if TYPE_CHECKING:
    from tests.systems.git_server import GitServer

_ALL = {
    "contents": "write",
    "pull-requests": "write",
    "checks": "read",
    "statuses": "read",
    "deployments": "read",
}


class FakeGitHub:
    """`requests` are all that came, `charged` those that count for the rate limit.

    `scripted` are answers for the next requests; `about(name).races` run just before a change.
    """

    def __init__(self, server: GitServer) -> None:
        self.token = "ghs_the-job's-own"
        self.tokens = {self.token: Token(dict(_ALL))}
        self.requests: list[str] = []
        self.charged = 0
        self.sent_bytes = 0
        self.scripted: list[Scripted] = []
        self.violations: list[str] = []
        self._server = server
        self._repositories: dict[str, Repository] = {}
        self._gits: dict[str, Git] = {}
        self.lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.github = self

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if kind is None:
            assert self.violations == []

    @property
    def rest(self) -> str:
        """As GITHUB_API_URL of a GitHub Enterprise Server."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/api/v3"

    @property
    def graphql(self) -> str:
        """As GITHUB_GRAPHQL_URL."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/api/graphql"

    def about(self, name: str) -> Repository:
        return self._repositories.setdefault(name, Repository())

    def git(self, name: str) -> Git:
        return self._gits.setdefault(name, Git(self._server, name))

    def sees(self, token: Token, name: str) -> bool:
        return bool(token.permissions) and self._server.path(name).is_dir()

    def status(self, name: str, sha: str, context: str, state: str, description: str = "") -> None:
        """Report on a commit as Flux or Argo CD's notifications do."""
        self.about(name).statuses.setdefault(sha, []).append(
            {"context": context, "state": state, "description": description}
        )

    def deploy(self, name: str, sha: str, environment: str, *states: str) -> None:
        """Make a deployment, and report its states one after the other."""
        about = self.about(name)
        number = len(about.deployments) + 1
        about.deployments.append({"id": number, "sha": sha, "environment": environment})
        about.deployment_statuses[number] = [{"state": state} for state in states]

    def merge(self, name: str, number: int) -> str:
        """Merge a pull request as somebody does on its page; return the merge commit."""
        git, pull = self.git(name), self.about(name).pulls[number - 1]
        base, head = git.head(pull.base), git.head(pull.head)
        tree = git.run("merge-tree", "--write-tree", base, head)
        who = ("-c", f"user.name={BOT}", "-c", "user.email=noreply@github.com")
        message = f"Merge pull request #{number}"
        commit = git.run(*who, "commit-tree", "-p", base, "-p", head, "-m", message, tree)
        git.move(f"refs/heads/{pull.base}", base, commit)
        pull.state, pull.merge_commit = "MERGED", commit
        return commit


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    github: FakeGitHub

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away in the middle is part of some tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: tests read `requests`."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        assert isinstance(self.server, _Server)
        github = self.server.github
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with github.lock:
            github.requests.append(f"{self.command} {self.path}")
            script = github.scripted.pop(0) if github.scripted else None
            script = None if script and script.pass_on else script
            status, value = 500, object()
            if script is None or script.after:
                status, value = self._carry_out(github, json.loads(raw) if raw else None)
            if script is not None:
                status, value = script.status, script.body or {"message": "Server Error"}
        self._answer(github, status, value, script.headers if script else {})

    def _carry_out(self, github: FakeGitHub, body: Json) -> tuple[int, object]:
        token = github.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        parts = urlsplit(self.path)
        if token is None:
            return 401, {"message": "Bad credentials", "status": "401"}
        if parts.path == "/api/graphql":
            return 200, Graphql(github, token).answer(body)
        _, _, _, _, owner, repository, *rest = unquote(parts.path).split("/")
        name = f"{owner}/{repository}"
        if not github.sees(token, name):
            return 404, {"message": "Not Found", "status": "404"}
        path = f"/{'/'.join(rest)}" if rest else ""
        return Rest(github, token, name).answer(
            self.command, path, dict(parse_qsl(parts.query)), body
        )

    def _answer(
        self, github: FakeGitHub, status: int, value: object, headers: dict[str, str]
    ) -> None:
        content = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        kind = "text/html" if isinstance(value, str) else "application/json; charset=utf-8"
        tag = f'W/"{hashlib.sha256(content).hexdigest()}"'
        if self.command == "GET" and self.headers.get("If-None-Match") == tag:
            status, content = 304, b""
        else:
            github.charged += 1
        github.sent_bytes += len(content)
        self.send_response(status)
        known = {"Content-Type": kind, "Content-Length": str(len(content)), "ETag": tag}
        for header, text in {**known, **headers}.items():
            self.send_header(header, text)
        self.end_headers()
        self.wfile.write(content)
