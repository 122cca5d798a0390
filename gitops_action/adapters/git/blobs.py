"""Many files' contents at once: one question to the server, and one local command."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from gitops_action.adapters.git.command import Answer, Git


class Blobs:
    """Reads blobs of the clone at `place`, which has only those that were asked for before."""

    def __init__(self, git: Git, place: Path) -> None:
        self._git = git
        self._place = place
        self._fetched: set[str] = set()

    def read(self, shas: Collection[str]) -> tuple[dict[str, bytes], Answer]:
        """Read blobs by their SHA; the answer is git's, and has failed where one is missing."""
        lines = "".join(f"{sha}\n" for sha in sorted(shas)).encode()
        self._fetch(set(shas))
        # What the fetch did not bring, git asks the server for, one by one.
        answer = self._git.run("cat-file", "--batch", cwd=self._place, network=True, stdin=lines)
        return (_parsed(answer.stdout) if answer.succeeded else {}), answer

    def _fetch(self, shas: set[str]) -> None:
        missing = shas - self._fetched
        if not missing:
            return
        # What git itself does when a checkout needs many blobs; it fails on servers that give no
        # object by its SHA, whose clones are complete.
        answer = self._git.run(
            *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags"),
            *("--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none"),
            *("--stdin", "origin"),
            cwd=self._place,
            network=True,
            stdin="".join(f"{sha}\n" for sha in sorted(missing)).encode(),
        )
        if answer.succeeded:
            self._fetched |= missing


def _parsed(batch: bytes) -> dict[str, bytes]:
    """Read `<sha> blob <size>`, a line break, the content, a line break; again and again."""
    blobs, position = dict[str, bytes](), 0
    while position < len(batch):
        end = batch.index(b"\n", position)
        sha, _, size = batch[position:end].split(b" ")
        start = end + 1
        position = start + int(size) + 1
        blobs[sha.decode()] = batch[start : position - 1]
    return blobs
