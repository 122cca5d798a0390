"""What the adapter relies on, beyond a document's fields: held to the real Argo CD and to the fake.

Each check is one promise of Argo CD's API, in terms of the adapter.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from gitops_action.errors import ApplicationError, ArgoCDLoginError, ArgoCDPermissionError
from gitops_action.model.secret import Secret
from gitops_action.model.wait import ApplicationName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitops_action.adapters.argocd import ArgoCD

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """An Argo CD with one deployed Application in the project `default`.

    `client` asks it as an account: `ci` may get and sync, `reader` may get, `nobody` nothing,
    `stranger` is no account; the headers are for a login proxy.
    """

    name: str
    client: Callable[[str, Mapping[str, Secret]], ArgoCD]

    def ask(self, account: str = "ci") -> ArgoCD:
        return self.client(account, {})


def finds_and_shows_what_is_there(place: Place) -> None:
    adapter = place.ask()

    application = adapter.application(place.name, project="default", refresh=True, hard=True)
    kinds = {node.kind for node in adapter.tree(application)}

    assert ApplicationName(place.name, "argocd") in adapter.select()
    assert ApplicationName(place.name, "argocd") in adapter.select(project="default")
    assert adapter.select("no=such-label") == ()
    assert {"Deployment", "Service"} <= kinds
    assert adapter.closed_window(application) == ""
    assert application.followed[0][1] == application.revision


def a_nonce_comes_back_with_the_operation(place: Place) -> None:
    adapter = place.ask()

    assert adapter.sync(place.name, project="default", nonce="run 1")

    ends = time.monotonic() + _PATIENCE_SECONDS
    while True:
        operation = adapter.application(place.name).operation
        if operation and operation.nonce == "run 1" and operation.phase == "Succeeded":
            break
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert not adapter.terminate(place.name, project="default")


def a_cookie_carries_the_token_where_a_proxy_needs_the_header(place: Place) -> None:
    adapter = place.client("ci", {"Authorization": Secret("Basic YTpi")})

    assert adapter.application(place.name).name == place.name
    assert adapter.sync(place.name, nonce="run 1")


def missing_rights_come_with_their_policy_line(place: Place) -> None:
    reader = place.ask("reader")
    grants = f"`p, reader, applications, sync, default/{place.name}, allow`"

    with pytest.raises(ArgoCDPermissionError) as syncing:
        reader.sync(place.name, project="default", nonce="run 1")
    with pytest.raises(ArgoCDPermissionError) as ending:
        reader.terminate(place.name, project="default")
    with pytest.raises(ArgoCDPermissionError) as seeing:
        place.ask("nobody").application(place.name)

    assert grants in syncing.value.hint
    assert grants in ending.value.hint
    assert "`p, nobody, applications, get, " in seeing.value.hint


def what_is_not_there_is_told_from_what_is_forbidden(place: Place) -> None:
    adapter = place.ask()

    for project in ("", "default"):
        with pytest.raises(ApplicationError, match="sees no Application nothing-such"):
            adapter.application("nothing-such", project=project)
    with pytest.raises(ApplicationError) as elsewhere:
        adapter.application(place.name, "elsewhere")

    assert f"argocd-applications: argocd/{place.name}" in elsewhere.value.hint


def a_token_of_no_account_is_refused(place: Place) -> None:
    with pytest.raises(ArgoCDLoginError, match="invalid session") as raised:
        place.ask("stranger").application(place.name)

    assert "canary" not in raised.value.told


CHECKS = (
    finds_and_shows_what_is_there,
    a_nonce_comes_back_with_the_operation,
    a_cookie_carries_the_token_where_a_proxy_needs_the_header,
    missing_rights_come_with_their_policy_line,
    what_is_not_there_is_told_from_what_is_forbidden,
    a_token_of_no_account_is_refused,
)
STRANGER = "a.canary.c"
EVERY_CHECK = pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.__name__))
