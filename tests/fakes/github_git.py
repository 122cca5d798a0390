"""The fake GitHub's commits, made in the bare repository that the git server serves."""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from tests.fakes.github_state import BOT, BOT_EMAIL, ApiError

if TYPE_CHECKING:
    from tests.systems.git_server import GitServer

_NOWHERE = "0" * 40


class Git:
    """One repository's objects and refs; commits made here are those that GitHub signs."""

    def __init__(self, server: GitServer, name: str) -> None:
        self._server = server
        self.name = name
        self.signed: set[str] = set()

    def run(self, *argv: str, stdin: bytes = b"") -> str:
        return self._server.git(self.name, *argv, stdin=stdin)

    def resolve(self, expression: str) -> str | None:
        """The SHA that an expression stands for; None where there is nothing."""
        said = self.run("cat-file", "--batch-check", stdin=f"{expression}\n".encode())
        return None if said.endswith(("missing", "ambiguous")) else said.split()[0]

    def head(self, branch: str) -> str:
        return self._server.head(self.name, branch)

    def kind(self, sha: str) -> str:
        return self.run("cat-file", "-t", sha)

    def object(self, sha: str) -> dict[str, Any]:
        """A git object as GraphQL sees it."""
        kind = self.kind(sha)
        if kind == "commit":
            return self.commit(sha)
        if kind == "tree":
            return {"__typename": "Tree", "oid": sha, "entries": lambda _: self._entries(sha)}
        raw = self.blob(sha)
        try:
            text: str | None = None if b"\0" in raw else raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")  # GitHub guesses
        return {"__typename": "Blob", "oid": sha, "text": text and text[:512_000]}

    def commit(self, sha: str) -> dict[str, Any]:
        tree, parents, message = self.run("show", "-s", "--format=%T%x00%P%x00%B", sha).split("\0")
        nodes = [{"__typename": "Commit", "oid": parent} for parent in parents.split()]
        return {
            "__typename": "Commit",
            "oid": sha,
            "message": message.strip("\n"),
            "tree": {"__typename": "Tree", "oid": tree},
            "parents": lambda _, **__: {"nodes": nodes},
            "history": lambda _, first, after=None: self._history(sha, first, int(after or 0)),
        }

    def blob(self, sha: str) -> bytes:
        return self._server._run(self.name, "cat-file", "blob", sha)

    def contains(self, ancestor: str, revision: str) -> bool:
        return self.run("merge-base", ancestor, revision) == ancestor

    def write(
        self,
        parent: str,
        files: dict[str, bytes],
        message: str,
        login: str = BOT,
        *,
        modes: dict[str, str] | None = None,
    ) -> str:
        """Make a commit; without `modes` as `createCommitOnBranch`: all it writes gets 100644.

        `parent` is a commit, or a tree.
        """
        ref = "refs/fake/made"
        parts = [f"commit {ref}\ncommitter Fake <fake@example.com> now\n".encode(), _data(b"x")]
        if self.kind(parent) == "commit":
            parts.append(f"from {parent}\n".encode())
        else:
            parts.append(f'M 040000 {parent} ""\n'.encode())
        for path, content in files.items():
            mode = (modes or {}).get(path, "100644")
            parts += [f"M {mode} inline {path}\n".encode(), _data(content)]
        self.run("fast-import", "--quiet", "--force", "--date-format=now", stdin=b"".join(parts))
        tree = self.run("rev-parse", f"{ref}^{{tree}}")
        self.run("update-ref", "-d", ref)
        parents = [parent] if self.kind(parent) == "commit" else []
        return self.commit_tree(tree, parents, message, login, signed=True)

    def commit_tree(
        self, tree: str, parents: list[str], message: str, login: str, *, signed: bool
    ) -> str:
        """Make a commit of a tree, as who has the token; the committer is GitHub."""
        email = BOT_EMAIL if login == BOT else f"{login}@users.noreply.github.com"
        who = f"{login}[bot]" if login == BOT else login
        now = int(time.time())
        lines = [f"tree {tree}", *(f"parent {one}" for one in parents)]
        lines += [f"author {who} <{email}> {now} +0000"]
        lines += [f"committer GitHub <noreply@github.com> {now} +0000", "", message]
        raw = "\n".join(lines).encode()
        sha = self.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw)
        if signed:
            self.signed.add(sha)
        return sha

    def move(self, ref: str, before: str, after: str) -> None:
        """Move, make or delete a ref; raises where it was elsewhere."""
        if (self.resolve(ref) or _NOWHERE) != before:
            # https://github.com/orgs/community/discussions/213655
            raise ApiError("", "Something went wrong while executing your query.")
        if after == _NOWHERE:
            self.run("update-ref", "-d", ref, before)
        else:
            self.run("update-ref", ref, after, before)

    def _history(self, sha: str, first: int, skip: int) -> dict[str, Any]:
        listed = self.run("log", f"--skip={skip}", f"--max-count={first + 1}", "--format=%H", sha)
        shas = listed.split()
        page = {"hasNextPage": len(shas) > first, "endCursor": str(skip + first)}
        return {"nodes": [self.commit(one) for one in shas[:first]], "pageInfo": page}

    def _entries(self, sha: str) -> list[dict[str, Any]]:
        lines = self.run("ls-tree", "-z", sha).split("\0")
        entries = []
        for line in filter(None, lines):
            head, _, name = line.partition("\t")
            mode, kind, oid = head.split()
            raw = b64encode(name.encode()).decode()
            entries.append(
                {"name": name, "nameRaw": raw, "mode": int(mode, 8), "type": kind, "oid": oid}
            )
        return entries


def decoded(contents: str) -> bytes:
    """A file as the API takes it."""
    return b64decode(contents, validate=True)


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)
