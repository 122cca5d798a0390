"""What git's children, files and messages show, and what planted configuration can do."""

from __future__ import annotations

import os
import re
import threading
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from werkzeug import Response as Answered

from gitops_action.model.log import HeldLog
from tests.systems.pids import family
from tests.systems.recorder import Child, Recorder
from tests.systems.ssh_server import make_key

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer
    from werkzeug import Request

from tests.systems.promoter import NAME, TEXT, UNREACHABLE, Place, change, failure, run

TALKING = {"clone", "fetch", "push", "ls-remote", "cat-file"}


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

    children = [child for child in recorder.children() if "-C" in child.argv]
    talking = {_command(child) for child in children if _sees_token(place, child.environment)}

    assert talking == TALKING
    assert {_command(child) for child in children} > TALKING
    for child in children:
        assert place.server.token not in " ".join(child.argv)
        assert child.environment["GIT_ALLOW_PROTOCOL"] == (
            "file:http:https" if _sees_token(place, child.environment) else "none"
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


def test_no_secret_is_in_sight_while_a_job_runs(place: Place) -> None:
    """
    Arguments as `/proc` shows them, addresses, the clone's files and the log have no secret.
    """
    key = make_key(place.folder / "signer")
    recorder = Recorder.of(["git", "ssh-keygen"], place.folder / "recorder")
    place.path = recorder.path
    clone = place.clone(signing_key=key)
    basic = b64encode(f"x-access-token:{place.server.token}".encode()).decode()
    secrets = [place.server.token, basic, key.splitlines()[1]]
    place.server.before_push(lambda: place.server.commit(NAME, {"other.yaml": ""}))
    log = Said()

    with Watch() as watch:
        result = run(clone, log=log)
        clone.contains(clone.head("main"), result.revision)

    folder = place.folder / "clone-1"
    seen = {
        "arguments": [*watch.arguments, *(" ".join(c.argv) for c in recorder.children())],
        "addresses": place.server.requests,
        "files": [
            f"{file.name} {file.read_bytes().decode('latin1')}"
            for file in folder.rglob("*")
            if file.is_file() and file.name != "signing-key"
        ],
        "log": log.lines,
    }
    local = [
        child.environment
        for child in recorder.children()
        if child.environment.get("GIT_ALLOW_PROTOCOL") == "none"
    ]
    assert any("config" in one[:6] for one in seen["files"])
    assert all(len(lines) > 0 for lines in seen.values())
    assert not [
        (place_, secret)
        for place_, lines in seen.items()
        for secret in secrets
        if any(secret in line for line in lines)
    ]
    assert not [env for env in local for secret in secrets if secret in str(env)]


class Said(HeldLog):
    """Keeps the lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


class Watch:
    """Reads the arguments of all that this process starts, again and again, from `/proc`."""

    def __init__(self) -> None:
        self.arguments: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.002):
            for pid in list(family(os.getpid()))[1:]:
                with suppress(OSError):
                    raw = Path(f"/proc/{pid}/cmdline").read_bytes()
                    self.arguments.add(raw.replace(b"\0", b" ").decode(errors="replace"))


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
