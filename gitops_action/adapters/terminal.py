"""A person's terminal, where no runner reads the log: the same lines without workflow commands."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gitops_action.errors import RunnerError
from gitops_action.model.log import Annotation
from gitops_action.model.secret import Secret


class Terminal:
    """Prints for a person; a Log with the same methods as Runner."""

    def __init__(self, summary: Path | None) -> None:
        self._summary = summary
        self._lock = threading.RLock()
        self._secrets: list[str] = []

    def mask(self, secret: Secret) -> None:
        """Keep a secret out of the lines from here on, as the runner would."""
        self._secrets += [line.strip() for line in secret.reveal().splitlines() if line.strip()]

    def say(self, line: str) -> None:
        for secret in self._secrets:
            line = line.replace(secret, "***")
        with self._lock:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def foreign(self, text: str) -> None:
        for line in text.splitlines():
            self.say(f"  | {line}")

    def annotate(self, annotation: Annotation) -> None:
        place = f"{annotation.location}: " if annotation.location else ""
        # What `go` says of a place begins with it.
        message = annotation.message.removeprefix(place)
        self.say(f"{annotation.level}: {place}{message}")

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        self.say(f"▸ {title}")
        yield

    def set_outputs(self, outputs: Mapping[str, str]) -> None:
        """Print every output that has a value."""
        with self.group("outputs"):
            for name, value in outputs.items():
                if value:
                    self.say(f"{name}={value}")

    def write_summary(self, markdown: str) -> None:
        """Append to the summary's file, where one is named."""
        if self._summary is None:
            return
        try:
            with self._summary.open("a", encoding="utf-8") as file:
                file.write(markdown)
        except OSError as error:
            raise RunnerError(
                f"The summary could not be written: {error}",
                hint="Look at the disk space and at the file that GITHUB_STEP_SUMMARY names.",
            ) from error
