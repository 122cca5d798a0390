"""The transport against a server on loopback."""

from __future__ import annotations

import base64
import gzip
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug import Response as Answer

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.http import (
    CertificateError,
    Http,
    HTTPError,
    TimedOutError,
    UnreachableError,
)
from gitops_action.errors import CancelledError
from gitops_action.model.secret import Secret
from tests.fakes.argocd import FakeArgoCD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_httpserver import HTTPServer
    from werkzeug import Request


@pytest.fixture
def cancellation() -> Cancellation:
    return Cancellation()


@pytest.fixture
def http(cancellation: Cancellation) -> Iterator[Http]:
    transport = Http(cancellation)
    yield transport
    transport.close()


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def test_sends_what_it_is_given(http: Http, httpserver: HTTPServer) -> None:
    """
    Method, query, headers, JSON and token arrive; status, type and body come back.
    """
    httpserver.expect_request(
        "/x",
        method="POST",
        query_string={"a": "1 2"},
        headers={"Authorization": "Bearer a.b.c", "X-Y": "z", "Content-Type": "application/json"},
        json={"k": "v"},
    ).respond_with_json({"ok": True}, status=201)

    answer = http.request(
        "POST",
        httpserver.url_for("/x"),
        bearer=Secret("a.b.c"),
        params={"a": "1 2"},
        headers={"X-Y": "z"},
        json={"k": "v"},
        timeout=5,
    )

    assert (answer.status, answer.content_type) == (201, "application/json")
    assert answer.json() == {"ok": True}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param("<html>", "text/html", id="a page"),
        pytest.param('{"cut', "application/json", id="cut off"),
        pytest.param('{"a": 1}', "text/plain", id="JSON that does not say so"),
        pytest.param("[" * 200_000, "application/json", id="deeper than any reader"),
    ],
)
def test_json_of_what_is_no_json_is_none(
    http: Http, httpserver: HTTPServer, body: str, content_type: str
) -> None:
    """
    Pages and torn answers are told by their value, not by an exception.
    """
    httpserver.expect_request("/").respond_with_data(body, content_type=content_type)

    answer = http.request("GET", httpserver.url_for("/"), timeout=5)

    assert answer.json() is None


