"""The GitOps repository over real git: `git http-backend`, its refusals, races and silences."""

from __future__ import annotations

import os
import random
import re
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from werkzeug import Response as Answered

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.git import GitOpsClone, workspace_commit
from gitops_action.adapters.git.command import Answer
from gitops_action.adapters.git.explain import explain_push
from gitops_action.errors import (
    ActionError,
    CancelledError,
    GitOpsAccessError,
    GitOpsError,
    KustomizationError,
    PushRefusedError,
    RunnerError,
)
from gitops_action.model.change import Change
from gitops_action.model.identity import GITHUB_ACTIONS
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.pin import Pin
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import PromoteRequest, PromoteResult, promote
from tests.fakes.kustomize import FakeKustomize
from tests.systems.git_server import PROTECTED_BRANCH, RULE_VIOLATION, GitServer
from tests.systems.recorder import Child, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_httpserver import HTTPServer
    from werkzeug import Request

NAME = "acme/gitops"
FILE = "apps/shop/kustomization.yaml"
PATH = PurePosixPath(FILE)
TEXT = "images:\n- name: ghcr.io/acme/shop\n  newTag: v1\n"
NEW = TEXT.replace("v1", "v2")
UNREACHABLE = "http://127.0.0.1:1/acme/gitops.git"


