"""SSH keys as files that only we can read: one to connect with, one to sign with."""

from __future__ import annotations

import shlex
from pathlib import Path

from gitops_action.adapters.git.command import disk_error
from gitops_action.model.secret import Secret

# https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints
GITHUB_HOSTS = "github.com,[ssh.github.com]:443"
GITHUB_KEYS = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
    (
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxk"
        "ZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg="
    ),
    (
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCj7ndNxQowgcQnjshcLrqPEiiphnt+VTTvDP6mHBL9j1aNUkY4"
        "Ue1gvwnGLVlOhGeYrnZaMgRK6+PKCUXaDbC7qtbW8gIkhL7aGCsOr/C56SJMy/BCZfxd1nWzAOxSDPgVsmerOBYf"
        "NqltV9/hWCqBywINIR+5dIg6JTJ72pcEpEjcYgXkE2YEFXV1JHnsKgbLWNlhScqb2UmyRkQyytRLtL+38TGxkxCf"
        "lmO+5Z8CSSNY7GidjMIZ7Q4zMjA2n1nGrlTDkzwDCsw+wqFPGQA179cnfGWOWRVruj16z6XyvxvjJwbz0wQZ75XK"
        "5tKSb7FNyeIEs4TT4jk+S4dhPeAUC5y+bDYirYgM4GC7uEnztnZyaVWQ7B381AK4Qdrwt51ZqExKbQpTUNn+Ejqo"
        "TwvqNj4kqx5QUCI0ThS/YkOxJCXmPUWZbhjpCg56i+2aB6CmK2JGhn57K5mj0MNdBXA4/WnwH6XoPWJzK5Nyu2zB"
        "3nAZp+S5hpQs+p1vN1/wsjk="
    ),
)
# No agent, no prompt, no file of the user's or the machine's, and no host that nobody vouched for.
_CONFIGURATION = """\
Host *
  IdentityFile "{key}"
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile "{hosts}"
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  UpdateHostKeys no
  BatchMode yes
  PreferredAuthentications publickey
  ForwardAgent no
  ConnectTimeout 30
  ServerAliveInterval 15
"""


def write_key(folder: Path, name: str, key: Secret) -> Path:
    """Write a private key to where only we can read it; raises RunnerError."""
    # A secret loses its last line break on the way, and ssh insists on it.
    return _write(folder / name, key.reveal().replace("\r", "").strip() + "\n")


def ssh_command(folder: Path, key: Secret, known_hosts: str) -> str:
    """Write what ssh needs into `folder`, and tell how git shall call it; raises RunnerError.

    `known_hosts` has lines as ssh's own file of that name, and github.com's are added to it.
    """
    hosts = [f"{GITHUB_HOSTS} {github}" for github in GITHUB_KEYS]
    text = _CONFIGURATION.format(
        key=_escaped(write_key(folder, "ssh-key", key)),
        hosts=_escaped(_write(folder / "known-hosts", "\n".join([known_hosts, *hosts, ""]))),
    )
    configuration = _write(folder / "ssh-config", text)
    return f"ssh -F {shlex.quote(str(configuration))}"


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")


def _write(path: Path, text: str) -> Path:
    try:
        path.touch(0o600)
        path.write_text(text)
    except OSError as error:
        raise disk_error(str(error.strerror)) from error
    return path
