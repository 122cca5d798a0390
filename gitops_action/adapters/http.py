"""Transport: HTTP requests, each with a deadline, ended by cancellation, never redirected.

A redirect is an answer for the caller to explain: followed, it would lose or leak the token. Nor is
anything retried here, because only the caller knows what may be sent twice.
"""

from __future__ import annotations

import json as json_module
import queue
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitops_action.adapters.cancellation import CHECK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import requests

    from gitops_action.adapters.cancellation import Cancellation
    from gitops_action.model.secret import Secret

_CONNECT_SECONDS = 5.0
# How long a change under way may outlive a cancellation, of the 5 s in which the run must end.
_FINISH_SECONDS = 4.0
# An Application with thousands of resources takes a few of these.
_LARGEST_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class HTTPError(Exception):
    """No answer came; adapters say what that means. The text is fit to be shown."""


class CertificateError(HTTPError):
    """TLS failed: the certificate is not trusted, or names another host."""


class UnreachableError(HTTPError):
    """No such host, refused, reset, cut off, or a proxy in between failed."""


class TimedOutError(HTTPError):
    """The request was sent, or not, and no whole answer came in time."""


_NETWORK = (CertificateError, UnreachableError, TimedOutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer with whatever status; `content_type` is lower case and bare of parameters."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """The body's value; None where it is not JSON by its content type and by itself."""
        if self.content_type != "application/json" and not self.content_type.endswith("+json"):
            return None
        try:
            value: object = json_module.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value

    @property
    def retry_after_seconds(self) -> float:
        """What `Retry-After` asks for, in seconds or as a time; 0 where it asks for nothing."""
        said = self.headers.get("Retry-After", "").strip()
        if said.isascii() and said.isdigit():
            return float(said)
        try:
            moment = parsedate_to_datetime(said)
        except ValueError:
            return 0.0
        if moment.tzinfo is None:
            return 0.0
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())


class Http:
    """Sends requests to any host.

    `ca_file` is the whole bundle of trusted authorities, None for the library's own; `proxies` are
    environment variables (`HTTPS_PROXY`, `NO_PROXY`, …) in either case.
    """

    def __init__(
        self,
        cancellation: Cancellation,
        *,
        ca_file: Path | None = None,
        verify: bool = True,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        self._cancellation = cancellation
        self._verify: bool | str = (str(ca_file) if ca_file else True) if verify else False
        self._proxies = {name.lower(): value for name, value in (proxies or {}).items() if value}
        self._session: requests.Session | None = None

    def request(  # noqa: PLR0913  a request has this many sides
        self,
        method: str,
        url: str,
        *,
        bearer: Secret | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, Secret] | None = None,
        json: object = None,
        timeout: float,
        finish: bool = False,
    ) -> Response:
        """Send one request and read its whole answer within `timeout` seconds.

        `finish` is for a change, whose answer is awaited for a while after a cancellation too.

        Raises CertificateError, UnreachableError or TimedOutError where no answer came,
        CancelledError when cancelled.
        """
        self._cancellation.check()
        session = self._open()
        deadline = time.monotonic() + timeout
        answers: queue.SimpleQueue[Response | BaseException] = queue.SimpleQueue()

        def send() -> None:
            try:
                answer = session.request(
                    method,
                    url,
                    auth=_Credentials(bearer, secret_headers or {}),
                    params=params,
                    headers={"Accept": "application/json", **(headers or {})},
                    json=json,
                    timeout=(min(_CONNECT_SECONDS, timeout), timeout),
                    allow_redirects=False,
                    stream=True,
                    verify=self._verify,
                    proxies=self._proxies_for(url),
                )
                answers.put(
                    Response(
                        status=answer.status_code,
                        content_type=answer.headers.get("Content-Type", "").split(";")[0].lower(),
                        headers=answer.headers,
                        body=_whole(answer, deadline),
                    )
                )
            except BaseException as error:  # noqa: BLE001  raised again in the caller's thread
                answers.put(error)

        # In a thread of its own, because a socket that waits cannot hear of a cancellation.
        threading.Thread(target=send, daemon=True).start()
        answer = self._await(answers, deadline, timeout, finish=finish)
        if isinstance(answer, Response):
            return answer
        failure = _translated(answer, proxy=self._proxies_for(url))
        # What is no failure of the network may quote a header in its text, so the token.
        raise failure from answer if isinstance(failure, _NETWORK) else None

    def _await(
        self,
        answers: queue.SimpleQueue[Response | BaseException],
        deadline: float,
        timeout: float,
        *,
        finish: bool,
    ) -> Response | BaseException:
        shortened = False
        while True:
            try:
                return answers.get(timeout=CHECK_SECONDS)
            except queue.Empty:
                if not finish:
                    self._cancellation.check()
                elif self._cancellation.requested and not shortened:
                    shortened = True
                    deadline = min(deadline, time.monotonic() + _FINISH_SECONDS)
            # The library's timeout is for each read: a server that drips never meets it.
            if time.monotonic() > deadline:
                raise TimedOutError(f"no whole answer within {timeout:.0f} s")

    def _open(self) -> requests.Session:
        if self._session is None:
            import requests  # noqa: PLC0415  60 ms that a run without HTTP does not spend
            import urllib3  # noqa: PLC0415

            if not self._verify:
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            self._session = requests.Session()
            # Neither netrc nor the environment may choose credentials, proxies or authorities.
            self._session.trust_env = False
        return self._session

    def _proxies_for(self, url: str) -> dict[str, str]:
        from requests.utils import should_bypass_proxies  # noqa: PLC0415  see _open

        scheme = urlsplit(url).scheme
        proxy = self._proxies.get(f"{scheme}_proxy") or self._proxies.get("all_proxy")
        if not proxy or should_bypass_proxies(url, no_proxy=self._proxies.get("no_proxy", "")):
            return {}
        return {scheme: proxy}

    def close(self) -> None:
        """Close the kept connections."""
        if self._session is not None:
            self._session.close()


