"""What every Argo CD does, the fake one in `make test` and the real one in `make test-argocd`."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from gitops_action.adapters.argocd import ArgoCD
from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.http import Http
from gitops_action.errors import ApplicationError, ArgoCDLoginError, ArgoCDPermissionError
from gitops_action.model.secret import Secret
from gitops_action.model.wait import ApplicationName
from tests.systems.argocd import VERSION
from tests.systems.argocd_subject import FAKE, KINDS, Subject, subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.fakes.argocd_document import Document

FIXTURES = Path(__file__).parents[1] / "fixtures" / "argocd"
_ISSUED = re.compile(r"iat: [0-9TZ:-]+")
_STRANGE = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJzdHJhbmdlIn0.c2lnbmF0dXJl"  # of a strange issuer
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module", params=KINDS)
def argocd(request: pytest.FixtureRequest, worker_id: str) -> Iterator[Subject]:
    with subject(request.param, worker_id) as one:
        yield one


class Client(Protocol):
    def __call__(self, account: str = "ci", headers: dict[str, Secret] | None = None) -> ArgoCD: ...


@pytest.fixture
def client(argocd: Subject) -> Iterator[Client]:
    opened: list[Http] = []

    def make(account: str = "ci", headers: dict[str, Secret] | None = None) -> ArgoCD:
        opened.append(Http(Cancellation()))
        token = Secret(argocd.tokens.get(account, account))
        return ArgoCD(opened[-1], argocd.url, token, headers)

    yield make
    for http in opened:
        http.close()


def _until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.1)


def _is_idle(adapter: ArgoCD, name: str) -> bool:
    application = adapter.application(name)
    last = application.operation
    over = last is None or last.phase not in {"Running", "Terminating"}
    return application.health == "Healthy" and not application.operation_requested and over


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question and what was answered; `said` is JSON or text."""

    name: str = ""
    method: str = "GET"
    path: str
    account: str = "ci"
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: bytes | None = None
    status: int = 200
    content_type: str = "application/json"
    said: object = None


def _row(recorded: Document) -> Row:
    asked, answered = recorded["request"], recorded["response"]
    body = asked["body"]
    sent = body if isinstance(body, str) or body is None else json.dumps(body)
    return Row(
        name=recorded["name"],
        method=asked["method"],
        path=asked["path"],
        account=asked["as"] or "",
        headers=asked["headers"],
        sent=sent.encode() if sent is not None else None,
        status=answered["status"],
        content_type=answered["content_type"],
        said=answered["body"],
    )


ROWS = [
    pytest.param(kind, _row(recorded), id=f"{kind} {version} {recorded['name']}")
    for kind in KINDS
    for version in ("3.2.11", "3.6.1")
    # The real one is of one version, the fake one stands for all.
    if kind == FAKE or version == os.environ[VERSION]
    for recorded in json.loads((FIXTURES / version / "errors.json").read_text())
]


