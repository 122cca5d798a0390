"""A text of any length, of which the beginning and the end are kept."""

from __future__ import annotations

from collections import deque

_HEAD = 32 * 1024
_TAIL = 32 * 1024


class Excerpt:
    """Collects pieces of text; what lies too far from both ends is left out, and said so."""

    __slots__ = ("_head", "_head_size", "_left_out", "_tail", "_tail_size")

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._head_size = self._tail_size = self._left_out = 0

    def add(self, piece: str) -> None:
        if self._head_size < _HEAD:
            self._head.append(piece[:_HEAD])
            self._head_size += len(self._head[-1])
            piece = piece[_HEAD:]
        if not piece:
            return
        self._tail.append(piece[-_TAIL:])
        self._left_out += len(piece) - len(self._tail[-1])
        self._tail_size += len(self._tail[-1])
        while self._tail_size - len(self._tail[0]) >= _TAIL:
            gone = len(self._tail.popleft())
            self._tail_size -= gone
            self._left_out += gone

    def __str__(self) -> str:
        note = f"\n… {self._left_out} characters left out …\n" if self._left_out else ""
        return "".join((*self._head, note, *self._tail))