def _whole(answer: requests.Response, deadline: float) -> bytes:
    """Read the body as long as somebody waits for it, and no more of it than fits."""
    body = bytearray()
    with answer:
        for chunk in answer.iter_content(_CHUNK_BYTES):
            body += chunk
            if len(body) > _LARGEST_BYTES:
                raise HTTPError(f"the answer is larger than {_LARGEST_BYTES >> 20} MiB")
            if time.monotonic() > deadline:
                raise TimedOutError("no whole answer in time")
    return bytes(body)


class _Credentials:
    """Secrets as an auth object: a `headers=` entry would lose to other sources."""

    def __init__(self, bearer: Secret | None, headers: Mapping[str, Secret]) -> None:
        self._bearer = bearer
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._bearer:
            request.headers["Authorization"] = f"Bearer {self._bearer.reveal()}"
        for name, value in self._headers.items():
            request.headers[name] = value.reveal()
        return request


def _translated(error: BaseException, *, proxy: Mapping[str, str]) -> BaseException:
    """Our error for the library's; what is no failure of HTTP stays as it is."""
    from requests import exceptions  # noqa: PLC0415  see Http._open

    through = "".join(f" through the proxy {_bare(url)}" for url in proxy.values())
    cause = _cause(error)
    match error:
        case exceptions.SSLError():
            return CertificateError(cause)
        case exceptions.Timeout():
            return TimedOutError(f"no answer in time{through}")
        case exceptions.ProxyError():
            return UnreachableError(f"{cause}{through}")
        case exceptions.ConnectionError() | exceptions.ChunkedEncodingError():
            return UnreachableError(f"{cause}{through}")
        case exceptions.RequestException() | ValueError():
            return HTTPError(f"the request could not be made ({type(error).__name__})")
        case _:
            return error


def _cause(error: BaseException) -> str:
    """The innermost words: `Connection refused`, `self-signed certificate`."""
    inner: BaseException | None = error
    while inner is not None:
        error = inner
        parts = (getattr(error, "reason", None), *error.args, error.__cause__)
        inner = next((part for part in parts if isinstance(part, BaseException)), None)
    said = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return str(said or error) or type(error).__name__


def _bare(url: str) -> str:
    """A proxy's address without its credentials."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
