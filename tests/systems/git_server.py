"""A real git server on loopback: `git http-backend` behind basic auth, answering as GitHub does.

with GitServer(folder) as server:
    server.create("acme/gitops", files={"apps/shop/kustomization.yaml": "..."})
    run(["git", "clone", server.url("acme/gitops")])
"""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTECTED_BRANCH = """\
error: GH006: Protected branch update failed for refs/heads/main.
error: Changes must be made through a pull request.
"""
RULE_VIOLATION = """\
error: GH013: Repository rule violations found for refs/heads/main.
- Commits must have verified signatures.
"""
_SETTINGS = {
    "http.receivepack": "true",
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
    "receive.autogc": "false",
    "gc.auto": "0",
}


class GitServer:
    """Repositories below `folder`, served until the end of the `with` block."""

    def __init__(
        self,
        folder: Path,
        *,
        token: str = "ghs_read-and-write",
        certificate: Path | None = None,
    ) -> None:
        """Serve HTTPS where `certificate`, a PEM file with its key, is given."""
        self._folder = folder
        self._scheme = "https" if certificate else "http"
        self.token = token
        self.read_only_token = f"{token}-read-only"
        self.requests: list[str] = []
        self.failures: list[int] = []
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

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.git"

    def create(
        self, name: str, files: Mapping[str, str | bytes] | None = None, *, branch: str = "main"
    ) -> str:
        """Make a repository with one commit of these files (none without files); return its SHA."""
        self.path(name).mkdir(parents=True)
        self.git(name, "init", "--quiet", "--bare", f"--initial-branch={branch}")
        for key, value in _SETTINGS.items():
            self.git(name, "config", key, value)
        return self.commit(name, files, branch=branch) if files else ""

    def commit(
        self,
        name: str,
        files: Mapping[str, str | bytes],
        *,
        branch: str = "main",
        modes: Mapping[str, str] | None = None,
        message: str = "From another writer",
    ) -> str:
        """Commit to a branch as another writer does; return the SHA. A mode is as `100755`."""
        ref = f"refs/heads/{branch}"
        parts = [
            f"commit {ref}\ncommitter Another Writer <writer@example.com> now\n".encode(),
            _data(message.encode()),
        ]
        if self.git(name, "for-each-ref", ref):
            parts.append(f"from {ref}^0\n".encode())
        for path, content in files.items():
            mode = (modes or {}).get(path, "100644")
            raw = content.encode() if isinstance(content, str) else content
            parts += [f"M {mode} inline {path}\n".encode(), _data(raw)]
        self.git(
            name, "fast-import", "--quiet", "--force", "--date-format=now", stdin=b"".join(parts)
        )
        return self.head(name, branch)

    def head(self, name: str, branch: str = "main") -> str:
        """The SHA of the branch's newest commit, empty where there is no such branch."""
        return self.git(name, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def read(self, name: str, path: str, branch: str = "main") -> bytes:
        """A file's bytes at the head of the branch."""
        return self._run(name, "cat-file", "blob", f"refs/heads/{branch}:{path}")

    def git(self, name: str, *argv: str, stdin: bytes = b"") -> str:
        """Run git in a repository; return what it prints, without the last line break."""
        return self._run(name, *argv, stdin=stdin).decode().rstrip("\n")

    def refuse_pushes(self, name: str, text: str) -> None:
        """Install a pre-receive hook that says `text` and refuses."""
        hook = self.path(name) / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ncat >&2 <<'TEXT'\n{text}TEXT\nexit 1\n")
        hook.chmod(0o755)

    def stall(self) -> None:
        """Let requests hang without an answer, until `flowing` is set or the `with` ends."""
        self.flowing.clear()

    def environment(self) -> dict[str, str]:
        """The environment of every git that the server runs."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "LC_ALL": "C",
        }

    def _run(self, name: str, *argv: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["git", *argv],
            cwd=self.path(name),
            env=self.environment(),
            input=stdin,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout


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
            challenge = [("WWW-Authenticate", 'Basic realm="git"')] if status == 401 else []
            self._answer(status, [("Content-Type", "text/plain"), *challenge], text.encode())
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
            return git.failures.pop(0), "Service unavailable."
        if len(given) > 1:
            return 400, 'Duplicate header: "Authorization"'
        if token not in (git.token, git.read_only_token):
            return 401, "Invalid username or token."
        if not git.path(self._name()).is_dir():
            return 404, "Repository not found."
        if token == git.read_only_token and self._writes():
            return 403, f"Permission to {self._name()}.git denied to github-actions[bot]."
        return None

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


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content + b"\n"
