"""The adapter against the real Argo CD: what the wait relies on beyond reading a document."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import pytest

from gitops_action.adapters.argocd import ArgoCD
from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.http import Http
from gitops_action.errors import ApplicationError, ArgoCDLoginError, ArgoCDPermissionError
from gitops_action.model.secret import Secret
from gitops_action.model.wait import ApplicationName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.argocd.conftest import Deploy
    from tests.systems.argocd import Installation


class Client(Protocol):
    def __call__(self, account: str = "ci", headers: dict[str, Secret] | None = None) -> ArgoCD: ...


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    opened: list[Http] = []

    def make(account: str = "ci", headers: dict[str, Secret] | None = None) -> ArgoCD:
        opened.append(Http(Cancellation()))
        token = Secret(installation.tokens[account])
        return ArgoCD(opened[-1], installation.url, token, headers)

    yield make
    for http in opened:
        http.close()


def _until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.2)


def test_finds_and_shows_what_is_there(client: Client, deploy: Deploy) -> None:
    """
    The list, the Application in its project, its tree and its sync windows.
    """
    rollout, _ = deploy()
    adapter = client()

    application = adapter.application(rollout.name, project="default", refresh=True, hard=True)
    kinds = {node.kind for node in adapter.tree(application)}

    assert ApplicationName(rollout.name, "argocd") in adapter.select()
    assert ApplicationName(rollout.name, "argocd") in adapter.select(project="default")
    assert adapter.select("no=such-label") == ()
    assert {"Deployment", "Service"} <= kinds
    assert adapter.closed_window(application) == ""


def test_a_nonce_comes_back_with_the_operation(client: Client, deploy: Deploy) -> None:
    """
    What we asked for is known by it, whoever else asks for a sync.
    """
    rollout, _ = deploy()
    adapter = client()

    assert adapter.sync(rollout.name, project="default", nonce="run 1")

    def done() -> bool:
        operation = adapter.application(rollout.name).operation
        return bool(operation and operation.nonce == "run 1" and operation.phase == "Succeeded")

    _until(done)
    assert not adapter.terminate(rollout.name, project="default")


def test_a_cookie_carries_the_token_where_a_proxy_needs_the_header(
    client: Client, deploy: Deploy
) -> None:
    """
    Reading and syncing work with the token as a cookie, beside somebody else's `Authorization`.
    """
    rollout, _ = deploy()
    adapter = client(headers={"Authorization": Secret("Basic YTpi")})

    assert adapter.application(rollout.name).name == rollout.name
    assert adapter.sync(rollout.name, nonce="run 1")


def test_missing_rights_come_with_their_policy_line(client: Client, deploy: Deploy) -> None:
    """
    Account, project and name are those of this Argo CD.
    """
    rollout, _ = deploy()
    reader = client("reader")
    grants = f"`p, reader, applications, sync, default/{rollout.name}, allow`"

    with pytest.raises(ArgoCDPermissionError) as syncing:
        reader.sync(rollout.name, project="default", nonce="run 1")
    with pytest.raises(ArgoCDPermissionError) as ending:
        reader.terminate(rollout.name, project="default")
    with pytest.raises(ArgoCDPermissionError) as seeing:
        client("nobody").application(rollout.name)

    assert grants in syncing.value.hint
    assert grants in ending.value.hint
    assert "`p, nobody, applications, get, " in seeing.value.hint


def test_what_is_not_there_is_told_from_what_is_forbidden(client: Client, deploy: Deploy) -> None:
    """
    With the project and without it, a name that does not exist is said not to.
    """
    rollout, _ = deploy()
    adapter = client()

    with pytest.raises(ApplicationError, match="sees no Application nothing-such"):
        adapter.application("nothing-such")
    with pytest.raises(ApplicationError, match="sees no Application nothing-such"):
        adapter.application("nothing-such", project="default")
    with pytest.raises(ApplicationError) as elsewhere:
        adapter.application(rollout.name, "elsewhere")

    assert f"argocd-applications: argocd/{rollout.name}" in elsewhere.value.hint


def test_a_token_of_no_account_is_refused(installation: Installation) -> None:
    """
    Argo CD's own words are in the message, the token is not.
    """
    http = Http(Cancellation())

    with pytest.raises(ArgoCDLoginError, match="invalid session") as raised:
        ArgoCD(http, installation.url, Secret("a.canary.c")).application("shop")

    http.close()
    assert "canary" not in raised.value.told
