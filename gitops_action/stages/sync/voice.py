"""What a wait says while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_action.model.log import Annotation, Level
from gitops_action.stages.sync.words import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.model.log import Log
    from gitops_action.stages.sync.watch import Watch

_HEARTBEAT_SECONDS = 55.0  # with the pause of a poll less than a minute


class Voice:
    """Says what changes, and after a minute of silence that the wait goes on."""

    def __init__(self, log: Log, begun: float) -> None:
        self._log = log
        self._begun = self._said_at = begun
        self._said: dict[Watch, str] = {}
        self._noticed: set[tuple[Watch, str]] = set()

    def say_changes(self, watch: Watch, now: float) -> None:
        """Print a new reason, and annotate what people should know, each once."""
        notice = watch.verdict.notice if watch.verdict else ""
        if notice and (watch, notice) not in self._noticed:
            self._noticed.add((watch, notice))
            self._log.annotate(Annotation(Level.NOTICE, notice))
        if watch.reason and watch.reason != self._said.get(watch):
            self._said[watch] = watch.reason
            self._said_at = now
            self._log.say(f"{watch.name}: {watch.reason}")

    def say(self, watch: Watch, what: str, now: float) -> None:
        self._said_at = now
        self._log.say(f"{watch.name}: {what}")

    def say_alive(self, waiting: Sequence[Watch], now: float) -> None:
        """Repeat what is waited for, with the time that has passed."""
        if now - self._said_at >= _HEARTBEAT_SECONDS:
            self._said_at = now
            for watch in waiting:
                self._log.say(f"{watch.name}: {watch.reason} ({duration(now - self._begun)})")