@dataclass
class Place:
    """A folder for clones, and the server that they are clones of."""

    folder: Path
    server: GitServer
    path: str = field(default_factory=lambda: os.environ["PATH"])
    cancellation: Cancellation = field(default_factory=Cancellation)
    count: int = 0

    def clone(
        self, *, token: str | None = None, url: str = "", env: dict[str, str] | None = None
    ) -> GitOpsClone:
        self.count += 1
        directory = self.folder / f"clone-{self.count}"
        directory.mkdir()
        return GitOpsClone(
            url=url or self.server.url(NAME),
            token=Secret(self.server.token if token is None else token),
            directory=directory,
            cancellation=self.cancellation,
            env={"PATH": self.path, **(env or {})},
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with GitServer(tmp_path / "server") as server:
        server.create(NAME, {FILE: TEXT, "README.md": "hello\n"})
        yield Place(tmp_path, server)


def edit(parent: CommitSha, path: PurePosixPath, text: str) -> Change:
    return Change(
        parent=parent, files={path: text.encode()}, message="Promote\n", author=GITHUB_ACTIONS
    )


def change(
    clone: GitOpsClone, branch: str = "main", text: str = NEW
) -> tuple[CommitSha, CommitSha]:
    """Make a commit that is not pushed; return it and its parent."""
    head = clone.head(branch)
    return clone.commit(edit(head, PATH, text)), head


def failure(call: Callable[[], object]) -> ActionError:
    with pytest.raises(ActionError) as caught:
        call()
    return caught.value


def run(clone: GitOpsClone, name: str = "shop", file: str = FILE) -> PromoteResult:
    request = PromoteRequest(
        branch="main",
        kustomizations=(PurePosixPath(file),),
        entry="",
        pin=Pin.TAG,
        subject=f"Promote {name} to v2",
        trailers={"Source-Commit": "a" * 40},
        deadline_seconds=60.0,
    )
    image = ImageReference(Repository(f"ghcr.io/acme/{name}"), "v2")
    return promote(
        request,
        image,
        repository=clone,
        renderer=FakeKustomize(),
        clock=Cancellation(),
        log=HeldLog(),
        chance=random.Random(name).random,
    )


def test_a_promotion_is_one_commit_with_one_changed_line(place: Place) -> None:
    """
    The branch has one new commit, by the bot, and nothing else moved.
    """
    before = place.server.head(NAME)

    result = run(place.clone())

    git = place.server.git
    assert str(result.revision) == place.server.head(NAME)
    assert git(NAME, "rev-list", f"{before}..main") == str(result.revision)
    assert git(NAME, "diff", "--numstat", before, "main") == f"1\t1\t{FILE}"
    assert git(NAME, "log", "-1", "--format=%an <%ae>, %cn", "main") == (
        f"{GITHUB_ACTIONS}, github-actions[bot]"
    )
    assert git(NAME, "log", "-1", "--format=%(trailers)", "main").splitlines() == [
        f"Source-Commit: {'a' * 40}",
        "Image: ghcr.io/acme/shop:v2",
    ]


def test_a_second_run_changes_nothing(place: Place) -> None:
    """
    Running the job twice pushes once.
    """
    first = run(place.clone())

    second = run(place.clone())

    assert (second.changed, second.revision) == (False, first.revision)


def test_writes_bytes_as_they_are(place: Place) -> None:
    """
    Neither `.gitattributes` nor the file's mode nor its line ends change on the way.
    """
    content = b"\xef\xbb\xbfimages:\r\n- name: ghcr.io/acme/shop\r\n  newTag: v1"
    place.server.commit(
        NAME,
        {FILE: content, ".gitattributes": "* text=auto eol=lf working-tree-encoding=UTF-16\n"},
        modes={FILE: "100755"},
    )

    run(place.clone())

    assert place.server.read(NAME, FILE) == content.replace(b"v1", b"v2")
    assert place.server.git(NAME, "ls-tree", "main", FILE).startswith("100755 blob")


def test_works_without_a_server(place: Place) -> None:
    """
    A repository on the same disk can be promoted to, for a demonstration.
    """
    result = run(place.clone(url=f"file://{place.server.path(NAME)}", token=""))

    assert str(result.revision) == place.server.head(NAME)


def test_reads_files_and_folders_of_a_commit(place: Place) -> None:
    """
    The newest commit is read, whatever was cloned first.
    """
    clone = place.clone()
    first = clone.head("main")
    place.server.commit(NAME, {"apps/new file": "x"})

    second = clone.head("main")

    assert clone.list(first, PurePosixPath("apps")) == ("shop/",)
    assert clone.list(second, PurePosixPath("apps")) == ("new file", "shop/")
    assert clone.list(second, PurePosixPath()) == ("README.md", "apps/")
    assert clone.read(second, PurePosixPath("apps/new file")) == b"x"
    for path in ("apps", "apps/none", "README.md/x", "/etc/passwd", "../x", "."):
        assert clone.read(second, PurePosixPath(path)) is None
    for path in ("README.md", "none", "/etc", ".."):
        assert clone.list(second, PurePosixPath(path)) == ()


@pytest.mark.parametrize("path", ["link/kustomization.yaml", "link", "module/a", "file.yaml"])
def test_follows_neither_links_nor_submodules(place: Place, path: str) -> None:
    """
    What would be written elsewhere than it was read is refused.
    """
    place.server.commit(
        NAME,
        {"link": "apps/shop", "file.yaml": FILE},
        modes={"link": "120000", "file.yaml": "120000"},
    )
    sha = place.server.head(NAME)
    place.server.git(
        *(NAME, "fast-import", "--quiet", "--date-format=now"),
        stdin=f"commit refs/heads/main\ncommitter A <a@b> now\ndata 1\nx\nfrom {sha}\n"
        f"M 160000 {sha} module\n".encode(),
    )
    clone = place.clone()
    head = clone.head("main")

    error = failure(lambda: clone.read(head, PurePosixPath(path)))
    again = failure(lambda: clone.list(head, PurePosixPath(path)))

    assert isinstance(error, KustomizationError)
    assert "is a symbolic link" in error.message or "is a submodule" in error.message
    assert again.message == error.message


def test_a_lost_race_is_no_error(place: Place) -> None:
    """
    A push that comes too late says so, and takes nothing away.
    """
    clone = place.clone()
    commit, parent = change(clone)
    theirs = place.server.commit(NAME, {"other.yaml": "a: b\n"})

    landed = clone.push(commit, parent, "main")

    assert not landed
    assert place.server.head(NAME) == theirs


def test_nothing_that_was_taken_back_comes_to_life_again(place: Place) -> None:
    """
    A branch that was set back or deleted meanwhile is not overwritten.
    """
    clone = place.clone()
    first = place.server.head(NAME)
    place.server.commit(NAME, {"secret.yaml": "to be removed"})
    commit, parent = change(clone)

    place.server.git(NAME, "update-ref", "refs/heads/main", first)
    set_back = clone.push(commit, parent, "main")
    place.server.git(NAME, "update-ref", "-d", "refs/heads/main")
    deleted = clone.push(commit, parent, "main")

    assert (set_back, deleted) == (False, False)
    assert place.server.head(NAME) == ""
    assert "no branch `main`" in failure(lambda: clone.head("main")).message


def test_promoters_at_once_all_land(place: Place) -> None:
    """
    Six jobs that promote six applications in one file lose nothing.
    """
    names = [f"app-{number}" for number in range(6)]
    text = "images:\n" + "".join(f"- name: ghcr.io/acme/{name}\n  newTag: v1\n" for name in names)
    before = place.server.commit(NAME, {FILE: text})
    clones = {name: place.clone() for name in names}
    threads = [threading.Thread(target=run, args=(clones[name], name)) for name in names]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert place.server.read(NAME, FILE).decode() == text.replace("v1", "v2")
    assert place.server.git(NAME, "rev-list", "--count", f"{before}..main") == "6"


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
        ("wrong", NAME, GitOpsAccessError, "refuses the token."),
        ("", NAME, GitOpsAccessError, "refuses the token."),
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
    ("said", "words", "hint"),
    [
        (PROTECTED_BRANCH, "GH006: Protected branch update failed", "`gitops-branch`"),
        (RULE_VIOLATION, "GH013: Repository rule violations", "signed commits"),
        ("Only on Mondays.\n", "refuses the commit on main: Only on Mondays.", "`gitops-branch`"),
    ],
    ids=["protected-branch", "ruleset", "hook"],
)
def test_a_rule_is_quoted_and_not_fought(place: Place, said: str, words: str, hint: str) -> None:
    """
    The server's own words are shown, and there is no second attempt.
    """
    place.server.refuse_pushes(NAME, said)

    error = failure(lambda: run(place.clone()))

    assert isinstance(error, PushRefusedError)
    assert words in error.message
    assert hint in error.hint
    assert sum(line.endswith("/git-receive-pack") for line in place.server.requests) == 1


