"""A real sshd on loopback, for one key, that serves git repositories as GitHub's does.

with SshServer(folder / "ssh", repositories) as server:
    run(["git", "clone", server.url("acme/gitops")])     # with server.key and server.known_hosts
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.systems.git_repositories import GitRepositories

_READY_SECONDS = 10.0
# git's client sends `git-upload-pack '/acme/gitops.git'`.
_COMMAND = """#!/bin/sh
eval "set -- $SSH_ORIGINAL_COMMAND"
echo "$1 ${{GIT_PROTOCOL:-version=0}}" >> {folder}/requests
case "$1" in {allowed}) ;; *) cat {folder}/refusal >&2; exit 1 ;; esac
exec git "${{1#git-}}" "{root}$2"
"""


class SshServer:
    """Serves `repositories` until the end of the `with` block."""

    def __init__(self, folder: Path, repositories: GitRepositories) -> None:
        folder.mkdir(mode=0o700)
        self._folder = folder
        self._repositories = repositories
        self.key = make_key(folder / "client")
        self.allow("git-upload-pack|git-receive-pack")
        (folder / "authorized").write_text((folder / "client.pub").read_text())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._host_key = make_key(folder / "host")
        self._configuration = folder / "sshd_config"
        self._configuration.write_text(
            f"""
            Port {self.port}
            ListenAddress 127.0.0.1
            HostKey {folder}/host
            PidFile none
            AuthorizedKeysFile {folder}/authorized
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            AcceptEnv GIT_PROTOCOL
            ForceCommand {folder}/command
            """
        )

    def __enter__(self) -> Self:
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "install openssh-server"
        if os.geteuid() == 0:
            # Where sshd locks its unprivileged half in; Debian's service makes it.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._process = subprocess.Popen(
            [program, "-D", "-E", self._folder / "log", "-f", self._configuration]
        )
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        self.__exit__()
        raise AssertionError((self._folder / "log").read_text())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def known_hosts(self) -> str:
        """The line that vouches for this server."""
        public = (self._folder / "host.pub").read_text()
        return f"[127.0.0.1]:{self.port} {public}"

    @property
    def requests(self) -> list[str]:
        """The service and the protocol of every connection."""
        return (self._folder / "requests").read_text().splitlines()

    def url(self, name: str) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}/{name}.git"

    def allow(self, services: str, refusal: str = "") -> None:
        """Serve only these services, separated by `|`, and say `refusal` to the others."""
        command = self._folder / "command"
        (self._folder / "refusal").write_text(refusal)
        command.write_text(
            _COMMAND.format(
                folder=self._folder,
                allowed=services,
                root=self._repositories.path("x").parent,
            )
        )
        command.chmod(0o755)


def make_key(file: Path, passphrase: str = "") -> str:
    """Make a key pair, `file` and `file.pub`; return the private half."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", file], check=True
    )
    return file.read_text()
