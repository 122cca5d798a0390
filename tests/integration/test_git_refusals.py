"""What a git server refuses, and what the user is told to do about it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_action.errors import (
    ActionError,
    GitOpsAccessError,
    GitOpsError,
    GitOpsUnavailableError,
    PushRefusedError,
    RunnerError,
    SignatureRequiredError,
)
from tests.systems.git_server import PROTECTED_BRANCH, PULL_REQUEST_RULE, RULE_VIOLATION, GitServer

if TYPE_CHECKING:
    pass

from tests.systems.promoter import FILE, NAME, TEXT, UNREACHABLE, Place, change, failure, run


def test_a_token_that_may_only_read_is_found_out_early(place: Place) -> None:
    """
    The missing permission is named with the lines to paste, before the tests have run.
    """
    clone = place.clone(token=place.server.read_only_token)
    commit, parent = change(clone)

    checked = failure(lambda: clone.check_push("main"))
    pushed = failure(lambda: clone.push(commit, parent, "main"))

    for error in (checked, pushed):
        assert isinstance(error, GitOpsAccessError)
        assert "Permission to acme/gitops.git denied" in error.message
        assert "permissions:\n  contents: write" in error.hint


def test_asking_for_the_right_to_push_writes_nothing(place: Place) -> None:
    """
    The preflight leaves no trace, and a newer head does not disturb it.
    """
    clone = place.clone()
    before = place.server.head(NAME)

    clone.check_push("main")
    after = place.server.head(NAME)
    place.server.commit(NAME, {"other.yaml": ""})
    clone.check_push("main")

    assert after == before
    assert not any(line.endswith("/git-receive-pack") for line in place.server.requests)


@pytest.mark.parametrize(
    ("token", "repository", "kind", "words"),
    [
        ("wrong", NAME, GitOpsAccessError, "refuses the token:"),
        ("", NAME, GitOpsAccessError, "refuses the token:"),
        (None, "acme/none", GitOpsAccessError, "does not exist, or the token may not see it"),
    ],
)
def test_explains_a_refused_token(
    place: Place, token: str | None, repository: str, kind: type[ActionError], words: str
) -> None:
    """
    A wrong token and a wrong repository are told apart, without git's riddles.
    """
    clone = place.clone(token=token, url=place.server.url(repository))

    error = failure(lambda: clone.head("main"))

    assert isinstance(error, kind)
    assert words in error.message
    assert "terminal" not in error.message
    assert "contents: write" in error.hint


def test_a_missing_branch_is_answered_with_those_that_exist(place: Place) -> None:
    """
    A slip in `gitops-branch` costs one run.
    """
    place.server.commit(NAME, {"a": ""}, branch="staging")
    place.server.git(NAME, "tag", "v1", "main")
    clone = place.clone()

    first = failure(lambda: clone.head("mian"))
    tag = failure(lambda: clone.head("v1"))
    clone.head("main")
    second = failure(lambda: clone.head("mian"))

    assert isinstance(first, GitOpsError)
    assert "no branch `mian`; it has main, staging." in first.message
    assert "no branch `v1`" in tag.message
    assert second.message == first.message


def test_an_empty_repository_has_no_branch(place: Place) -> None:
    """
    The first commit is not ours to make.
    """
    place.server.create("acme/empty")

    error = failure(lambda: place.clone(url=place.server.url("acme/empty")).head("main"))

    assert "it has no branch at all" in error.message


@pytest.mark.parametrize(
    ("said", "kind", "words", "hint"),
    [
        (
            PROTECTED_BRANCH,
            PushRefusedError,
            "GH006: Protected branch update failed",
            "delivery: pull-request",
        ),
        (RULE_VIOLATION, SignatureRequiredError, "GH013: Repository rule", "signing-key:"),
        (PULL_REQUEST_RULE, PushRefusedError, "GH013: Repository rule", "delivery: pull-request"),
        (
            "GitLab: You are not allowed to push code to protected branches on this project.\n",
            PushRefusedError,
            "not allowed to push code",
            "may bypass the rule",
        ),
        (
            "Only on Mondays.\n",
            PushRefusedError,
            "refuses the commit on main: Only on Mondays.",
            "`gitops-branch`",
        ),
        (
            "Commit 1 must be signed off.\n",
            PushRefusedError,
            "must be signed off.",
            "`commit-message`",
        ),
    ],
    ids=["protected", "signatures", "pull-request", "gitlab", "hook", "sign-off"],
)
def test_a_rule_is_quoted_and_not_fought(
    place: Place, said: str, kind: type[ActionError], words: str, hint: str
) -> None:
    """
    The server's own words are shown with the way out, and there is no second attempt.
    """
    place.server.refuse_pushes(NAME, said)

    error = failure(lambda: run(place.clone()))

    assert type(error) is kind
    assert words in error.message
    assert hint in error.hint
    assert sum(line.endswith("/git-receive-pack") for line in place.server.requests) == 1


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("Write access to repository not granted.", "does not let the token", "contents: write"),
        (
            "Permission to acme/gitops.git denied to github-actions[bot].",
            "denied to github-actions[bot].",
            "contents: write",
        ),
        (
            "This repository was archived so it is read-only.",
            "is archived: nobody can push to it.",
            "`gitops-repository`",
        ),
        (
            "The 'acme' organization has enabled or enforced SAML SSO.",
            "does not let this token in.",
            "single sign-on",
        ),
    ],
    ids=["not-granted", "denied", "archived", "single-sign-on"],
)
def test_a_push_that_is_forbidden_is_explained(
    place: Place, text: str, words: str, hint: str
) -> None:
    """
    403 has many reasons, each with its own way out, and none is tried twice.
    """
    place.server.refuse_writes(NAME, 403, text)

    error = failure(lambda: run(place.clone()))

    assert isinstance(error, GitOpsAccessError)
    assert words in error.message
    assert text in error.message
    assert hint in error.hint
    assert sum("git-receive-pack" in line for line in place.server.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (503, GitOpsUnavailableError, "cannot be reached"),
        (429, GitOpsUnavailableError, "cannot be reached"),
        (418, GitOpsError, "git could not work with"),
    ],
)
def test_a_server_that_fails_is_said_to_fail(
    place: Place, status: int, kind: type[ActionError], words: str
) -> None:
    """
    An outage does not look like a missing permission.
    """
    place.server.failures += [status]

    error = failure(lambda: place.clone().head("main"))

    assert type(error) is kind
    assert words in error.message


def test_a_server_that_is_not_there_is_said_not_to_be(place: Place) -> None:
    """
    The message has the address.
    """
    error = failure(lambda: place.clone(url=UNREACHABLE).head("main"))

    assert isinstance(error, GitOpsError)
    assert f"{UNREACHABLE} cannot be reached. " in error.message


def test_a_self_signed_certificate_can_be_trusted(tmp_path: Path) -> None:
    """
    Without the certificate the hint names the input; with it everything works.
    """
    certificate = tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=git", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", certificate, "-out", tmp_path / "public.pem"),
        ],
        check=True,
        capture_output=True,
    )
    certificate.write_text(certificate.read_text() + (tmp_path / "public.pem").read_text())

    with GitServer(tmp_path / "server", certificate=certificate) as server:
        server.create(NAME, {FILE: TEXT})
        place = Place(tmp_path, server)
        error = failure(lambda: place.clone().head("main"))
        trusted = place.clone(env={"GIT_SSL_CAINFO": str(tmp_path / "public.pem")})
        head = trusted.head("main")

        assert str(head) == server.head(NAME)
    assert isinstance(error, GitOpsError)
    assert "is not trusted" in error.message
    assert "ca-certificates:" in error.hint


def test_a_machine_without_git_is_told_so(place: Place) -> None:
    """
    A missing program is no traceback.
    """
    place.path = str(place.folder)

    error = failure(lambda: place.clone().head("main"))

    assert isinstance(error, RunnerError)
    assert "The program `git` could not be started" in error.message