@pytest.mark.parametrize(
    ("status", "words"), [(503, "cannot be reached"), (418, "cannot be reached")]
)
def test_a_server_that_fails_is_said_to_fail(place: Place, status: int, words: str) -> None:
    """
    An outage does not look like a missing permission.
    """
    place.server.failures += [status]

    error = failure(lambda: place.clone().head("main"))

    assert isinstance(error, GitOpsError)
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


def test_a_lost_answer_is_not_a_lost_push(place: Place) -> None:
    """
    A connection that breaks after the push does not make the job red.
    """
    clone = place.clone()
    commit, parent = change(clone)
    place.server.loses_answers = True

    landed = clone.push(commit, parent, "main")

    assert landed
    assert place.server.head(NAME) == str(commit)


def test_a_push_that_failed_is_not_said_to_have_landed(place: Place) -> None:
    """
    A server that answers with an error, and then well, did not take the commit.
    """
    clone = place.clone()
    commit, parent = change(clone)
    place.server.failures += [503]

    error = failure(lambda: clone.push(commit, parent, "main"))
    place.server.failures += [503, 503]
    doubt = failure(lambda: clone.push(commit, parent, "main"))

    assert "cannot be reached" in error.message
    assert f"The push of {commit} to main got no answer" in doubt.message
    assert "not known whether it landed" in doubt.message
    assert place.server.head(NAME) == str(parent)


def test_cancelling_ends_a_fetch_that_hangs(place: Place) -> None:
    """
    A cancelled job does not wait for a silent server.
    """
    clone = place.clone()
    clone.head("main")
    place.server.stall()

    with _cancelled_soon(place):
        started = time.monotonic()
        error = failure(lambda: clone.head("main"))
        took = time.monotonic() - started

    assert isinstance(error, CancelledError)
    assert took < 2.0


def test_cancelling_lets_a_push_finish(place: Place) -> None:
    """
    A push that has begun is finished, and then said to be.
    """
    clone = place.clone()
    commit, parent = change(clone)
    place.server.stall()

    def flow() -> None:
        time.sleep(0.5)
        place.server.flowing.set()

    with _cancelled_soon(place, then=flow):
        landed = clone.push(commit, parent, "main")

    assert landed
    assert place.server.head(NAME) == str(commit)


def test_a_push_that_cannot_finish_is_said_to_be_in_doubt(place: Place) -> None:
    """
    A cancelled job ends within seconds, and does not claim what it cannot know.
    """
    clone = place.clone()
    commit, parent = change(clone)
    place.server.stall()

    with _cancelled_soon(place):
        started = time.monotonic()
        error = failure(lambda: clone.push(commit, parent, "main"))
        took = time.monotonic() - started

    assert isinstance(error, CancelledError)
    assert "not known whether it landed" in error.message
    assert took < 5.0


def _cancelled_soon(place: Place, then: Callable[[], object] = lambda: None) -> ExitStack:
    def cancel() -> None:
        time.sleep(0.3)
        place.cancellation.cancel("SIGTERM")
        then()

    thread = threading.Thread(target=cancel)
    thread.start()
    stack = ExitStack()
    stack.callback(thread.join)
    return stack


def test_knows_which_commit_contains_which(place: Place) -> None:
    """
    Argo CD may report a descendant of our commit; unknown commits stay unknown.
    """
    clone = place.clone()
    first = clone.head("main")
    ours = run(clone).revision
    later = CommitSha(place.server.commit(NAME, {"other.yaml": ""}))
    aside = CommitSha(place.server.commit(NAME, {"other.yaml": ""}, branch="staging"))

    assert clone.contains(ours, ours) is True
    assert clone.contains(first, ours) is True
    assert clone.contains(ours, first) is False
    assert clone.contains(ours, later) is True
    assert clone.contains(later, ours) is False
    assert clone.contains(ours, aside) is None
    assert clone.contains(ours, CommitSha("0" * 40)) is None
    assert place.clone(url=UNREACHABLE).contains(ours, later, "main") is None


