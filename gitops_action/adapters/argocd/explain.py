"""What an answer of Argo CD means that is not the one that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitops_action.errors import (
    ActionError,
    ApplicationError,
    ArgoCDError,
    ArgoCDLoginError,
    ArgoCDUnavailableError,
)

if TYPE_CHECKING:
    from gitops_action.adapters.http import Response

MULTIPLE_CHOICES = 300
_BAD_REQUEST = 400
_UNAUTHENTICATED, _FORBIDDEN, _NOT_FOUND, _SERVER_ERROR = 401, 403, 404, 500
_TRANSIENT = {408, 409, 429}
# Codes of gRPC: an HTTP status alone could be a proxy's.
INVALID_ARGUMENT, NO_SUCH_THING, PERMISSION_DENIED, FAILED_PRECONDITION = 3, 5, 7, 9


def code_of(answer: Response) -> int | None:
    """The gRPC code; None where another program answered."""
    body = answer.json()
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, int) else None


def message_of(answer: Response) -> str:
    """Argo CD's own words, on one line; nothing where another program answered."""
    body = answer.json()
    message = body.get("message") if isinstance(body, dict) else None
    return " ".join(message.split()).rstrip(".") if isinstance(message, str) else ""


def explain(answer: Response, base: str) -> ActionError:
    """Turn a refusal of the server at `base` into an error with its fix."""
    said = message_of(answer)
    if MULTIPLE_CHOICES <= answer.status < _BAD_REQUEST:
        return _redirected(answer.headers.get("Location", ""), base)
    if answer.status == _UNAUTHENTICATED and said:
        return ArgoCDLoginError(
            f"Argo CD at {base} refuses the token: {said}.",
            hint="Make a new one with `argocd account generate-token --account NAME`, store it"
            " as a secret of this repository and give it in `argocd-token`.",
        )
    if answer.status in _TRANSIENT or answer.status >= _SERVER_ERROR:
        busy = ArgoCDUnavailableError(
            f"Argo CD at {base} answers {answer.status}{f': {said}' if said else ''}.",
            hint="Look at the pods of argocd-server, and at the proxy in front of it.",
        )
        busy.retry_after_seconds = answer.retry_after_seconds
        return busy
    if code_of(answer) == INVALID_ARGUMENT:
        return ApplicationError(
            f"Argo CD refuses the question: {said}.",
            hint="Look at the Application's project, and at `argocd-applications`.",
        )
    return _not_argocd(answer, said, base)


def _redirected(location: str, base: str) -> ArgoCDError:
    ours, theirs = urlsplit(base), urlsplit(location)
    if theirs.hostname == ours.hostname and (ours.scheme, theirs.scheme) == ("http", "https"):
        return ArgoCDError(
            f"Argo CD at {base} wants to be asked over https.",
            hint=f"Set `argocd-server: https{base.removeprefix('http')}`.",
        )
    return ArgoCDError(
        f"{base} redirects to {theirs.netloc or location or 'nowhere'}: a login proxy"
        " stands in front of Argo CD, and it does not know Argo CD's tokens.",
        hint="Give the address that leads to argocd-server without the proxy, let the proxy"
        " pass `/api/` to requests that carry a token, or give what the proxy asks for in"
        " `argocd-headers`.",
    )


def _not_argocd(answer: Response, said: str, base: str) -> ArgoCDError:
    kind = answer.content_type or "nothing"
    if answer.status == _NOT_FOUND:
        hint = f"If Argo CD runs with `--rootpath`, add that path: `argocd-server: {base}/argocd`."
    elif answer.status in {_UNAUTHENTICATED, _FORBIDDEN}:
        hint = (
            "Ask who runs the proxy or firewall in front of Argo CD to let the runner pass; what a"
            " login proxy asks for goes into `argocd-headers`."
        )
    else:
        hint = "Give the address of argocd-server in `argocd-server`."
    return ArgoCDError(
        f"{base} answers {answer.status} with {kind}{f' ({said})' if said else ''}, which"
        " is not what Argo CD's API answers.",
        hint=hint,
    )
