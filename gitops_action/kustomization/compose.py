"""From the parser's events to nodes, in bounded time and memory.

ruamel.yaml's events come from libyaml where `ruamel.yaml.clib` is installed: thirty times faster,
and of the same family as the parser in Kustomize, so that both find the same faults on the same
lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.parser import ParserError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import ScannerError

from gitops_action.kustomization.nodes import Alias, Mapping, Node, Scalar, Sequence, Unread
from gitops_action.kustomization.passage import DEEPEST, Hash, KeyLines, pass_over
from gitops_action.kustomization.refusal import invalid, refuse

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from gitops_action.errors import KustomizationError

_SMALL = 65_536
# A megabyte is to be parsed within a second. A node takes many times the memory of a value that is
# passed over, and is as much rarer in real files.
_MOST_VALUES = 100_000
_NODE = 10
_DOCUMENT = 20


def compose(text: str, read: Container[str]) -> list[Node]:
    """Compose a node per document; of the first one's fields those in `read`, in lower case.

    Raises KustomizationError, with its line, for what is no YAML, for a key that is there twice in
    a mapping, and for a text with more values than a kustomization can have.
    """
    try:
        return _parsed(text, read, pure=False)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise invalid("control characters are not allowed", line) from error
    except MarkedYAMLError as error:
        raise _marked(error) from error
    except (YAMLError, RecursionError, ValueError, AttributeError, IndexError) as error:
        # ruamel.yaml answers some broken texts with plain Python errors.
        raise invalid(str(error).partition("\n")[0], 1) from error


def _parsed(text: str, read: Container[str], *, pure: bool) -> list[Node]:
    yaml = YAML(typ="safe", pure=pure)
    yaml.version = (1, 1)
    try:
        return list(_Composer(iter(yaml.parse(text)), read).documents())
    except ScannerError as error:
        # libyaml reads no `{name: r.io:5000/a}`; Kustomize does, and so does ruamel.yaml's own
        # scanner, which would need seconds for a large file.
        if pure or len(text) > _SMALL or error.problem != "found unexpected ':'":
            raise
        return _parsed(text, read, pure=True)


def _marked(error: MarkedYAMLError) -> KustomizationError:
    problem = " ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    line = int(mark.line) + 1 if mark else 1
    if isinstance(error, ParserError):
        # Kustomize counts these lines from 0, and so names the line before: whoever runs it will
        # look there (sigs.k8s.io/yaml, `parser.fail`).
        context = int(error.context_mark.line) if error.context_mark else 0
        line = (line - 1) or context or 1
    return invalid(problem, line)


class _Composer:
    def __init__(self, events: Iterator[Event], read: Container[str]) -> None:
        self._events = events
        self._read = read
        # What aliases stand for; None for a collection.
        self._anchors: dict[str, Scalar | None] = {}
        self._values = 0

    def documents(self) -> Iterator[Node]:
        read: Container[str] = self._read
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                _refuse_version(event)
                self._count(event, _DOCUMENT)
                self._anchors = {}
                yield self._document(next(self._events), read)
                read = ()

    def _document(self, start: Event, read: Container[str]) -> Node:
        if isinstance(start, MappingStartEvent):
            return self._mapping(start, 0, read)
        return self._unread(start) if _opens(start) else self._node(start, 0)

    def _node(self, event: Event, depth: int) -> Node:
        self._count(event, _NODE)
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if isinstance(event, AliasEvent):
            return self._alias(event)
        assert isinstance(event, CollectionStartEvent)  # noqa: S101  for the type checker
        if depth >= DEEPEST:
            return self._unread(event)
        if isinstance(event, MappingStartEvent):
            return self._mapping(event, depth, None)
        self._note(event)
        items = []
        while not isinstance(inner := next(self._events), SequenceEndEvent):
            items.append(self._node(inner, depth + 1))
        return Sequence(*_place(event, inner), bool(event.flow_style), tuple(items))

    def _mapping(
        self, start: MappingStartEvent, depth: int, read: Container[str] | None
    ) -> Mapping:
        self._note(start)
        pairs: list[tuple[Node, Node]] = []
        lines = KeyLines()
        while not isinstance(inner := next(self._events), MappingEndEvent):
            key = self._node(inner, depth + 1)
            if isinstance(key, Scalar):
                lines.add(key.value, key.line)
            event = next(self._events)
            wanted = read is None or (isinstance(key, Scalar) and key.value.lower() in read)
            if _opens(event) and not wanted:
                pairs.append((key, self._unread(event)))
            else:
                pairs.append((key, self._node(event, depth + 1)))
        return Mapping(*_place(start, inner), bool(start.flow_style), tuple(pairs))

    def _scalar(self, event: ScalarEvent) -> Scalar:
        scalar = Scalar(*_place(event, event), str(event.value), str(event.style or ""))
        if scalar.anchor:
            self._anchors[scalar.anchor] = scalar
        return scalar

    def _alias(self, event: AliasEvent) -> Alias:
        start, end, line, column, name, _ = _place(event, event)
        if name not in self._anchors:
            raise invalid(f"unknown anchor '{name}' referenced", line)
        return Alias(start, end, line, column, "", "", name, self._anchors[name])

    def _unread(self, start: CollectionStartEvent) -> Unread:
        self._note(start)
        meaning = Hash()
        last: Event = start
        for last in pass_over(start, self._events):
            self._count(last, _NODE if getattr(last, "anchor", None) else 1)
            meaning.add(last)
            if isinstance(last, AliasEvent):
                self._alias(last)
            elif isinstance(last, ScalarEvent) and last.anchor:
                self._scalar(last)
            elif isinstance(last, CollectionStartEvent):
                self._note(last)
        listed = isinstance(start, SequenceStartEvent)
        return Unread(*_place(start, last), bool(start.flow_style), listed, meaning.result())

    def _note(self, start: CollectionStartEvent) -> None:
        if start.anchor:
            self._anchors[str(start.anchor)] = None

    def _count(self, event: Event, weight: int) -> None:
        self._values += weight
        if self._values > _MOST_VALUES:
            refuse(
                f"The kustomization has too many keys and values: more than {_MOST_VALUES:,}, or "
                f"more than {_MOST_VALUES // _NODE:,} in `images`, `patches` and lists of files.",
                hint="Move its data into files of their own, and name those in it.",
                line=int(event.start_mark.line) + 1,
            )


def _opens(event: Event) -> TypeGuard[CollectionStartEvent]:
    return isinstance(event, CollectionStartEvent)


def _place(start: NodeEvent, end: Event) -> tuple[int, int, int, int, str, str]:
    mark = start.start_mark
    in_lines = isinstance(start, CollectionStartEvent) and not start.flow_style
    closing = end.start_mark if in_lines else end.end_mark
    anchor, tag = (str(getattr(start, name, None) or "") for name in ("anchor", "tag"))
    return mark.index, closing.index, mark.line + 1, mark.column, anchor, tag


def _refuse_version(start: DocumentStartEvent) -> None:
    if start.version and tuple(start.version) != (1, 1):
        refuse(
            "The kustomization asks for another YAML than 1.1, which Kustomize refuses.",
            hint="Remove the line `%YAML`.",
            line=int(start.start_mark.line) + 1,
        )
