"""Argo CD's API, as far as a wait needs it: three questions, and what each refusal means."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from gitops_action.adapters.http import (
    CertificateError,
    HTTPError,
    Response,
    TimedOutError,
    UnreachableError,
)
from gitops_action.errors import (
    ActionError,
    ApplicationError,
    ArgoCDError,
    ArgoCDLoginError,
    ArgoCDPermissionError,
    ArgoCDTLSError,
    ArgoCDUnavailableError,
)
from gitops_action.model.argocd_document import parse_application

if TYPE_CHECKING:
    from gitops_action.adapters.http import Http
    from gitops_action.model.argocd import Application
    from gitops_action.model.secret import Secret

_SECONDS = 10.0
_SHOWN_NAMES = 10
_MULTIPLE_CHOICES, _BAD_REQUEST = 300, 400
_UNAUTHENTICATED, _FORBIDDEN, _NOT_FOUND, _SERVER_ERROR = 401, 403, 404, 500
_TRANSIENT = {408, 409, 429}
_INVALID_ARGUMENT, _PERMISSION_DENIED, _NO_SUCH_THING = 3, 7, 5  # codes of gRPC


class ArgoCD:
    """One Argo CD as one token sees it; `server` may lack the scheme and may carry a root path."""

    def __init__(self, http: Http, server: str, token: Secret) -> None:
        self._http = http
        self._token = token
        server = server.strip().rstrip("/")
        self._base = server if "://" in server else f"https://{server}"

    def version(self) -> str:
        """Argo CD's version, asked without the token: proof of the address and the certificate.

        Raises ArgoCDError, ArgoCDTLSError, ArgoCDUnavailableError.
        """
        answer = self._get("/api/version", token=None)
        body = answer.json()
        if isinstance(body, dict) and isinstance(body.get("Version"), str):
            return str(body["Version"])
        raise self._refusal(answer)

    def application(
        self, name: str, namespace: str = "", *, refresh: bool = False, timeout: float = _SECONDS
    ) -> Application:
        """One Application as it is now; `refresh` has Argo CD look at git first, if it can in time.

        Raises ApplicationError where the token sees no such Application, ArgoCDPermissionError
        where it sees none at all, ArgoCDLoginError, ArgoCDError, ArgoCDTLSError, and
        ArgoCDUnavailableError, which after a refresh means that the refresh was asked for.
        """
        params = {"appNamespace": namespace} if namespace else {}
        headers = {}
        if refresh:
            params["refresh"] = "normal"
            # Ends the call in the server too, where a refresh has no end of its own.
            headers["Grpc-Timeout"] = f"{math.ceil(timeout)}S"
        answer = self._get(
            f"/api/v1/applications/{quote(name, safe='')}",
            token=self._token,
            params=params,
            headers=headers,
            timeout=timeout,
        )
        if answer.status < _MULTIPLE_CHOICES:
            try:
                return parse_application(answer.json())
            except ValueError as error:
                raise self._refusal(answer) from error
        if _code(answer) in {_PERMISSION_DENIED, _NO_SUCH_THING}:
            raise self._unseen(name, namespace)
        raise self._refusal(answer)

    def applications(self) -> tuple[str, ...]:
        """Every Application that the token sees, as `namespace/name`, sorted.

        Raises ArgoCDLoginError, ArgoCDError, ArgoCDTLSError, ArgoCDUnavailableError.
        """
        answer = self._get(
            "/api/v1/applications",
            token=self._token,
            params={"fields": "items.metadata.name,items.metadata.namespace"},
        )
        body = answer.json()
        if answer.status >= _MULTIPLE_CHOICES or not isinstance(body, dict):
            raise self._refusal(answer)
        seen = [item.get("metadata") or {} for item in body.get("items") or ()]
        return tuple(sorted(f"{one.get('namespace', '')}/{one.get('name', '')}" for one in seen))

    def page(self, application: Application) -> str:
        """The address of the Application's page."""
        return f"{self._base}/applications/{application.namespace}/{application.name}"

    def _get(
        self,
        path: str,
        *,
        token: Secret | None,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = _SECONDS,
    ) -> Response:
        try:
            return self._http.request(
                "GET",
                self._base + path,
                bearer=token,
                params=params,
                headers=headers,
                timeout=timeout,
            )
        except CertificateError as error:
            raise ArgoCDTLSError(
                f"The certificate of {self._base} is not trusted: {error}.",
                hint="Give the certificate of its authority in `ca-certificates`, or, if you"
                " accept that anyone in between can read the token, set `argocd-insecure: true`."
                " Argo CD's self-made certificate names only `argocd-server` and `localhost`.",
            ) from error
        except (UnreachableError, TimedOutError) as error:
            raise ArgoCDUnavailableError(
                f"Argo CD at {self._base} does not answer: {error}.",
                hint="Look at the address in `argocd-server`, and whether the runner may reach it"
                " (firewall, VPN, proxy).",
            ) from error
        except HTTPError as error:
            raise ArgoCDError(
                f"Argo CD at {self._base} could not be asked: {error}.",
                hint="Look for blanks, line breaks and odd characters in `argocd-server` and"
                " `argocd-token`.",
            ) from error

    def _refusal(self, answer: Response) -> ActionError:
        """What an answer means that is not the one we asked for."""
        said = _message(answer)
        if _MULTIPLE_CHOICES <= answer.status < _BAD_REQUEST:
            return self._redirected(answer.headers.get("Location", ""))
        if answer.status == _UNAUTHENTICATED and said:
            return ArgoCDLoginError(
                f"Argo CD at {self._base} refuses the token: {said}.",
                hint="Make a new one with `argocd account generate-token --account NAME`, store it"
                " as a secret of this repository and give it in `argocd-token`.",
            )
        if answer.status in _TRANSIENT or answer.status >= _SERVER_ERROR:
            return ArgoCDUnavailableError(
                f"Argo CD at {self._base} answers {answer.status}{f': {said}' if said else ''}.",
                hint="Look at the pods of argocd-server, and at the proxy in front of it.",
            )
        if _code(answer) == _INVALID_ARGUMENT:
            return ApplicationError(
                f"Argo CD refuses the question: {said}.",
                hint="Look at the Application's project, and at `argocd-applications`.",
            )
        return self._not_argocd(answer, said)

    def _redirected(self, location: str) -> ArgoCDError:
        ours, theirs = urlsplit(self._base), urlsplit(location)
        if theirs.hostname == ours.hostname and (ours.scheme, theirs.scheme) == ("http", "https"):
            return ArgoCDError(
                f"Argo CD at {self._base} wants to be asked over https.",
                hint=f"Set `argocd-server: https{self._base.removeprefix('http')}`.",
            )
        return ArgoCDError(
            f"{self._base} redirects to {theirs.netloc or location or 'nowhere'}: a login proxy"
            " stands in front of Argo CD, and it does not know Argo CD's tokens.",
            hint="Give the address that leads to argocd-server without the proxy, or let the proxy"
            " pass `/api/` to requests that carry a token.",
        )

    def _not_argocd(self, answer: Response, said: str) -> ArgoCDError:
        kind = answer.content_type or "nothing"
        if answer.status == _NOT_FOUND:
            hint = (
                "If Argo CD runs with `--rootpath`, add that path:"
                f" `argocd-server: {self._base}/argocd`."
            )
        elif answer.status == _FORBIDDEN:
            hint = "Ask who runs the proxy or firewall in front of Argo CD to let the runner pass."
        else:
            hint = "Give the address of argocd-server in `argocd-server`."
        return ArgoCDError(
            f"{self._base} answers {answer.status} with {kind}{f' ({said})' if said else ''}, which"
            " is not what Argo CD's API answers.",
            hint=hint,
        )

    def _unseen(self, name: str, namespace: str) -> ActionError:
        """Argo CD says `permission denied` of what is missing, too: the list tells them apart."""
        asked = f"{namespace}/{name}" if namespace else name
        seen = self.applications()
        if not seen:
            return ArgoCDPermissionError(
                f"The token can see no Application at all, so not {asked} either.",
                hint="Add to argocd-rbac-cm, with the account's name:"
                f" `p, ACCOUNT, applications, get, PROJECT/{name}, allow`.",
            )
        elsewhere = [one for one in seen if one.rpartition("/")[2] == name]
        if asked in seen or (elsewhere and not namespace and elsewhere == [f"argocd/{name}"]):
            return ArgoCDUnavailableError(
                f"Argo CD at {self._base} lists {asked} and yet refuses to show it.",
                hint="Argo CD answers so while its Kubernetes API is not well; look at the log of"
                " argocd-server.",
            )
        names = [one.removeprefix("argocd/") for one in seen]
        close = elsewhere or difflib.get_close_matches(asked, names, n=1)
        return ApplicationError(
            f"The token sees no Application {asked}. It sees: {_listed(names)}.",
            hint=(f"Did you mean `argocd-applications: {close[0]}`? " if close else "")
            + "If the name is right, the account lacks a right; add to argocd-rbac-cm:"
            f" `p, ACCOUNT, applications, get, PROJECT/{name}, allow`.",
        )


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _code(answer: Response) -> int | None:
    """The gRPC code; an HTTP status alone could be a proxy's."""
    body = answer.json()
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, int) else None


def _message(answer: Response) -> str:
    """Argo CD's own words, on one line; nothing where another program answered."""
    body = answer.json()
    message = body.get("message") if isinstance(body, dict) else None
    return " ".join(message.split()).rstrip(".") if isinstance(message, str) else ""