def test_neither_netrc_nor_environment_choose_credentials_or_proxies(
    http: Http, httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A `.netrc` left on the runner does not replace the token, nor get one where there is none.
    """
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    seen: list[str | None] = []

    def answer(request: Request) -> Answer:
        seen.append(request.headers.get("Authorization"))
        return Answer("")

    httpserver.expect_request("/").respond_with_handler(answer)

    http.request("GET", httpserver.url_for("/"), bearer=Secret("a.b.c"), timeout=5)
    http.request("GET", httpserver.url_for("/"), timeout=5)

    assert seen == ["Bearer a.b.c", None]


def test_does_not_follow_a_redirect(http: Http, httpserver: HTTPServer) -> None:
    """
    The token goes to one host only, and the redirect is there to be explained.
    """
    httpserver.expect_request("/").respond_with_data(
        "", status=302, headers={"Location": "http://127.0.0.1:1/login"}
    )

    answer = http.request("GET", httpserver.url_for("/"), bearer=Secret("a.b.c"), timeout=5)

    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.1:1/login")


def test_nothing_is_sent_twice(http: Http) -> None:
    """
    A POST whose connection breaks is left to the caller, who knows whether it may be repeated.
    """
    accepted = []

    def hang_up(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            accepted.append(connection.recv(10))
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=hang_up, args=(listening,))
        thread.start()
        port = listening.getsockname()[1]

        with pytest.raises(UnreachableError):
            http.request("POST", f"http://127.0.0.1:{port}/", json={}, timeout=5)

        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(accepted) == 1


def test_ends_soon_after_a_cancellation(
    http: Http, cancellation: Cancellation, silent: str
) -> None:
    """
    A server that does not answer cannot hold up the end of a cancelled job.
    """
    threading.Timer(0.1, cancellation.cancel, ["the job was cancelled"]).start()
    begun = time.monotonic()

    with pytest.raises(CancelledError):
        http.request("GET", silent, timeout=30)

    assert time.monotonic() - begun < 0.4


def test_a_change_under_way_outlives_a_cancellation(
    http: Http, cancellation: Cancellation, httpserver: HTTPServer
) -> None:
    """
    What was sent to change something is awaited, so that a cancelled run can tell what it did.
    """

    def answer(_: Request) -> Answer:
        cancellation.cancel("the job was cancelled")
        time.sleep(0.3)
        return Answer("{}", content_type="application/json")

    httpserver.expect_request("/x").respond_with_handler(answer)

    answered = http.request("POST", httpserver.url_for("/x"), timeout=5, finish=True)

    assert answered.status == 200


def test_a_change_that_gets_no_answer_ends_soon_after_a_cancellation(
    http: Http, cancellation: Cancellation, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It is not awaited for longer than a cancelled run has.
    """
    monkeypatch.setattr("gitops_action.adapters.http._FINISH_SECONDS", 0.2)
    threading.Timer(0.1, cancellation.cancel, ["the job was cancelled"]).start()
    begun = time.monotonic()

    with pytest.raises(TimedOutError):
        http.request("POST", silent, timeout=30, finish=True)

    assert time.monotonic() - begun < 2


def test_a_server_that_does_not_answer_times_out(http: Http, silent: str) -> None:
    """
    No request lasts longer than it may.
    """
    begun = time.monotonic()

    with pytest.raises(TimedOutError):
        http.request("GET", silent, timeout=0.3)

    assert time.monotonic() - begun < 1


def test_a_server_that_drips_times_out(http: Http) -> None:
    """
    One byte now and then does not keep a request alive for ever.
    """

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(15):
                connection.sendall(b".")
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        begun = time.monotonic()

        with pytest.raises(TimedOutError):
            http.request("GET", f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout=0.5)

        assert time.monotonic() - begun < 1
        thread.join()


def test_an_answer_without_an_end_is_not_read_to_the_end(
    http: Http, httpserver: HTTPServer
) -> None:
    """
    A server cannot fill the runner's memory, not even by what it sends compressed.
    """
    httpserver.expect_request("/x").respond_with_data(
        gzip.compress(bytes(80 * 1024 * 1024), 1), headers={"Content-Encoding": "gzip"}
    )

    with pytest.raises(HTTPError, match="the answer is larger than 64 MiB"):
        http.request("GET", httpserver.url_for("/x"), timeout=20)


def test_says_why_nobody_answers(http: Http) -> None:
    """
    The operating system's own words, without the library's around them.
    """
    with pytest.raises(UnreachableError) as raised:
        http.request("GET", "http://127.0.0.1:1/", timeout=5)

    assert str(raised.value) == "Connection refused"


def test_an_untrusted_certificate_is_told_apart(cancellation: Cancellation) -> None:
    """
    Trusted by a bundle that names it, or unchecked on demand, it is accepted.
    """
    with FakeArgoCD(tls=True) as server:
        url = f"{server.url}/api/version"
        trusting = Http(cancellation, ca_file=server.certificate)
        careless = Http(cancellation, verify=False)
        strict = Http(cancellation)

        with pytest.raises(CertificateError, match="self-signed certificate"):
            strict.request("GET", url, timeout=5)

        assert trusting.request("GET", url, timeout=5).status == 200
        assert careless.request("GET", url, timeout=5).status == 200
        for http in (trusting, careless, strict):
            http.close()


def test_proxies_come_from_what_it_is_given(
    cancellation: Cancellation, httpserver: HTTPServer
) -> None:
    """
    The runner's proxy is used but for what `NO_PROXY` names, and its password never shown.
    """
    seen: list[str | None] = []

    def answer(request: Request) -> Answer:
        seen.append(request.headers.get("Proxy-Authorization"))
        return Answer("through the proxy")

    httpserver.expect_request("/x").respond_with_handler(answer)
    proxy = httpserver.url_for("").replace("http://", "http://me:canary@").rstrip("/")
    http = Http(cancellation, proxies={"HTTP_PROXY": proxy, "no_proxy": "localhost,.internal"})
    dead = Http(cancellation, proxies={"http_proxy": "http://me:canary@127.0.0.1:1"})

    answered = http.request("GET", "http://argocd.example.com/x", timeout=5)
    direct = http.request("GET", f"http://localhost:{httpserver.port}/x", timeout=5)
    with pytest.raises(UnreachableError, match=r"through the proxy 127\.0\.0\.1:1") as raised:
        dead.request("GET", "http://argocd.example.com/x", timeout=5)

    assert answered.body == direct.body == b"through the proxy"
    assert seen == [f"Basic {base64.b64encode(b'me:canary').decode()}", None]
    assert "canary" not in str(raised.value)
    http.close()
    dead.close()


def test_secret_headers_arrive_and_are_shown_nowhere(http: Http, httpserver: HTTPServer) -> None:
    """
    What a login proxy asks for travels as the token does, even where it is malformed.
    """
    httpserver.expect_request("/", headers={"X-Proxy": "s3cret"}).respond_with_data("in")

    answer = http.request(
        "GET", httpserver.url_for("/"), secret_headers={"X-Proxy": Secret("s3cret")}, timeout=5
    )
    with pytest.raises(HTTPError) as raised:
        http.request(
            "GET",
            httpserver.url_for("/"),
            secret_headers={"X-Proxy": Secret("s3\ncret")},
            timeout=5,
        )

    assert answer.body == b"in"
    assert "cret" not in f"{raised.value}{raised.value.__cause__}"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("Fri, 31 Dec 2100 23:59:59 GMT", 2_000_000_000, id="a time to come"),
        pytest.param("Fri, 31 Dec 1999 23:59:59 GMT", 0, id="a time gone by"),
        pytest.param("Fri, 31 Dec 2100 23:59:59 -0000", 0, id="a time of nowhere"),
        pytest.param("soon", 0, id="a word"),
        pytest.param("", 0, id="nothing"),
    ],
)
def test_reads_how_long_to_leave_a_server_alone(
    http: Http, httpserver: HTTPServer, said: str, seconds: float
) -> None:
    """
    Both spellings of `Retry-After` are understood, and anything else asks for nothing.
    """
    httpserver.expect_request("/").respond_with_data(
        status=503, headers={"Retry-After": said} if said else {}
    )

    answer = http.request("GET", httpserver.url_for("/"), timeout=5)

    assert answer.retry_after_seconds == pytest.approx(seconds, rel=0.3)
