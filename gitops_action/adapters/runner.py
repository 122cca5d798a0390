"""The runner: its log, its annotations, and the files it reads when the step has ended.

`actions_toolkit.core` writes the protocol; what it lacks is here: a lock and a flush (its lines
would be overtaken), the job summary, the fence around foreign text. Its `set_failed` would end the
process and is not used.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from actions_toolkit import core

from gitops_action.errors import RunnerError
from gitops_action.model.log import Annotation, Level
from gitops_action.model.secret import Secret

# Above this the runner drops the whole summary: runner.md of actions/runner, FileCommandManager.cs.
_SUMMARY_BYTES = 1024 * 1024
_CUT = "\n\n*Cut: GitHub shows one mebibyte of summary.*\n"


class Runner:
    """Speaks GitHub's workflow commands on standard output; a Log."""

    def __init__(self, summary: Path | None) -> None:
        # A runner's locale may be C; a name in a test's output must not end the run.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        self._summary = summary
        # Below the workspace, where checkout was told a `path:`; annotations are relative to it.
        self.repository = PurePosixPath()
        self._lock = threading.RLock()

    def mask(self, secret: Secret) -> None:
        """Keep a secret, and every line of it, out of the log from here on."""
        with self._printing():
            for line in secret.reveal().splitlines():
                if line.strip():
                    core.set_secret(line.strip())

    def say(self, line: str) -> None:
        # Our words quote those of others, of which any line may be a command.
        self.foreign(line)

    def foreign(self, text: str) -> None:
        if not any(_is_command(line) for line in text.splitlines()):
            self._print(text)
            return
        fence = f"fence-{secrets.token_hex(16)}"
        with self._printing():
            core.info(f"::stop-commands::{fence}\n{text}\n::{fence}::")

    def annotate(self, annotation: Annotation) -> None:
        write = {Level.ERROR: core.error, Level.WARNING: core.warning, Level.NOTICE: core.notice}
        place = annotation.location
        properties = {"title": annotation.title}
        if place is not None:
            inside = place.file.is_relative_to(self.repository)
            file = place.file.relative_to(self.repository) if inside else place.file
            properties["file"] = str(file)
            if place.line is not None:
                properties |= {"start_line": str(place.line)}
        with self._printing():
            write[annotation.level](annotation.message, **properties)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        with self._printing():
            core.start_group(title)
        try:
            yield
        finally:
            with self._printing():
                core.end_group()

    def set_outputs(self, outputs: Mapping[str, str]) -> None:
        """Write every output; raises RunnerError where the file cannot be written."""
        with self._printing(), _writing():
            for name, value in outputs.items():
                core.set_output(name, value)

    def write_summary(self, markdown: str) -> None:
        """Append to the job summary; raises RunnerError where the file cannot be written."""
        if self._summary is None:
            return
        encoded = markdown.encode()
        if len(encoded) > _SUMMARY_BYTES:
            room = _SUMMARY_BYTES - len(_CUT.encode())
            encoded = encoded[:room].decode(errors="ignore").encode() + _CUT.encode()
        with _writing(), self._summary.open("ab") as file:
            file.write(encoded)

    def _print(self, text: str) -> None:
        with self._printing():
            core.info(text)

    @contextmanager
    def _printing(self) -> Iterator[None]:
        with self._lock:
            yield
            sys.stdout.flush()


def _is_command(line: str) -> bool:
    """Tell whether the runner would act on a line: v1 commands count anywhere in it."""
    return line.lstrip().startswith("::") or "##[" in line


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # actions-toolkit raises bare exceptions
        raise RunnerError(
            f"The step's outputs or summary could not be written: {error}",
            hint="Look at the runner's disk space and the files that GITHUB_OUTPUT and "
            "GITHUB_STEP_SUMMARY name.",
        ) from error
