"""Bare repositories of real git, and other writers who commit to them.

repositories = GitRepositories(folder)
repositories.create("acme/gitops", files={"apps/shop/kustomization.yaml": "..."})
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS = {
    "http.receivepack": "true",
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
    "receive.autogc": "false",
    "gc.auto": "0",
}


class GitRepositories:
    """Repositories below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.git"

    def create(
        self, name: str, files: Mapping[str, str | bytes] | None = None, *, branch: str = "main"
    ) -> str:
        """Make a repository with one commit of these files (none without files); return its SHA."""
        self.path(name).mkdir(parents=True)
        self.git(name, "init", "--quiet", "--bare", f"--initial-branch={branch}")
        for key, value in _SETTINGS.items():
            self.git(name, "config", key, value)
        return self.commit(name, files, branch=branch) if files else ""

    def commit(
        self,
        name: str,
        files: Mapping[str, str | bytes],
        *,
        branch: str = "main",
        modes: Mapping[str, str] | None = None,
        message: str = "From another writer",
    ) -> str:
        """Commit to a branch as another writer does; return the SHA. A mode is as `100755`."""
        ref = f"refs/heads/{branch}"
        parts = [
            f"commit {ref}\ncommitter Another Writer <writer@example.com> now\n".encode(),
            _data(message.encode()),
        ]
        if self.git(name, "for-each-ref", ref):
            parts.append(f"from {ref}^0\n".encode())
        for path, content in files.items():
            mode = (modes or {}).get(path, "100644")
            raw = content.encode() if isinstance(content, str) else content
            parts += [f"M {mode} inline {path}\n".encode(), _data(raw)]
        self.git(
            name, "fast-import", "--quiet", "--force", "--date-format=now", stdin=b"".join(parts)
        )
        return self.head(name, branch)

    def head(self, name: str, branch: str = "main") -> str:
        """The SHA of the branch's newest commit, empty where there is no such branch."""
        return self.git(name, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def read(self, name: str, path: str, branch: str = "main") -> bytes:
        """A file's bytes at the head of the branch."""
        return self._run(name, "cat-file", "blob", f"refs/heads/{branch}:{path}")

    def git(self, name: str, *argv: str, stdin: bytes = b"") -> str:
        """Run git in a repository; return what it prints, without the last line break."""
        return self._run(name, *argv, stdin=stdin).decode().rstrip("\n")

    def refuse_pushes(self, name: str, text: str) -> None:
        """Install a pre-receive hook that says `text` and refuses."""
        hook = self.path(name) / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ncat >&2 <<'TEXT'\n{text}TEXT\nexit 1\n")
        hook.chmod(0o755)

    def environment(self) -> dict[str, str]:
        """The environment of every git that the server runs."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "LC_ALL": "C",
        }

    def _run(self, name: str, *argv: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["git", *argv],
            cwd=self.path(name),
            env=self.environment(),
            input=stdin,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content + b"\n"
