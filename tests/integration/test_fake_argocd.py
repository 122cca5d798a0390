"""The fake Argo CD answers what the real one was recorded to answer."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.argocd import FakeArgoCD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.fakes.argocd_document import Document

FIXTURES = Path(__file__).parents[1] / "fixtures" / "argocd"
_ISSUED = re.compile(r"iat: [0-9TZ:-]+")
REFRESH = "/api/v1/applications/hello-gitops?refresh=normal"


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


@pytest.fixture
def argocd() -> Iterator[FakeArgoCD]:
    with FakeArgoCD() as fake:
        fake.add_application(
            "hello-gitops", repo_url="http://git/acme/gitops.git", resolve=lambda _: "0" * 40
        )
        yield fake


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
    pytest.param(_row(recorded), id=f"{version} {recorded['name']}")
    for version in ("3.2.11", "3.6.1")
    for recorded in json.loads((FIXTURES / version / "errors.json").read_text())
]


def _ask(fake: FakeArgoCD, row: Row) -> tuple[int, str, str]:
    token = fake.tokens.get(row.account, "")
    if row.account == "garbled":
        token = "not.a.token" if "jwt" in row.name else "garbled"
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(
        fake.url + row.path,
        method=row.method,
        headers={"Content-Type": "application/json", **authorization, **row.headers},
        data=row.sent,
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@pytest.mark.parametrize("row", ROWS)
def test_answers_as_the_real_one_did(argocd: FakeArgoCD, row: Row) -> None:
    """
    What the other tests prove against the fake holds for Argo CD.
    """
    status, content_type, body = _ask(argocd, row)
    body = _ISSUED.sub("iat: then", body)

    assert (status, content_type) == (row.status, row.content_type)
    if isinstance(row.said, str) or status != 200:
        expected = _ISSUED.sub("iat: then", json.dumps(row.said))
        assert (body if isinstance(row.said, str) else json.loads(body)) == json.loads(expected)
        return
    assert isinstance(row.said, dict)
    answered: Document = json.loads(body)
    assert set(answered) <= set(row.said)
    assert set(answered.get("status", ())) <= set(row.said.get("status", ()))
    for key in ("items", "value", "loggedIn", "username", "canSync"):
        assert answered.get(key) == row.said.get(key)


def test_stamps_are_whole_seconds_and_versions_only_grow(argocd: FakeArgoCD) -> None:
    """
    The fake is as coarse as the real one, so that a wait cannot lean on more.
    """
    documents = [json.loads(_ask(argocd, Row(path=REFRESH))[2]) for _ in range(3)]

    versions = [int(one["metadata"]["resourceVersion"]) for one in documents]
    assert versions == sorted(set(versions))
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["status"]["reconciledAt"])
        for one in documents
    )
    assert "null" not in json.dumps(documents)
