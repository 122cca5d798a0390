"""What a stage may say while it works."""

from __future__ import annotations

import enum
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from gitops_action.model.source import Location


class Level(enum.StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A message that GitHub shows beside the code or on the run's page."""

    level: Level
    message: str
    title: str = ""
    location: Location | None = None


class Log(Protocol):
    """The step's log: our own lines, fenced lines of others, groups and annotations."""

    def say(self, line: str) -> None:
        """Print one line of our own words."""

    def foreign(self, text: str) -> None:
        """Print what a child or a server said; workflow commands in it stay inert."""

    def annotate(self, annotation: Annotation) -> None: ...

    def group(self, title: str) -> AbstractContextManager[None]:
        """Fold the lines printed inside."""


class HeldLog:
    """Keeps what is said until `release`, so that two stages at once do not interleave."""

    def __init__(self) -> None:
        self._held: list[Callable[[Log], None]] = []

    def say(self, line: str) -> None:
        self._held.append(lambda log: log.say(line))

    def foreign(self, text: str) -> None:
        self._held.append(lambda log: log.foreign(text))

    def annotate(self, annotation: Annotation) -> None:
        self._held.append(lambda log: log.annotate(annotation))

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Hold a heading: runners do not nest groups, and `release` happens inside one."""
        self.say(title)
        yield

    def release(self, log: Log) -> None:
        """Say to `log` what was held, in order, and forget it."""
        held, self._held = self._held, []
        for line in held:
            line(log)
