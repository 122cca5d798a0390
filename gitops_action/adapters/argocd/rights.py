"""What the token may see and do, and the policy line that would let it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from gitops_action.adapters.argocd.explain import MULTIPLE_CHOICES, explain
from gitops_action.errors import (
    ActionError,
    ApplicationError,
    ArgoCDPermissionError,
    ArgoCDUnavailableError,
)
from gitops_action.model.wait import ApplicationName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.adapters.argocd.calls import Calls

_SHOWN_NAMES = 10
_OWN_NAMESPACE = "argocd"  # where it is usually installed; only leaves a word out of a name


class Rights:
    """Tells a missing Application from a missing right: Argo CD says the same of both."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def visible(self, selector: str = "", project: str = "") -> tuple[ApplicationName, ...]:
        """Every Application that the token sees and that fits, sorted."""
        answer = self._calls.send(
            "GET",
            "/api/v1/applications",
            params={
                "fields": "items.metadata.name,items.metadata.namespace",
                "selector": selector,
                "projects": project,
            },
        )
        body = answer.json()
        if answer.status >= MULTIPLE_CHOICES or not isinstance(body, dict):
            raise explain(answer, self._calls.base)
        seen = [item.get("metadata") or {} for item in body.get("items") or ()]
        names = [ApplicationName(one.get("name", ""), one.get("namespace", "")) for one in seen]
        return tuple(sorted(names, key=str))

    def lacking(self, right: str, name: ApplicationName, project: str) -> ArgoCDPermissionError:
        """The error for a right (`applications, sync`) on an Application that the token lacks."""
        account = self._account()
        return ArgoCDPermissionError(
            f"The {f'account {account}' if account else 'token'} lacks the right `{right}` on the"
            f" Application {name}.",
            hint=_grant(account, right, project, name),
        )

    def unseen(self, name: ApplicationName, project: str) -> ActionError:
        """What `permission denied` or `not found` means for `name`: the list tells them apart."""
        seen = self.visible()
        line = _grant(self._account(), "applications, get", project, name)
        if not seen:
            return ArgoCDPermissionError(
                f"The token can see no Application at all, so not {name} either.", hint=line
            )
        elsewhere = [one for one in seen if one.name == name.name]
        if name in seen or (not name.namespace and _in_own_namespace(elsewhere)):
            return ArgoCDUnavailableError(
                f"Argo CD at {self._calls.base} lists {name} and yet refuses to show it.",
                hint="Argo CD answers so while its Kubernetes API is not well; look at the log of"
                " argocd-server.",
            )
        names = [str(one).removeprefix(f"{_OWN_NAMESPACE}/") for one in seen]
        close = [str(one) for one in elsewhere] or difflib.get_close_matches(str(name), names, n=1)
        return ApplicationError(
            f"The token sees no Application {name}. It sees: {_listed(names)}.",
            hint=(f"Did you mean `argocd-applications: {close[0]}`? " if close else "")
            + f"If the name is right, the account lacks a right. {line}",
        )

    def _account(self) -> str:
        """Who the token belongs to, as Argo CD's policies name it; `""` where it does not say."""
        body = self._calls.send("GET", "/api/v1/session/userinfo").json()
        username = body.get("username") if isinstance(body, dict) else None
        return username if isinstance(username, str) else ""


def _in_own_namespace(found: Sequence[ApplicationName]) -> bool:
    return [one.namespace for one in found] == [_OWN_NAMESPACE]


def _grant(account: str, right: str, project: str, name: ApplicationName) -> str:
    """The sentence with the policy line; what is not known stays a word in capitals."""
    where = "/".join(
        part
        for part in (
            project or "PROJECT",
            name.namespace if name.namespace != _OWN_NAMESPACE else "",
            name.name,
        )
        if part
    )
    line = f"`p, {account or 'ACCOUNT'}, {right}, {where}, allow`"
    if account.startswith("proj:"):
        return f"Add to the role's `policies` in the AppProject: {line}."
    return f"Add to `policy.csv` in argocd-rbac-cm: {line}."


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
