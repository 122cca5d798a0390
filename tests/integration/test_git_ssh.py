"""The GitOps repository over a real sshd, and commits signed with an SSH key."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.git import Git, GitOpsClone, ssh_command
from gitops_action.adapters.git.keys import GITHUB_KEYS
from gitops_action.errors import GitOpsAccessError, GitOpsError, InputError
from gitops_action.model.secret import Secret
from tests.systems.promoter import NAME, Place, failure, run
from tests.systems.recorder import Recorder
from tests.systems.ssh_server import SshServer, make_key

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ssh(place: Place) -> Iterator[SshServer]:
    with SshServer(place.folder / "sshd", place.server) as server:
        yield server


def clone(place: Place, ssh: SshServer, *, key: str = "", known_hosts: str = "") -> GitOpsClone:
    # A space and a percent sign mean something to a shell and to ssh.
    folder = place.folder / "a 100% private folder"
    folder.mkdir()
    return GitOpsClone(
        Git(
            url=ssh.url(NAME),
            ssh=ssh_command(folder, Secret(key or ssh.key), known_hosts or ssh.known_hosts),
            directory=folder,
            cancellation=place.cancellation,
            env={"PATH": place.path, "SSH_AUTH_SOCK": "/nowhere"},
        )
    )


def test_promotes_with_a_deploy_key(place: Place, ssh: SshServer) -> None:
    """
    A repository that is reached by SSH only is read and written like another.
    """
    first = place.server.head(NAME)
    gitops = clone(place, ssh)
    gitops.check_push("main")

    result = run(gitops)

    assert str(result.revision) == place.server.head(NAME)
    assert gitops.contains(gitops.head("main"), result.revision) is True
    assert gitops.default_branch() == "main"
    assert place.server.git(NAME, "rev-list", f"{first}..main") == str(result.revision)
    assert {line.split()[1] for line in ssh.requests if "upload" in line} == {"version=2"}


def test_a_secret_without_its_line_breaks_is_still_a_key(place: Place, ssh: SshServer) -> None:
    """
    A secret that was pasted on Windows, and trimmed on the way, connects.
    """
    gitops = clone(place, ssh, key=ssh.key.strip().replace("\n", "\r\n"))

    assert str(gitops.head("main")) == place.server.head(NAME)


def test_a_key_that_is_not_known_is_refused_with_the_way_to_add_it(
    place: Place, ssh: SshServer
) -> None:
    """
    The hint says where a deploy key is added, and the user's own keys are not tried.
    """
    other = make_key(place.folder / "other")

    error = failure(lambda: clone(place, ssh, key=other).head("main"))

    assert isinstance(error, GitOpsAccessError)
    assert "refuses the SSH key" in error.message
    assert "Deploy keys" in error.hint
    assert "gitops-ssh-key:" in error.hint


@pytest.mark.parametrize("kind", ["unknown", "another"])
def test_a_host_that_nobody_vouched_for_gets_nothing(
    place: Place, ssh: SshServer, kind: str
) -> None:
    """
    A server with another key than the known one is not talked to.
    """
    make_key(place.folder / "another")
    public = (place.folder / "another.pub").read_text()
    lines = {"unknown": f"example.com {public}", "another": f"[127.0.0.1]:{ssh.port} {public}"}

    error = failure(lambda: clone(place, ssh, known_hosts=lines[kind]).head("main"))

    assert type(error) is GitOpsError
    assert "The host key of the GitOps repository" in error.message
    assert "gitops-known-hosts:" in error.hint


def test_a_deploy_key_that_may_only_read_is_found_out_early(place: Place, ssh: SshServer) -> None:
    """
    The box that was not ticked is named before the tests have run.
    """
    ssh.allow(
        "git-upload-pack",
        "ERROR: The key you are authenticating with has been marked as read only.\n",
    )

    error = failure(lambda: clone(place, ssh).check_push("main"))

    assert isinstance(error, GitOpsAccessError)
    assert "Allow write access" in error.hint


def test_knows_githubs_host_keys(tmp_path: Path) -> None:
    """
    github.com is vouched for by the fingerprints that its documentation gives.
    """
    file = tmp_path / "keys"
    file.write_text("\n".join(GITHUB_KEYS))

    told = subprocess.run(
        ["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True
    ).stdout

    assert [line.split()[1] for line in told.splitlines()] == [
        "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
        "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
        "SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
    ]


def test_the_key_is_in_one_private_file_and_nowhere_else(place: Place, ssh: SshServer) -> None:
    """
    Neither an argument nor an environment nor another file has the key.
    """
    recorder = Recorder.of(["git", "ssh"], place.folder / "recorder")
    place.path = recorder.path
    run(clone(place, ssh))
    body = ssh.key.splitlines()[1]

    children = recorder.children()
    folder = place.folder / "a 100% private folder"
    files = [
        file for file in folder.rglob("*") if file.is_file() and body in file.read_text("latin1")
    ]

    assert {Path(child.argv[0]).name for child in children} == {"git", "ssh"}
    assert all(body not in f"{child.argv}{child.environment}" for child in children)
    assert [(file.name, file.stat().st_mode & 0o777) for file in files] == [("ssh-key", 0o600)]


def test_a_commit_is_signed_where_there_is_a_key(place: Place) -> None:
    """
    `git verify-commit` knows the signature, and who made it.
    """
    key = make_key(place.folder / "signer")
    allowed = place.folder / "allowed"
    allowed.write_text(f"bot@example.com {(place.folder / 'signer.pub').read_text()}")

    result = run(place.clone(signing_key=key.strip()))
    verified = subprocess.run(
        [
            "git",
            "-c",
            f"gpg.ssh.allowedSignersFile={allowed}",
            "verify-commit",
            str(result.revision),
        ],
        cwd=place.server.path(NAME),
        check=False,
        capture_output=True,
        text=True,
    )

    assert str(result.revision) == place.server.head(NAME)
    assert verified.returncode == 0
    assert 'Good "git" signature for bot@example.com' in verified.stderr


@pytest.mark.parametrize("kind", ["passphrase", "nonsense"])
def test_a_key_that_cannot_sign_is_said_to(place: Place, kind: str) -> None:
    """
    A key with a passphrase is answered with what it needs, and nothing is pushed.
    """
    key = make_key(place.folder / "signer", "secret") if kind == "passphrase" else "nonsense"
    before = place.server.head(NAME)

    error = failure(lambda: run(place.clone(signing_key=key)))

    assert isinstance(error, InputError)
    assert "could not be signed with `signing-key`" in error.message
    assert "no passphrase" in error.hint
    assert place.server.head(NAME) == before