def _ask(argocd: Subject, row: Row) -> tuple[int, str, str]:
    token = argocd.tokens.get(row.account, "")
    if row.account == "garbled":
        token = _STRANGE if "jwt" in row.name else "garbled"
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(
        argocd.url + row.path.replace("hello-gitops", argocd.name),
        method=row.method,
        headers={"Content-Type": "application/json", **authorization, **row.headers},
        data=row.sent,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@pytest.mark.parametrize(("argocd", "row"), ROWS, indirect=["argocd"])
def test_answers_as_it_was_recorded(argocd: Subject, client: Client, row: Row) -> None:
    """
    What the other tests prove against the fake holds for Argo CD.
    """
    adapter = client()
    _until(lambda: _is_idle(adapter, argocd.name))

    status, content_type, body = _ask(argocd, row)

    body = _ISSUED.sub("iat: then", body).replace(argocd.name, "hello-gitops")
    assert (status, content_type) == (row.status, row.content_type)
    if isinstance(row.said, str) or status != 200:
        expected = _ISSUED.sub("iat: then", json.dumps(row.said))
        assert (body if isinstance(row.said, str) else json.loads(body)) == json.loads(expected)
        return
    assert isinstance(row.said, dict)
    answered: Document = json.loads(body)
    assert set(answered) <= set(row.said)
    assert set(answered.get("status", ())) <= {*row.said.get("status", ()), "history"}
    for key in ("items", "value", "loggedIn", "username", "canSync"):
        assert answered.get(key) == row.said.get(key)


def test_stamps_are_whole_seconds_and_versions_only_grow(argocd: Subject) -> None:
    """
    A wait cannot lean on more than that.
    """
    refresh = Row(path="/api/v1/applications/hello-gitops?refresh=normal")

    texts = [_ask(argocd, refresh)[2] for _ in range(3)]

    documents = [json.loads(text) for text in texts]
    versions = [int(one["metadata"]["resourceVersion"]) for one in documents]
    assert versions == sorted(set(versions))
    assert all(_STAMP.fullmatch(one["status"]["reconciledAt"]) for one in documents)
    assert "null" not in "".join(texts)


def test_a_refresh_ends_when_the_newest_commit_was_compared(
    argocd: Subject, client: Client
) -> None:
    """
    One question is enough where nobody else asks, and the next documents lead to Healthy.
    """
    adapter = client("reader")

    sha = argocd.push()
    refreshed = adapter.application(argocd.name, refresh=True)

    assert refreshed.revision == sha
    assert refreshed.source.repo_url == argocd.repo_url
    _until(lambda: _is_idle(adapter, argocd.name))
    after = adapter.application(argocd.name, refresh=True)
    assert (after.sync, after.revision, after.compared_to) == ("Synced", sha, after.spec)
    assert after.operation
    assert after.operation.revision == sha


def test_finds_and_shows_what_is_there(argocd: Subject, client: Client) -> None:
    """
    The list, the Application in its project, its tree and its sync windows.
    """
    adapter = client()

    application = adapter.application(argocd.name, project="default", refresh=True, hard=True)

    kinds = {node.kind for node in adapter.tree(application)}
    assert ApplicationName(argocd.name, "argocd") in adapter.select()
    assert ApplicationName(argocd.name, "argocd") in adapter.select(project="default")
    assert adapter.select("no=such-label") == ()
    assert {"Deployment", "Service"} <= kinds
    assert adapter.closed_window(application) == ""


def test_a_nonce_comes_back_with_the_operation(argocd: Subject, client: Client) -> None:
    """
    What we asked for is known by it, whoever else asks for a sync.
    """
    adapter = client()
    _until(lambda: _is_idle(adapter, argocd.name))

    assert adapter.sync(argocd.name, project="default", nonce="run 1")

    def done() -> bool:
        operation = adapter.application(argocd.name).operation
        return bool(operation and operation.nonce == "run 1" and operation.phase == "Succeeded")

    _until(done)
    _until(lambda: _is_idle(adapter, argocd.name))
    assert not adapter.terminate(argocd.name, project="default")


def test_a_cookie_carries_the_token_where_a_proxy_needs_the_header(
    argocd: Subject, client: Client
) -> None:
    """
    Reading and syncing work with the token as a cookie, beside somebody else's `Authorization`.
    """
    adapter = client(headers={"Authorization": Secret("Basic YTpi")})
    _until(lambda: _is_idle(adapter, argocd.name))

    assert adapter.application(argocd.name).name == argocd.name
    assert adapter.sync(argocd.name, nonce="run 2")


def test_missing_rights_come_with_their_policy_line(argocd: Subject, client: Client) -> None:
    """
    Account, project and name are those of this Argo CD.
    """
    reader = client("reader")
    grants = f"`p, reader, applications, sync, default/{argocd.name}, allow`"

    with pytest.raises(ArgoCDPermissionError) as syncing:
        reader.sync(argocd.name, project="default", nonce="run 3")
    with pytest.raises(ArgoCDPermissionError) as ending:
        reader.terminate(argocd.name, project="default")
    with pytest.raises(ArgoCDPermissionError) as seeing:
        client("nobody").application(argocd.name)

    assert grants in syncing.value.hint
    assert grants in ending.value.hint
    assert "`p, nobody, applications, get, " in seeing.value.hint


def test_what_is_not_there_is_told_from_what_is_forbidden(argocd: Subject, client: Client) -> None:
    """
    With the project and without it, a name that does not exist is said not to.
    """
    adapter = client()

    with pytest.raises(ApplicationError, match="sees no Application nothing-such"):
        adapter.application("nothing-such")
    with pytest.raises(ApplicationError, match="sees no Application nothing-such"):
        adapter.application("nothing-such", project="default")
    with pytest.raises(ApplicationError) as elsewhere:
        adapter.application(argocd.name, "elsewhere")

    assert f"argocd-applications: argocd/{argocd.name}" in elsewhere.value.hint


def test_a_token_of_no_account_is_refused(argocd: Subject, client: Client) -> None:
    """
    Argo CD's own words are in the message, the token is not.
    """
    with pytest.raises(ArgoCDLoginError, match="invalid session") as raised:
        client("a.canary.c").application(argocd.name)

    assert "canary" not in raised.value.told
