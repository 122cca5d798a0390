"""A real git server on loopback: `git http-backend` behind basic auth, answering as GitHub does.

with GitServer(folder) as server:
    server.create("acme/gitops", files={"apps/shop/kustomization.yaml": "..."})
    run(["git", "clone", server.url("acme/gitops")])
"""

from __future__ import annotations

import base64
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from tests.systems.git_repositories import GitRepositories

if TYPE_CHECKING:
    from collections.abc import Callable

PROTECTED_BRANCH = """\
error: GH006: Protected branch update failed for refs/heads/main.
error: Changes must be made through a pull request.
"""
RULE_VIOLATION = """\
error: GH013: Repository rule violations found for refs/heads/main.
Review all repository rules at https://github.com/acme/gitops/rules?ref=refs%2Fheads%2Fmain

- Commits must have verified signatures.
  Found 1 violation:

  027faa7121ee9df79db623e1a2848d2cc88a8dba
"""
PULL_REQUEST_RULE = """\
error: GH013: Repository rule violations found for refs/heads/main.
- Changes must be made through a pull request.
- Commits must have verified signatures.
"""


class GitServer(GitRepositories):
    """Repositories below `folder`, served until the end of the `with` block."""

    def __init__(
        self,
        folder: Path,
        *,
        token: str = "ghs_read-and-write",
        certificate: Path | None = None,
    ) -> None:
        """Serve HTTPS where `certificate`, a PEM file with its key, is given."""
        super().__init__(folder)
        self._scheme = "https" if certificate else "http"
        self.token = token
        self.read_only_token = f"{token}-read-only"
        self.requests: list[str] = []
        self.failures: list[int | tuple[int, str]] = []
        self.refusals: dict[str, tuple[int, str]] = {}
        self.refused_once: dict[str, tuple[int, str]] = {}
        self.before_pushes: list[Callable[[], object]] = []
        self.moved: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.loses_answers = False
        self.forgets_protocol = False
        self.flowing = threading.Event()
        self.flowing.set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.git = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.flowing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        """The server's URL, as GITHUB_SERVER_URL."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def url(self, name: str) -> str:
        return f"{self.address}/{name}.git"

    def refuse_writes(self, name: str, status: int, text: str) -> None:
        """Answer every push to a repository with this status and this text."""
        self.refusals[name] = (status, text)

    def refuse_once(self, name: str, status: int) -> None:
        """Answer the next push to a repository with this status."""
        self.refused_once[name] = (status, "Service unavailable.")

    def before_push(self, act: Callable[[], object]) -> None:
        """Let something happen when the next push begins."""
        self.before_pushes.append(act)

    def stall(self) -> None:
        """Let requests hang without an answer, until `flowing` is set or the `with` ends."""
        self.flowing.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    git: GitServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away in the middle is part of some tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def git(self) -> GitServer:
        assert isinstance(self.server, _Server)
        return self.server.git

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: tests read `requests`."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        git, body = self.git, self._body()
        git.requests.append(f"{self.command} {self.path}")
        git.flowing.wait()
        refusal = self._refusal()
        if refusal:
            status, text = refusal
            headers = [("Content-Type", "text/plain")]
            if status == 401:
                headers.append(("WWW-Authenticate", 'Basic realm="git"'))
            if status == 301:
                headers.append(("Location", text))
            self._answer(status, headers, text.encode())
            return
        status, headers, content = self._backend(body)
        if git.loses_answers and self.command == "POST" and self._writes():
            self.close_connection = True
            return
        self._answer(status, headers, content)

    def _refusal(self) -> tuple[int, str] | None:
        """Answer instead of git: with GitHub's status and words."""
        git = self.git
        given = self.headers.get_all("Authorization") or []
        token = _password(given[0]) if given else ""
        if git.failures:
            failure = git.failures.pop(0)
            return failure if isinstance(failure, tuple) else (failure, "Service unavailable.")
        if len(given) > 1:
            return 400, 'Duplicate header: "Authorization"'
        if token not in (git.token, git.read_only_token):
            return 401, "Invalid username or token."
        return self._absence() or (self._refused_write(token) if self._writes() else None)

    def _absence(self) -> tuple[int, str] | None:
        name, git = self._name(), self.git
        if name in git.moved:
            return 301, f"{git.address}{self.path.replace(name, git.moved[name], 1)}"
        seen = git.path(name).is_dir() and name not in git.hidden
        return None if seen else (404, "Repository not found.")

    def _refused_write(self, token: str) -> tuple[int, str] | None:
        name, git = self._name(), self.git
        if token == git.read_only_token:
            return 403, f"Permission to {name}.git denied to github-actions[bot]."
        if git.before_pushes:
            git.before_pushes.pop(0)()
        return git.refusals.get(name) or git.refused_once.pop(name, None)

    def _name(self) -> str:
        """`acme/gitops`, as GitHub takes it with and without `.git`."""
        owner, repository = ([*urlsplit(self.path).path.strip("/").split("/"), "", ""])[:2]
        return f"{owner}/{repository.removesuffix('.git')}"

    def _writes(self) -> bool:
        url = urlsplit(self.path)
        service = parse_qs(url.query).get("service", [url.path])[0]
        return service.endswith("git-receive-pack")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _backend(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        url = urlsplit(self.path)
        rest = "/".join(url.path.strip("/").split("/")[2:])
        environment = {
            **self.git.environment(),
            "PATH_INFO": f"/{self._name()}.git/{rest}",
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": ""
            if self.git.forgets_protocol
            else self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "x-access-token",
            "REMOTE_ADDR": "127.0.0.1",
        }
        answer = subprocess.run(
            ["git", "http-backend"],
            env=environment,
            input=body,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = [
            (name, value.strip())
            for name, _, value in (line.partition(":") for line in head.decode().splitlines())
        ]
        status = int(dict(headers).get("Status", "200").split()[0])
        return status, [pair for pair in headers if pair[0] not in ("", "Status")], content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name != "Content-Length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _password(header: str) -> str:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return ""
    return base64.b64decode(encoded).decode().partition(":")[2]
