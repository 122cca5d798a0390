"""What a wait asks of Argo CD, and what it has it do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import quote

from gitops_action.adapters.argocd.calls import SECONDS, Calls
from gitops_action.adapters.argocd.explain import (
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    MULTIPLE_CHOICES,
    NO_SUCH_THING,
    PERMISSION_DENIED,
    code_of,
    explain,
    message_of,
)
from gitops_action.adapters.argocd.rights import Rights
from gitops_action.errors import ActionError, ApplicationError, ArgoCDUnavailableError
from gitops_action.model.argocd import NONCE
from gitops_action.model.argocd_document import parse_application
from gitops_action.model.argocd_tree import parse_log, parse_tree
from gitops_action.model.argocd_windows import parse_closed_window
from gitops_action.model.wait import ApplicationName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.http import Http, Response
    from gitops_action.model.argocd import Application
    from gitops_action.model.argocd_tree import Node
    from gitops_action.model.secret import Secret

_IN_PROGRESS = "another operation is already in progress"
_BLOCKED = "blocked by sync window"
_UNRESOLVED = "error resolving repo revision"
_LOG_LINES = 5


class ArgoCD:
    """One Argo CD as one token sees it; `server` may lack the scheme and may carry a root path.

    `headers` go with every request, for a login proxy. Every method raises ArgoCDLoginError,
    ArgoCDError, ArgoCDTLSError and ArgoCDUnavailableError; what else it raises it says itself. A
    `namespace` is the Application's own, and a `project` makes Argo CD tell what is missing from
    what is forbidden.
    """

    def __init__(
        self,
        http: Http,
        server: str,
        token: Secret,
        headers: Mapping[str, Secret] | None = None,
    ) -> None:
        self._calls = Calls(http, server, token, headers)
        self._rights = Rights(self._calls)

    def version(self) -> str:
        """Argo CD's version, asked without the token: proof of the address and the certificate."""
        answer = self._calls.send("GET", "/api/version", anonymous=True)
        body = answer.json()
        if isinstance(body, dict) and isinstance(body.get("Version"), str):
            return str(body["Version"])
        raise explain(answer, self._calls.base)

    def application(  # noqa: PLR0913  a question has this many sides
        self,
        name: str,
        namespace: str = "",
        *,
        project: str = "",
        refresh: bool = False,
        hard: bool = False,
        timeout: float = SECONDS,
    ) -> Application:
        """One Application as it is now; `refresh` has Argo CD look at git first, if it can in time.

        `hard` has it forget the manifests that it keeps, too. Raises ApplicationError where the
        token sees no such Application, ArgoCDPermissionError where it may not. After a refresh
        ArgoCDUnavailableError means that the refresh was asked for.
        """
        params = {"appNamespace": namespace, "project": project}
        headers = {}
        if refresh or hard:
            params["refresh"] = "hard" if hard else "normal"
            # Ends the call in the server too, where a refresh has no end of its own.
            headers["Grpc-Timeout"] = f"{math.ceil(timeout)}S"
        answer = self._calls.send(
            "GET", _path(name), params=params, headers=headers, timeout=timeout
        )
        if answer.status < MULTIPLE_CHOICES:
            try:
                return parse_application(answer.json())
            except ValueError as error:
                raise explain(answer, self._calls.base) from error
        if code_of(answer) in {PERMISSION_DENIED, NO_SUCH_THING}:
            raise self._rights.unseen(ApplicationName(name, namespace), project)
        raise explain(answer, self._calls.base)

    def select(self, selector: str = "", *, project: str = "") -> tuple[ApplicationName, ...]:
        """Every Application that the token sees and whose labels fit `selector`, sorted.

        `selector` is Kubernetes' (`team=shop,stage!=dev`). Read from what the server keeps: an
        Application of this second may be missing.
        """
        return self._rights.visible(selector, project)

    def sync(
        self, name: str, namespace: str = "", *, project: str = "", nonce: str, prune: bool = False
    ) -> bool:
        """Have Argo CD sync, at the revision that the Application follows; False where it is busy.

        `nonce` comes back in the operation's `nonce`. Raises ArgoCDPermissionError,
        ApplicationError where a sync window or the Application itself forbids it, and
        ArgoCDUnavailableError, after which the operation may have begun: look for the nonce.
        """
        answer = self._calls.send(
            "POST",
            f"{_path(name)}/sync",
            json={
                "appNamespace": namespace or None,
                "project": project or None,
                "prune": prune or None,
                "infos": [{"name": NONCE, "value": nonce}],
            },
        )
        if answer.status < MULTIPLE_CHOICES:
            return True
        said = message_of(answer)
        if _IN_PROGRESS in said:
            return False
        if _BLOCKED in said:
            raise ApplicationError(
                f"Argo CD may not sync {name} now: {said}.",
                hint="Wait for the window, or allow manual syncs in it (`manualSync: true` in the"
                " AppProject's `syncWindows`).",
            )
        if code_of(answer) == FAILED_PRECONDITION and _UNRESOLVED not in said:
            raise ApplicationError(
                f"Argo CD does not sync {name}: {said}.",
                hint="Look at the Application's state, and mend what the message names.",
            )
        if code_of(answer) == FAILED_PRECONDITION:
            raise ArgoCDUnavailableError(
                f"Argo CD cannot ask git for {name}: {said}.",
                hint="Look at the connection to the GitOps repository (Settings, Repositories).",
            )
        raise self._refused(answer, "applications, sync", ApplicationName(name, namespace), project)

    def terminate(self, name: str, namespace: str = "", *, project: str = "") -> bool:
        """Have Argo CD end the operation that is under way; False where none is.

        Raises ArgoCDPermissionError where the token may not.
        """
        answer = self._calls.send(
            "DELETE",
            f"{_path(name)}/operation",
            params={"appNamespace": namespace, "project": project},
            headers={"Content-Type": "application/json"},
        )
        if answer.status < MULTIPLE_CHOICES:
            return True
        if code_of(answer) == INVALID_ARGUMENT and "No operation" in message_of(answer):
            return False
        raise self._refused(answer, "applications, sync", ApplicationName(name, namespace), project)

    def tree(self, application: Application) -> tuple[Node, ...]:
        """Every live resource of an Application, with what they own: ReplicaSets, pods.

        Needs the right `applications, get`. Bounded, because the server may wait for a comparison.
        """
        answer = self._about(application, "resource-tree", headers={"Grpc-Timeout": "10S"})
        return parse_tree(answer.json())

    def closed_window(self, application: Application) -> str:
        """The sync window that keeps Argo CD from syncing by itself; `""` where none does."""
        return parse_closed_window(self._about(application, "syncwindows").json())

    def last_log_lines(self, application: Application, pod: Node) -> tuple[str, ...]:
        """The last lines of a pod's log; the one of its last run, where it has crashed.

        Needs the right `logs, get`, without which ArgoCDPermissionError is raised.
        """
        for previous in (pod.restarts > 0, False):
            lines = self._log(application, pod, previous=previous)
            if lines:
                return lines
        return ()

    def _log(self, application: Application, pod: Node, *, previous: bool) -> tuple[str, ...]:
        answer = self._about(
            application,
            "logs",
            right="logs, get",
            params={
                "podName": pod.name,
                "namespace": pod.namespace,
                "tailLines": str(_LOG_LINES),
                "previous": "true" if previous else "",
            },
        )
        return parse_log(answer.body)

    def page(self, application: Application) -> str:
        """The address of the Application's page."""
        return f"{self._calls.base}/applications/{application.namespace}/{application.name}"

    def _about(
        self,
        application: Application,
        what: str,
        *,
        right: str = "applications, get",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Ask for a part of an Application that was seen."""
        answer = self._calls.send(
            "GET",
            f"{_path(application.name)}/{what}",
            params={
                "appNamespace": application.namespace,
                "project": application.project,
                **(params or {}),
            },
            headers=headers,
        )
        if answer.status < MULTIPLE_CHOICES:
            return answer
        raise self._refused(answer, right, application.full_name, application.project)

    def _refused(
        self, answer: Response, right: str, name: ApplicationName, project: str
    ) -> ActionError:
        if code_of(answer) == PERMISSION_DENIED:
            return self._rights.lacking(right, name, project)
        return explain(answer, self._calls.base)


def _path(name: str) -> str:
    return f"/api/v1/applications/{quote(name, safe='')}"
