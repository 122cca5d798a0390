"""Documents of Argo CD, recorded and made, as values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_action.model.argocd import (
    NONCE,
    Application,
    Destination,
    Source,
    same_repository,
)
from gitops_action.model.argocd_document import parse_application
from gitops_action.model.argocd_tree import Node, parse_log, parse_tree
from gitops_action.model.argocd_windows import parse_closed_window

if TYPE_CHECKING:
    from tests.fakes.argocd_document import Document

FIXTURES = Path(__file__).parents[1] / "fixtures" / "argocd"


def _recorded(name: str, number: int) -> Application:
    transcript = json.loads((FIXTURES / f"{name}.json").read_text())
    return parse_application(transcript["documents"][number]["body"])


def test_reads_a_recorded_application() -> None:
    """
    What Argo CD 3.6.1 said right after a push is understood field by field.
    """
    application = _recorded("3.6.1/bump-to-healthy", 3)

    assert application.name == "hello-gitops"
    assert application.namespace == "argocd"
    assert str(application.full_name) == "argocd/hello-gitops"
    assert application.source == Source(
        repo_url="http://127.0.0.1:18088/acme/gitops.git",
        path="overlays/dev",
        target_revision="main",
    )
    assert application.spec == application.compared_to
    assert application.spec.destination == Destination(
        server="https://kubernetes.default.svc", namespace="default"
    )
    assert application.automated
    assert (application.sync, application.health) == ("OutOfSync", "Healthy")
    assert application.revision.startswith("618994f")
    assert application.reconciled_at == datetime(2026, 11, 23, 5, 33, 35, tzinfo=UTC)
    assert application.operation_requested
    assert application.operation
    assert (application.operation.phase, application.operation.finished_at) == ("Running", None)
    assert [f"{one}" for one in application.resources if one.sync == "OutOfSync"] == [
        "Deployment/hello-gitops"
    ]


def test_reads_why_a_recorded_sync_failed() -> None:
    """
    The resource that the cluster refused is named with the API server's words.
    """
    operation = _recorded("3.6.1/blocked-then-terminated", 5).operation

    assert operation
    assert operation.phase == "Running"
    assert operation.finished_at
    assert operation.retries == 1
    assert [str(one) for one in operation.failed] == ["Service/hello-gitops"]
    assert "must be between 1 and 65535" in operation.failed[0].message


def test_reads_a_recorded_comparison_error() -> None:
    """
    A revision that is no commit is kept as it is written.
    """
    application = _recorded("3.6.1/comparison-error-then-mended", 2)

    assert (application.sync, application.revision) == ("Unknown", "main")
    assert [one.type for one in application.conditions] == ["ComparisonError"]


def test_everything_but_the_name_may_be_absent() -> None:
    """
    An Application of a second ago has no status at all.
    """
    application = parse_application({"metadata": {"name": "shop"}})

    assert application == Application(name="shop")


@pytest.mark.parametrize(
    "document",
    [None, [], "text", {}, {"metadata": None}, {"metadata": {"name": 1}}],
    ids=["nothing", "a list", "text", "empty", "null", "a number"],
)
def test_what_has_no_name_is_no_application(document: object) -> None:
    """
    A login proxy's JSON is never taken for an Application.
    """
    with pytest.raises(ValueError, match=r"metadata\.name"):
        parse_application(document)


def test_survives_any_shape() -> None:
    """
    A field of another type than documented is as if it were absent.
    """
    document: Document = {
        "metadata": {"name": "shop", "annotations": [], "ownerReferences": "x"},
        "spec": {"source": "x", "sources": {}, "syncPolicy": {"automated": None}},
        "status": {
            "reconciledAt": "yesterday",
            "operationState": {"startedAt": "2026-11-23T05:33:35", "retryCount": "3"},
            "conditions": [None],
            "summary": {"images": None},
        },
    }

    application = parse_application(document)

    assert application.reconciled_at is None
    assert application.operation
    assert (application.operation.started_at, application.operation.retries) == (None, 0)


@pytest.mark.parametrize(
    ("policy", "automated"),
    [
        pytest.param({"automated": {}}, True, id="empty is on"),
        pytest.param({"automated": {"enabled": True}}, True, id="enabled"),
        pytest.param({"automated": {"enabled": False}}, False, id="switched off"),
        pytest.param({}, False, id="absent"),
    ],
)
def test_knows_whether_auto_sync_is_on(policy: Document, *, automated: bool) -> None:
    """
    The three spellings of the sync policy are told apart.
    """
    document = {"metadata": {"name": "shop"}, "spec": {"syncPolicy": policy}}

    assert parse_application(document).automated is automated


@pytest.mark.parametrize(
    "other",
    [
        "https://github.com/acme/gitops",
        "https://github.com/acme/gitops/",
        "https://github.com:443/acme/gitops.git",
        "https://me:token@GitHub.com/Acme/GitOps.git",
        "git@github.com:acme/gitops.git",
        "github.com:acme/gitops",
        "ssh://git@github.com/acme/gitops.git",
        "ssh://git@github.com:22/acme/gitops",
        " https://github.com/acme/gitops.git ",
    ],
)
def test_one_repository_has_many_addresses(other: str) -> None:
    """
    An Application that names the repository in another way follows it all the same.
    """
    assert same_repository("https://github.com/acme/gitops.git", other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("https://h/a/b", "https://h/a/c", False, id="another name"),
        pytest.param("https://h/a/b", "https://g/a/b", False, id="another host"),
        pytest.param("http://h:3000/a/b", "http://h:3001/a/b", False, id="another port"),
        pytest.param("http://h:3000/a/b", "ssh://git@h:2222/a/b", True, id="web and ssh ports"),
        pytest.param("http://h:80/a/b", "https://h/a/b", True, id="default ports"),
        pytest.param("/srv/git/x.git", "file:///srv/git/x", True, id="a folder"),
        pytest.param("", "", False, id="nothing"),
        pytest.param("https://h:x/a", "https://h:x/a", False, id="no address"),
    ],
)
def test_tells_repositories_apart(one: str, other: str, *, same: bool) -> None:
    """
    Host, port and path decide, protocol and user do not.
    """
    assert same_repository(one, other) is same


def test_a_chart_is_no_git_source() -> None:
    """
    Helm and OCI sources have versions, never commits.
    """
    assert Source(repo_url="https://h/a").is_git
    assert not Source(repo_url="https://h/a", chart="shop").is_git
    assert not Source(repo_url="oci://h/a").is_git


def test_reads_several_sources_with_their_revisions() -> None:
    """
    Each source is paired with what it was compared at, in the order of the spec.
    """
    sources = [
        {"repoURL": "https://h/charts", "chart": "shop", "targetRevision": "1.2.3"},
        {
            "repoURL": "https://h/gitops",
            "path": "dev",
            "kustomize": {"images": ["shop=ghcr.io/acme/shop:1"]},
        },
        {"repoURL": "https://h/values", "ref": "values"},
    ]
    document: Document = {
        "metadata": {"name": "shop"},
        "spec": {"sources": sources},
        "status": {
            "sync": {"revisions": ["1.2.3", "a" * 40], "comparedTo": {"sources": sources}},
            "operationState": {"syncResult": {"revisions": ["1.2.3", "b" * 40]}},
        },
    }

    application = parse_application(document)

    assert application.spec == application.compared_to
    assert [revision for _, revision in application.followed] == ["1.2.3", "a" * 40, ""]
    assert application.followed[1][0].images == ("shop=ghcr.io/acme/shop:1",)
    assert application.operation
    assert application.operation.revisions == ("1.2.3", "b" * 40)


def test_a_single_source_is_followed_at_its_revision() -> None:
    """
    One source and several are read in the same way.
    """
    application = _recorded("3.6.1/bump-to-healthy", 3)

    assert application.followed == ((application.source, application.revision),)
    assert (application.prunes, application.self_heals) == (True, True)


def test_finds_our_nonce_in_what_was_asked_and_in_what_was_done() -> None:
    """
    An operation of ours is known before and after Argo CD takes it up.
    """
    asked = {"sync": {}, "info": [{"name": "by", "value": "x"}, {"name": NONCE, "value": "n-1"}]}
    document: Document = {
        "metadata": {"name": "shop"},
        "operation": asked,
        "status": {"operationState": {"operation": asked, "phase": "Running"}},
    }

    application = parse_application(document)

    assert application.requested_nonce == "n-1"
    assert application.operation
    assert application.operation.nonce == "n-1"


def test_a_tree_and_a_log_of_any_shape_are_read() -> None:
    """
    What another version of Argo CD adds or leaves out does no harm.
    """
    assert parse_tree(None) == ()
    assert parse_tree({"nodes": [{}, None]}) == (Node(), Node())
    assert parse_tree({"nodes": [{"info": [{"name": "Restart Count", "value": "x"}]}]}) == (Node(),)
    assert parse_log(b'{"result": {"content": "a"}}\nno JSON\n{"error": {}}\n[]') == ("a",)


ALLOW = {"kind": "allow", "schedule": "0 8 * * *", "duration": "2h", "timeZone": "Europe/Paris"}
DENY = {"kind": "deny", "schedule": "* * * * *", "duration": "1h"}


@pytest.mark.parametrize(
    ("document", "window"),
    [
        pytest.param({"canSync": True}, "", id="no windows"),
        pytest.param({"assignedWindows": [DENY]}, "", id="a deny that is not active"),
        pytest.param(
            {"assignedWindows": [DENY], "activeWindows": [DENY], "canSync": True},
            "deny `* * * * *` for 1h",
            id="a deny that lets people sync",
        ),
        pytest.param(
            {"assignedWindows": [ALLOW]},
            "outside of allow `0 8 * * *` Europe/Paris for 2h",
            id="outside of the allowed time",
        ),
        pytest.param({"assignedWindows": [ALLOW], "activeWindows": [ALLOW]}, "", id="inside of it"),
        pytest.param([None], "", id="no answer at all"),
    ],
)
def test_finds_the_sync_window_that_is_in_the_way(document: object, window: str) -> None:
    """
    What Argo CD may do by itself is told from what people may have it do.
    """
    assert parse_closed_window(document) == window
