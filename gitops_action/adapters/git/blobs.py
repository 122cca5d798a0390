"""Many files' contents at once: one question to the server, and one local command."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from gitops_action.adapters.git.command import Answer, Git


class Blobs:
    """Reads blobs of the clone at `place`, and keeps what it has read: a blob never changes."""

    def __init__(self, git: Git, place: Path) -> None:
        self._git = git
        self._place = place
        self._known: dict[str, bytes] = {}
        # Whether a fetch brought blobs along. A clone has none, and git takes its time to say so.
        self.came_along = False

    def read(self, shas: Collection[str]) -> tuple[Mapping[str, bytes], Answer | None]:
        """Read blobs by their SHA; the answer is git's where it was asked.

        It has failed where a blob is missing.
        """
        missing = sorted(set(shas) - self._known.keys())
        if not missing:
            return self._known, None
        lines = "".join(f"{sha}\n" for sha in missing).encode()
        answer = self._print(lines) if self.came_along else None
        if not (answer and answer.succeeded):
            self._fetch(lines)
            # What the fetch did not bring, git asks the server for, one by one.
            answer = self._print(lines, network=True)
        if answer.succeeded:
            self._known |= _parsed(answer.stdout)
        return self._known, answer

    def _print(self, lines: bytes, *, network: bool = False) -> Answer:
        return self._git.run("cat-file", "--batch", cwd=self._place, network=network, stdin=lines)

    def _fetch(self, lines: bytes) -> None:
        # What git itself does when a checkout needs many blobs; it fails on servers that give no
        # object by its SHA, whose clones are complete.
        self._git.run(
            *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags"),
            *("--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none"),
            *("--stdin", "origin"),
            cwd=self._place,
            network=True,
            stdin=lines,
        )


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