def test_asks_for_the_default_branch(place: Place) -> None:
    """
    An Application that follows HEAD follows this branch.
    """
    place.server.create("acme/trunk", {"a": ""}, branch="trunk")
    place.server.create("acme/empty")
    trunk = place.clone(url=place.server.url("acme/trunk"))
    empty = place.clone(url=place.server.url("acme/empty"))

    assert trunk.default_branch() == "trunk"
    assert trunk.contains(CommitSha("0" * 40), CommitSha("1" * 40)) is None
    assert "has no default branch" in failure(empty.default_branch).message


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
    clone.contains(run(clone).revision, clone.head("main"))
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


@pytest.mark.parametrize(
    ("stdout", "stderr", "kind", "words"),
    [
        ("", "fatal: write error: No space left on device\n", RunnerError, "No space left"),
        ("", "fatal: something new\n", GitOpsError, "git could not work with the GitOps"),
        (
            "!\ta:refs/heads/main\t[remote rejected] (shallow update not allowed)\n",
            "error: failed to push some refs\n",
            PushRefusedError,
            "shallow clones",
        ),
    ],
    ids=["full-disk", "unknown", "shallow"],
)
def test_explains_what_this_server_never_says(
    stdout: str, stderr: str, kind: type[ActionError], words: str
) -> None:
    """
    A full disk, another kind of server and a new error each have a message of their own.
    """
    answer = Answer(exit_code=1, stdout=stdout.encode(), stderr=stderr, killed=False)

    error = explain_push(answer, UNREACHABLE, "main")

    assert isinstance(error, kind)
    assert words in f"{error.message} {error.hint}"


def test_adds_a_file_where_there_was_none(place: Place) -> None:
    """
    A commit may bring folders of its own.
    """
    clone = place.clone()
    head = clone.head("main")

    commit = clone.commit(edit(head, PurePosixPath("a/b/c"), "x"))

    assert clone.read(commit, PurePosixPath("a/b/c")) == b"x"
    assert clone.read(commit, PATH) == TEXT.encode()


def test_a_machine_without_git_is_told_so(place: Place) -> None:
    """
    A missing program is no traceback.
    """
    place.path = str(place.folder)

    error = failure(lambda: place.clone().head("main"))

    assert isinstance(error, RunnerError)
    assert "The program `git` could not be started" in error.message


def test_reads_the_commit_of_the_workspace(place: Place) -> None:
    """
    What is checked out is known, whoever owns it, and nothing planted there runs.
    """
    workspace = place.folder / "workspace"
    subprocess.run(["git", "clone", "-q", place.server.path(NAME), workspace], check=True)
    planted = workspace / "planted"
    planted.write_text(f"#!/bin/sh\ntouch {place.folder}/ran\n")
    planted.chmod(0o755)
    for key in ("core.fsmonitor", "gpg.program", "core.pager"):
        subprocess.run(["git", "-C", workspace, "config", key, planted], check=True)
    if os.geteuid() == 0:
        os.chown(workspace, 1001, 1001)
        os.chown(workspace / ".git", 1001, 1001)

    commit = workspace_commit(workspace, {"PATH": place.path})

    assert commit
    assert str(commit.sha) == place.server.head(NAME)
    assert abs(commit.time - time.time()) < 60
    assert not (place.folder / "ran").exists()


def test_a_workspace_without_git_has_no_commit(place: Place) -> None:
    """
    A folder that is no repository, or has no commit yet, is no error here.
    """
    empty = place.folder / "empty"
    subprocess.run(["git", "init", "-q", empty], check=True)

    assert workspace_commit(empty, {"PATH": place.path}) is None
    assert workspace_commit(place.folder / "none", {"PATH": place.path}) is None


def test_tells_where_links_lead(place: Place) -> None:
    """
    A link is found at any depth, and what it says is read without following it.
    """
    links = {"apps/live": "shop", "kustomization.yaml": "../out"}
    place.server.commit(NAME, links, modes=dict.fromkeys(links, "120000"))
    clone = place.clone()
    head = clone.head("main")

    found = {
        path: clone.link(head, PurePosixPath(path))
        for path in ("apps/live/x", "apps/live", "kustomization.yaml", "apps/shop", "none", ".")
    }

    live = (PurePosixPath("apps/live"), "shop")
    assert found == {
        "apps/live/x": live,
        "apps/live": live,
        "kustomization.yaml": (PurePosixPath("kustomization.yaml"), "../out"),
        "apps/shop": None,
        "none": None,
        ".": None,
    }
