"""An Argo CD on loopback: its API over HTTP, and a controller that follows a real git branch."""

from __future__ import annotations

import secrets
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from tests.fakes.argocd_api import RIGHTS, Answer, Request, World, reply
from tests.fakes.argocd_memory import Behaviour, MemoryApplication
from tests.fakes.argocd_replay import ReplayedApplication, replayed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.fakes.argocd_document import Document

__all__ = ["Answer", "Behaviour", "FakeArgoCD", "MemoryApplication"]

_TICK_SECONDS = 0.01
_LOGIN = Answer(302, "", "text/html", {"Location": "https://login.example.com/start"})


class FakeArgoCD:
    """Argo CD at `url`, for `token` (may get and sync) and the other accounts in `tokens`.

    With `tls` the certificate is self-signed and lies in `certificate`. `interruptions` are answers
    to give before any other: a login page, a proxy's 502, what no Argo CD answers by itself.
    `proxy_headers` are what a login proxy in front of it asks for.
    """

    def __init__(
        self,
        *,
        root_path: str = "",
        tls: bool = False,
        version: str = "v3.6.1+unknown",
        token: str = "",
    ) -> None:
        self.tokens = {
            account: f"eyJhbGciOiJIUzI1NiJ9.{account}.{secrets.token_hex(8)}" for account in RIGHTS
        }
        self.tokens["ci"] = token or self.tokens["ci"]
        self.token = self.tokens["ci"]
        self.interruptions: list[Answer] = []
        self.proxy_headers: dict[str, str] = {}
        self.requests: list[str] = []
        self._root_path = root_path
        self._version = version
        self._applications: dict[str, MemoryApplication] = {}
        self._lock = threading.RLock()
        self._failure: Exception | None = None
        self._stopped = threading.Event()
        self._folder = tempfile.TemporaryDirectory()
        self.certificate = Path(self._folder.name) / "argocd.pem"
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.argocd = self
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}{root_path}"
        if tls:
            self._server.socket = self._secured(self._server.socket)
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(_TICK_SECONDS,)),
            threading.Thread(target=self._control),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        for thread in self._threads:
            thread.join()
        self._folder.cleanup()
        if self._failure:
            raise self._failure

    def add_application(  # noqa: PLR0913  an Application has this many sides
        self,
        name: str,
        *,
        repo_url: str,
        resolve: Callable[[str], str],
        path: str = ".",
        target_revision: str = "main",
        images: Callable[[str], Sequence[str]] | None = None,
        behaviour: Behaviour | None = None,
        extra: Document | None = None,
    ) -> MemoryApplication:
        """Add one that has the branch's head deployed.

        `resolve` gives a branch's head, `images` what the manifests at a commit run; without it
        every commit changes something. `extra` is laid over the document.
        """
        application = MemoryApplication(
            name=name,
            repo_url=repo_url,
            path=path,
            target_revision=target_revision,
            resolve=resolve,
            images=images or (lambda revision: [revision]),
            now=time.time(),
            behaviour=behaviour or Behaviour(),
            extra=extra or {},
        )
        with self._lock:
            self._applications[name] = application
        return application

    def replay(self, name: str) -> ReplayedApplication:
        """Add one that does what was recorded, in `fixtures/argocd/NAME.json`."""
        application = replayed(name)
        with self._lock:
            self._applications[application.name] = application
        return application

    def remove_application(self, name: str) -> None:
        with self._lock:
            del self._applications[name]

    def answer(self, request: Request, seconds: float) -> Answer:
        """Answer as Argo CD would; a refresh takes at most `seconds`."""
        with self._lock:
            self.requests.append(f"{request.method} {request.path}")
            if self.interruptions:
                return self.interruptions.pop(0)
        if not request.path.startswith(f"{self._root_path}/"):
            return Answer(404, "404 page not found\n", "text/plain; charset=utf-8")
        ends = time.monotonic() + seconds
        with self._lock:
            world = World(
                version=self._version,
                applications=self._applications,
                refreshed=lambda application: self._refresh(application, ends),
            )
            return reply(_below(request, self._root_path), world)

    def account(self, token: str) -> str:
        """Whose token it is; nobody's is `""`."""
        return next((name for name, value in self.tokens.items() if value == token), "")

    def _refresh(self, application: MemoryApplication, ends: float) -> bool:
        application.refresh()
        while application.refreshing and not self._stopped.is_set():
            if time.monotonic() > ends:
                return False
            # Called with the lock held: the controller has to come in between.
            self._lock.release()
            try:
                time.sleep(_TICK_SECONDS)
            finally:
                self._lock.acquire()
        return True

    def _control(self) -> None:
        while not self._stopped.wait(_TICK_SECONDS):
            with self._lock:
                for application in self._applications.values():
                    try:
                        application.advance(time.time())
                    except Exception as error:  # noqa: BLE001  raised again where the fake ends
                        self._failure = self._failure or error

    def _secured(self, listening: socket.socket) -> ssl.SSLSocket:
        key = Path(self._folder.name) / "argocd.key"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=argocd", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", str(key), "-out", str(self.certificate)),
            ],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        # The handshake belongs to the thread of the connection, not to the one that accepts.
        return context.wrap_socket(listening, server_side=True, do_handshake_on_connect=False)


def _below(request: Request, root_path: str) -> Request:
    return Request(
        method=request.method,
        path=request.path.removeprefix(root_path),
        query=request.query,
        account=request.account,
        token=request.token,
        content_type=request.content_type,
        body=request.body,
    )


class _Server(ThreadingHTTPServer):
    argocd: FakeArgoCD
    daemon_threads = False

    def __init__(self, *arguments: object) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)  # type: ignore[arg-type]  # as http.server takes them

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]  # a socket here
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]  # a socket here
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep for later."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up or refuse the certificate are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        assert isinstance(self.server, _Server)
        argocd, parts = self.server.argocd, urlsplit(self.path)
        token = self._token()
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            account=argocd.account(token) if token else None,
            token=token,
            content_type=self.headers.get("Content-Type", ""),
            body=self.rfile.read(length).decode(),
        )
        seconds = float(self.headers.get("Grpc-Timeout", "3600S").rstrip("S"))
        passes = all(self.headers[name] == value for name, value in argocd.proxy_headers.items())
        answer = argocd.answer(request, seconds) if passes else _LOGIN
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _token(self) -> str:
        """The bearer's, or else the cookie's."""
        authorization = self.headers.get("Authorization", "")
        if authorization.startswith("Bearer "):
            return authorization.removeprefix("Bearer ")
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("argocd.token")
        return cookie.value if cookie else ""

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815  http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing: the log is the test's."""
