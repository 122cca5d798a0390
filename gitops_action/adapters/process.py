"""Transport: child processes, each an argument list with a whole environment and a deadline.

Every child leads its own process group, because a signal to `go` alone leaves the test binary
running; the group is ended on cancellation, on the deadline, and when the caller fails.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from gitops_action.adapters.cancellation import CHECK_SECONDS
from gitops_action.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from gitops_action.adapters.cancellation import Cancellation

_GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a child ended; `timed_out` where its deadline ended it."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool = False


class Processes:
    """Runs children; `run` returns how they ended and never raises for their exit code."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation

    def run(  # noqa: PLR0913  a child has this many sides, and none has a sensible default value
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        timeout: float,
        stdin: str = "",
        on_stdout: Callable[[str], None] | None = None,
        on_stderr: Callable[[str], None] | None = None,
        uncancelled: bool = False,
    ) -> Completed:
        """Run one child to its end, calling back for each line as it comes.

        `env` is the whole environment, `timeout` is in seconds, and `uncancelled` is for what must
        be finished once begun (and for cleaning up): only the deadline ends it.

        Raises RunnerError where the program cannot be started, CancelledError when cancelled.
        """
        if not uncancelled:
            self._cancellation.check()
        child = _start(argv, env, cwd)
        out, err = _Reader(child.stdout, on_stdout), _Reader(child.stderr, on_stderr)
        _feed(child, stdin)
        timed_out = False
        try:
            deadline = time.monotonic() + timeout
            while child.poll() is None:
                if not uncancelled:
                    self._cancellation.check()
                if time.monotonic() > deadline:
                    timed_out = True
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(CHECK_SECONDS)
        finally:
            _end_group(child)
            out.join()
            err.join()
        out.raise_failure()
        err.raise_failure()
        return Completed(
            argv=tuple(argv),
            exit_code=child.returncode,
            stdout=out.text,
            stderr=err.text,
            timed_out=timed_out,
        )


def _start(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    # Popen looks the program up in our PATH; the child's own is the one that counts.
    program = shutil.which(argv[0], path=env.get("PATH", os.defpath))
    try:
        if program is None:
            raise FileNotFoundError(argv[0])
        return subprocess.Popen(  # noqa: S603  an argument list, never a shell
            [program, *argv[1:]],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise RunnerError(
            f"The program `{argv[0]}` could not be started: {error.strerror or 'not found'}.",
            hint=f"Install `{argv[0]}`, or use the action's image, which carries it.",
        ) from error
    except OSError as error:
        raise RunnerError(
            f"The program `{argv[0]}` could not be started: {error.strerror}.",
            hint="Look at the runner's disk space, memory and permissions.",
        ) from error


def _feed(child: subprocess.Popen[bytes], stdin: str) -> None:
    """Hand over the standard input without waiting for a child that does not read it."""

    def write() -> None:
        assert child.stdin is not None  # noqa: S101  for the type checker: stdin is a pipe
        with contextlib.suppress(BrokenPipeError, ValueError):
            child.stdin.write(stdin.encode())
            child.stdin.close()

    threading.Thread(target=write, daemon=True).start()


class _Reader:
    """Reads one stream to its end in a thread of its own."""

    def __init__(self, stream: IO[bytes] | None, on_line: Callable[[str], None] | None) -> None:
        assert stream is not None  # noqa: S101  for the type checker: both streams are pipes
        self._stream = stream
        self._on_line = on_line
        self._lines: list[str] = []
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def join(self) -> None:
        # A grandchild that left the group can hold the pipe open for ever.
        self._thread.join(_GRACE_SECONDS)

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _read(self) -> None:
        for raw in self._stream:
            line = raw.decode(errors="replace")
            self._lines.append(line)
            if self._on_line is not None and self._failure is None:
                try:
                    self._on_line(line.rstrip("\r\n"))
                except Exception as error:  # noqa: BLE001  raised again in the caller's thread
                    self._failure = error


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the child's group: SIGINT first, so that `go` ends its tests."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_SECONDS)
