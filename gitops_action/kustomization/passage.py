"""Passing over a collection that nobody looks into: what it means becomes a hash."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
)

from gitops_action.kustomization.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 100

_FEW = 4_096


def pass_over(start: CollectionStartEvent, events: Iterator[Event]) -> Iterator[Event]:
    """Give the events behind `start` up to the one that ends it, which comes last.

    Raises KustomizationError for a key that is there twice in a mapping, and where too much is
    nested.
    """
    frames = [_frame(start)]
    while frames:
        event = next(events)
        yield event
        if isinstance(event, ScalarEvent):
            _take(frames[-1], event)
        elif isinstance(event, CollectionStartEvent):
            _take(frames[-1], None)
            frames.append(_frame(event))
            if len(frames) > DEEPEST:  # libyaml's time grows with the depth of brackets, squared
                refuse(
                    f"The kustomization is nested more than {DEEPEST} levels deep.",
                    hint="Move its data into files of their own, and name those in it.",
                    line=event.start_mark.line + 1,
                )
        elif isinstance(event, AliasEvent):
            _take(frames[-1], None)
        else:
            frames.pop()


class Hash:
    """A hash of what events mean, whatever their quotes and their layout."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=32)
        self._parts: list[str] = []

    def add(self, event: Event) -> None:
        """Plain and quoted texts differ: YAML may take a plain one for a number."""
        if isinstance(event, ScalarEvent):
            value = event.value
            properties = f"&{event.anchor} {event.tag} " if event.anchor or event.tag else ""
            part = f"{properties}{'q' if event.style else 'p'}{len(value)}:{value}"
        elif isinstance(event, CollectionStartEvent):
            opening = "{" if isinstance(event, MappingStartEvent) else "["
            part = f"{opening}{event.anchor} {event.tag} "
        elif isinstance(event, AliasEvent):
            part = f"*{event.anchor} "
        else:
            part = "]"
        self._parts.append(part)
        if len(self._parts) > _FEW:
            self._flush()

    def result(self) -> bytes:
        self._flush()
        return self._hash.digest()

    def _flush(self) -> None:
        self._hash.update("".join(self._parts).encode("utf-8", "surrogatepass"))
        self._parts.clear()


class KeyLines:
    """The keys of one mapping, and their lines."""

    __slots__ = ("_lines", "wants_key")

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}
        self.wants_key = True

    def add(self, key: str, line: int) -> None:
        """Raise KustomizationError for a key that was there before."""
        if key in self._lines:
            refuse(
                f"The key `{key}` is there twice in one mapping, on lines {self._lines[key]} and "
                f"{line}.",
                hint="Remove one of them: Kustomize would silently take the last.",
                line=line,
            )
        self._lines[key] = line


def _frame(start: CollectionStartEvent) -> KeyLines | None:
    return KeyLines() if isinstance(start, MappingStartEvent) else None


def _take(frame: KeyLines | None, scalar: ScalarEvent | None) -> None:
    if frame is None:
        return
    if frame.wants_key and scalar is not None:
        frame.add(scalar.value, scalar.start_mark.line + 1)
    frame.wants_key = not frame.wants_key
