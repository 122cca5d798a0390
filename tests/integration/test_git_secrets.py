"""What git's children, files and messages show, and what planted configuration can do."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from werkzeug import Response as Answered

from tests.systems.recorder import Child, Recorder

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer
    from werkzeug import Request

from tests.systems.promoter import NAME, TEXT, UNREACHABLE, Place, change, failure, run


def test_no_child_sees_what_it_does_not_need(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The token is in no argument, and only in the environment of commands that talk to the server.
    """
    recorder = Recorder.of(["git"], place.folder / "recorder")
    place.path = recorder.path
    for name in set(os.environ) - {"PATH"}:
        monkeypatch.delenv(name)
    clone = place.clone(env={"https_proxy": "", "GIT_TRACE_CURL": "1", "GIT_DIR": "/nowhere"})
    clone.check_push("main")
    head = clone.head("main")
    clone.changed_paths(head, run(clone).revision)
    clone.contains(head, run(clone).revision)
    clone.default_branch()
    commands = {"clone", "fetch", "push", "ls-remote", "cat-file"}

    children = [child for child in recorder.children() if "-C" in child.argv]
    talking = {_command(child) for child in children if _sees_token(place, child.environment)}

    assert talking == commands
    assert {_command(child) for child in children} > commands
    for child in children:
        assert place.server.token not in " ".join(child.argv)
        assert child.environment["GIT_ALLOW_PROTOCOL"] == (
            "file:http:https" if _command(child) in commands else "none"
        )
        assert {name for name in child.environment if not name.startswith("GIT_CONFIG_")} == {
            *("PATH", "HOME", "LANGUAGE", "LC_ALL", "https_proxy", "GIT_ALLOW_PROTOCOL"),
            *("GIT_ASKPASS", "GIT_LITERAL_PATHSPECS", "GIT_TERMINAL_PROMPT"),
            *(name for name in child.environment if name.startswith(("GIT_AUTHOR", "GIT_COMM"))),
        }


def _command(child: Child) -> str:
    """`git -C place [-c setting] command ...`."""
    return child.argv[5] if child.argv[3] == "-c" else child.argv[3]


def _sees_token(place: Place, environment: dict[str, str]) -> bool:
    header = [value for value in environment.values() if value.startswith("Authorization: basic ")]
    assert not any(place.server.token in value for value in environment.values())
    return bool(header)


def test_the_token_is_in_no_file_and_no_message(place: Place) -> None:
    """
    Nothing that stays behind in the clone has the token.
    """
    clone = place.clone()
    run(clone)
    place.server.refuse_pushes(NAME, f"{place.server.token}\n")
    commit, parent = change(clone, text=TEXT)

    error = failure(lambda: clone.push(commit, parent, "main"))
    files = [file for file in (place.folder / "clone-1").rglob("*") if file.is_file()]

    assert "***" in error.message
    assert place.server.token not in error.message
    assert not any(place.server.token.encode() in file.read_bytes() for file in files)


def test_the_token_follows_no_redirect(place: Place, httpserver: HTTPServer) -> None:
    """
    A server that leads elsewhere does not get the token sent there, and the run says what to do.
    """

    def lead_elsewhere(request: Request) -> Answered:
        return Answered(status=301, headers={"Location": place.server.address + request.full_path})

    httpserver.expect_request(re.compile("")).respond_with_handler(lead_elsewhere)

    error = failure(lambda: place.clone(url=httpserver.url_for(f"/{NAME}.git")).head("main"))

    assert "the server redirects" in error.message
    assert "`gitops-repository`" in error.hint
    assert place.server.requests == []


def test_planted_configuration_is_not_read(place: Place) -> None:
    """
    The user's git configuration and templates cannot redirect a push.
    """
    home = place.folder / "home"
    (home / "templates" / "hooks").mkdir(parents=True)
    hook = home / "templates" / "hooks" / "pre-push"
    hook.write_text(f"#!/bin/sh\ntouch {home}/ran\n")
    hook.chmod(0o755)
    config = home / ".gitconfig"
    config.write_text(
        f'[init]\n\ttemplateDir = {home}/templates\n[url "{UNREACHABLE}"]\n'
        f"\tinsteadOf = {place.server.url(NAME)}\n"
    )
    hostile = {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_TEMPLATE_DIR": str(home / "templates"),
    }

    result = run(place.clone(env=hostile))

    assert str(result.revision) == place.server.head(NAME)
    assert not (home / "ran").exists()
