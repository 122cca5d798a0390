"""One call of Argo CD's API: address, credentials, and what no answer at all means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.adapters.http import (
    CertificateError,
    HTTPError,
    Response,
    TimedOutError,
    UnreachableError,
)
from gitops_action.errors import ArgoCDError, ArgoCDTLSError, ArgoCDUnavailableError
from gitops_action.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.http import Http

SECONDS = 10.0


class Calls:
    """Asks the server at `base`; `headers` are for a login proxy in front of it."""

    def __init__(
        self, http: Http, server: str, token: Secret, headers: Mapping[str, Secret] | None = None
    ) -> None:
        self._http = http
        server = server.strip().rstrip("/")
        self.base = server if "://" in server else f"https://{server}"
        self._headers = dict(headers or {})
        self._bearer: Secret | None = token
        self._cookie: Secret | None = None
        if any(name.lower() == "authorization" for name in self._headers):
            # The proxy's. Argo CD takes its token as a cookie too, as from a browser.
            self._bearer, self._cookie = None, Secret(f"argocd.token={token.reveal()}")

    def send(  # noqa: PLR0913  a request has this many sides
        self,
        method: str,
        path: str,
        *,
        anonymous: bool = False,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        timeout: float = SECONDS,
    ) -> Response:
        """Send one request; whatever is answered comes back.

        Raises ArgoCDTLSError, ArgoCDUnavailableError and ArgoCDError where nothing is.
        """
        secret_headers = dict(self._headers)
        if self._cookie and not anonymous:
            secret_headers["Cookie"] = self._cookie
        try:
            return self._http.request(
                method,
                self.base + path,
                bearer=None if anonymous else self._bearer,
                params={name: value for name, value in (params or {}).items() if value},
                headers=headers,
                secret_headers=secret_headers,
                json=json,
                timeout=timeout,
            )
        except CertificateError as error:
            raise ArgoCDTLSError(
                f"The certificate of {self.base} is not trusted: {error}.",
                hint="Give the certificate of its authority in `ca-certificates`, or, if you"
                " accept that anyone in between can read the token, set `argocd-insecure: true`."
                " Argo CD's self-made certificate names only `argocd-server` and `localhost`.",
            ) from error
        except (UnreachableError, TimedOutError) as error:
            raise ArgoCDUnavailableError(
                f"Argo CD at {self.base} does not answer: {error}.",
                hint="Look at the address in `argocd-server`, and whether the runner may reach it"
                " (firewall, VPN, proxy).",
            ) from error
        except HTTPError as error:
            raise ArgoCDError(
                f"Argo CD at {self.base} could not be asked: {error}.",
                hint="Look for blanks, line breaks and odd characters in `argocd-server`,"
                " `argocd-token` and `argocd-headers`.",
            ) from error
