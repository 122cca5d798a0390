"""Transport: child processes, each an argument list with a whole environment and a deadline.

Every child leads its own process group, because a signal to `go` alone leaves the test binary
running; the group is ended when the child has ended, on cancellation, on the deadline, and when a
callback fails. One loop reads, writes and waits in the caller's thread.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from gitops_action.adapters.cancellation import CHECK_SECONDS, Cancellation
from gitops_action.errors import RunnerError

_GRACE_SECONDS = 1.0
_CHUNK_BYTES = 64 * 1024
# What is kept of a stream whose lines were handed over already, for error messages.
_TAIL_BYTES = 64 * 1024
# A line without an end is handed over in pieces of this size.
_LINE_BYTES = 1024 * 1024
_UMASK = 0o022

OnLine = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a child ended; `timed_out` where its deadline ended it.

    A stream whose lines went to a callback is kept as its last 64 KiB only. The exit code is the
    negative number of the signal that ended the child, if one did.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool = False


class Processes:
    """Runs children; `run` returns how they ended and never raises for their exit code."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation

    def check_cancelled(self) -> None:
        """Raise CancelledError where the run was cancelled: for work between two children."""
        self._cancellation.check()

    def run(  # noqa: PLR0913  a child has this many sides, and none has a sensible default value
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        timeout: float,
        stdin: str = "",
        on_stdout: OnLine | None = None,
        on_stderr: OnLine | None = None,
        uncancelled: bool = False,
    ) -> Completed:
        """Run one child to its end, calling back for each line as it comes, in this thread.

        `env` is the whole environment, `timeout` is in seconds, and `uncancelled` is for what must
        be finished once begun (and for cleaning up): only the deadline ends it. What the child
        leaves running in its process group ends with it.

        Raises RunnerError where the program cannot be started, CancelledError when cancelled, and
        whatever a callback raises; the child has ended by then.
        """
        check = _never if uncancelled else self._cancellation.check
        check()
        out, err = _Stream(on_stdout), _Stream(on_stderr)
        deadline = time.monotonic() + timeout
        with _Child(_start(argv, env, cwd), stdin.encode(), out, err) as child:
            while not child.turn() and time.monotonic() < deadline:
                check()
            timed_out = not child.ended
            child.end()
            child.drain()
        return Completed(
            argv=tuple(argv),
            exit_code=child.exit_code,
            stdout=out.finish(),
            stderr=err.finish(),
            timed_out=timed_out,
        )


def _never() -> None:
    """Check nothing: for a child that no cancellation ends."""


def _start(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    if not cwd.is_dir():
        raise RunnerError(
            f"`{argv[0]}` cannot be started in {cwd}, which is not a folder.",
            hint="Look at the paths among the inputs of this step.",
        )
    # Popen looks the program up in our PATH; the child's own is the one that counts.
    program = shutil.which(argv[0], path=env.get("PATH", os.defpath))
    if program is None:
        raise RunnerError(
            f"The program `{argv[0]}` is not there.",
            hint=f"Install `{argv[0]}`, or use the action's image, which carries it.",
        )
    try:
        return subprocess.Popen(  # noqa: S603  an argument list, never a shell
            [program, *argv[1:]],
            bufsize=0,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            umask=_UMASK,
        )
    except OSError as error:
        raise RunnerError(
            f"The program `{argv[0]}` could not be started: {error.strerror}.",
            hint="Look at the runner's disk space, memory and permissions.",
        ) from error


class _Stream:
    """One output of a child: whole lines go to the callback, the text is kept."""

    def __init__(self, on_line: OnLine | None) -> None:
        self._on_line = on_line
        self._kept = bytearray()
        self._line = bytearray()

    def take(self, chunk: bytes) -> None:
        self._kept += chunk
        if self._on_line is None:
            return
        if len(self._kept) > 2 * _TAIL_BYTES:
            del self._kept[:-_TAIL_BYTES]
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._hand_over(self._line + line)
            self._line.clear()
        self._line += rest
        if len(self._line) > _LINE_BYTES:
            self._hand_over(self._line)
            self._line.clear()

    def finish(self) -> str:
        """Hand over the last line, which may have no end, and return what was kept."""
        if self._line:
            self._hand_over(self._line)
        tail = self._kept if self._on_line is None else self._kept[-_TAIL_BYTES:]
        return tail.decode(errors="replace")

    def _hand_over(self, line: bytearray) -> None:
        if self._on_line is not None:
            self._on_line(line.decode(errors="replace").rstrip("\r"))


class _Child:
    """A started child, its pipes and its end; leaving it ends the group and closes everything."""

    def __init__(
        self, popen: subprocess.Popen[bytes], stdin: bytes, out: _Stream, err: _Stream
    ) -> None:
        self._popen = popen
        self._stdin = memoryview(stdin)
        self._streams = ((popen.stdout, out), (popen.stderr, err))
        self.ended = False

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(self._close_pipes)
            undo.callback(self._kill)
            # Readable when the child has ended and before it is reaped: until then no other
            # process can get the number of its group.
            self._pidfd = os.pidfd_open(self._popen.pid)
            undo.callback(os.close, self._pidfd)
            self._selector = undo.enter_context(selectors.DefaultSelector())
            self._selector.register(self._pidfd, selectors.EVENT_READ, self._note_end)
            self._register(self._popen.stdin, selectors.EVENT_WRITE, self._write)
            for pipe, stream in self._streams:
                self._register(pipe, selectors.EVENT_READ, functools.partial(self._read, stream))
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._selector.close()
        os.close(self._pidfd)
        self._close_pipes()

    @property
    def exit_code(self) -> int:
        """How the child ended; a child that even SIGKILL did not end counts as killed."""
        code = self._popen.returncode
        return -signal.SIGKILL if code is None else code

    def turn(self, seconds: float = CHECK_SECONDS) -> bool:
        """Read and write what is ready; True once the child has ended."""
        for key, _ in self._selector.select(seconds):
            key.data(key.fd)
        return self.ended

    def drain(self) -> None:
        """Read what the child left in its pipes.

        A grandchild that left the group can hold them open, or write to them for ever.
        """
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline and (ready := self._selector.select(0)):
            for key, _ in ready:
                key.data(key.fd)

    def end(self) -> None:
        """End what is left of the child's group: SIGINT first, so that `go` ends its tests."""
        if not self.ended:
            self._signal(signal.SIGINT)
            waiting = select.poll()
            waiting.register(self._pidfd, select.POLLIN)
            waiting.poll(_GRACE_SECONDS * 1000)
        self._kill()

    def _kill(self) -> None:
        if self._popen.returncode is None:
            self._signal(signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(_GRACE_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    def _register(self, pipe: IO[bytes] | None, events: int, act: Callable[[int], None]) -> None:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe.fileno(), events, act)

    def _note_end(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        self.ended = True

    def _read(self, stream: _Stream, descriptor: int) -> None:
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(descriptor, _CHUNK_BYTES)
            if chunk:
                stream.take(chunk)
            else:
                self._selector.unregister(descriptor)

    def _write(self, descriptor: int) -> None:
        try:
            written = os.write(descriptor, self._stdin[:_CHUNK_BYTES])
            self._stdin = self._stdin[written:]
        except BlockingIOError:
            return
        except BrokenPipeError:  # a child need not read all that it is given
            self._stdin = self._stdin[:0]
        if not self._stdin and self._popen.stdin is not None:
            self._selector.unregister(descriptor)
            self._popen.stdin.close()

    def _close_pipes(self) -> None:
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()
