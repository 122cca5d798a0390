"""One git command: a literal list, a whole environment, a deadline, and its own process group.

GitPython starts the program. Whatever waits here ends within a second of a cancellation.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from gitops_action.adapters.cancellation import CHECK_SECONDS, Cancellation
from gitops_action.errors import RunnerError
from gitops_action.model.secret import Secret

if TYPE_CHECKING:
    from git.cmd import Git as GitPython

_USER = "x-access-token"  # GitHub takes this name for every kind of token
_LOCAL_SECONDS = 60.0
_NETWORK_SECONDS = 300.0
_FINISH_SECONDS = 4.0  # of the 5 s in which a cancelled run ends

# `ext::` runs commands, and a local command that meets a missing object asks the server for it.
_NETWORK_PROTOCOLS = "file:http:https"
_NO_PROTOCOLS = "none"

_SETTINGS = {
    "core.attributesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "credential.helper": "",
    "gc.auto": "0",
    # git would send the token to wherever the server leads.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
    "maintenance.auto": "false",
    "protocol.version": "2",
}
_KEPT = frozenset({"GIT_SSL_CAINFO", "GIT_SSL_CAPATH"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a command ended; `killed` where its deadline, and not itself, ended it.

    `stderr` shows no token.
    """

    exit_code: int
    stdout: bytes
    stderr: str
    killed: bool

    @property
    def succeeded(self) -> bool:
        """Whether git ended by itself, and well."""
        return self.exit_code == 0 and not self.killed

    @property
    def text(self) -> str:
        """The standard output without the last line break."""
        return self.stdout.decode(errors="replace").rstrip("\n")


class Git:
    """Runs git in `directory`; the token reaches only commands that talk to `url`.

    `env` is what git may know of our environment: PATH, proxies, certificates. `ssh` is the
    command that connects to an SSH address, empty where there is none.
    """

    def __init__(  # noqa: PLR0913  each is a different thing that a child may know
        self,
        *,
        directory: Path,
        cancellation: Cancellation,
        env: Mapping[str, str],
        url: str = "",
        token: Secret | None = None,
        ssh: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self._settings = {**_SETTINGS, **(settings or {})}
        self._cancellation = cancellation
        self._token = token or Secret()
        self.url = url
        inherited = {
            k: v for k, v in env.items() if k in _KEPT or not k.startswith(("GIT_", "SSH_"))
        }
        self._ssh = ssh
        self._env = {
            **inherited,
            "HOME": str(directory),
            "GIT_ASKPASS": "/bin/false",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }

    def run(
        self,
        *argv: str,
        cwd: Path | None = None,
        network: bool = False,
        finish: bool = False,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Answer:
        """Run `git argv`; `finish` is for what may not be stopped halfway once it began.

        Raises CancelledError when cancelled, RunnerError where git cannot be started.
        """
        self._cancellation.check()
        # Not the child's own folder: where that is missing, GitPython takes ours without a word.
        place = str(cwd or self.directory)
        whole = {**self._env, **self._configuration(network=network), **(env or {})}
        with (
            self._fed(stdin) as given,
            _Child(["git", "-C", place, *argv], env=whole, stdin=given) as child,
        ):
            self._wait(child, _NETWORK_SECONDS if network else _LOCAL_SECONDS, finish=finish)
        return Answer(
            exit_code=child.exit_code,
            stdout=child.stdout,
            stderr=self._redacted(child.stderr.decode(errors="replace")),
            killed=child.killed,
        )

    def sleep(self, seconds: float) -> None:
        """Wait; raises CancelledError as soon as the run is cancelled."""
        self._cancellation.sleep(seconds)

    @property
    def cancelled(self) -> bool:
        """Whether the run was asked to end."""
        return self._cancellation.requested

    def _wait(self, child: _Child, seconds: float, *, finish: bool) -> None:
        deadline = time.monotonic() + seconds
        while not child.ended(CHECK_SECONDS):
            if self._cancellation.requested:
                if not finish:
                    self._cancellation.check()
                deadline = min(deadline, time.monotonic() + _FINISH_SECONDS)
            if time.monotonic() > deadline:
                return

    @contextlib.contextmanager
    def _fed(self, content: bytes | None) -> Iterator[BinaryIO | None]:
        """Hand over the standard input as a file, which no child can leave half read."""
        if content is None:
            yield None
            return
        try:
            file = tempfile.TemporaryFile(dir=self.directory)  # noqa: SIM115  closed below
            with file:
                file.write(content)
                file.seek(0)
                yield cast("BinaryIO", file)
        except OSError as error:
            raise disk_error(str(error.strerror)) from error

    def _configuration(self, *, network: bool) -> dict[str, str]:
        settings = list(self._settings.items())
        if network and self._token:
            # An empty value forgets the headers that less specific settings gave: GitHub answers
            # 400 to two of them.
            key = f"http.{self.url}.extraheader"
            settings += [(key, ""), (key, f"Authorization: basic {self._basic}")]
        configuration = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings):
            configuration |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        if not network:
            return {**configuration, "GIT_ALLOW_PROTOCOL": _NO_PROTOCOLS}
        if not self._ssh:
            return {**configuration, "GIT_ALLOW_PROTOCOL": _NETWORK_PROTOCOLS}
        ssh = {"GIT_SSH_COMMAND": self._ssh, "GIT_SSH_VARIANT": "ssh"}
        return {**configuration, **ssh, "GIT_ALLOW_PROTOCOL": f"{_NETWORK_PROTOCOLS}:ssh"}

    @property
    def _basic(self) -> str:
        return base64.b64encode(f"{_USER}:{self._token.reveal()}".encode()).decode()

    def _redacted(self, text: str) -> str:
        if not self._token:
            return text
        return text.replace(self._token.reveal(), "***").replace(self._basic, "***")


class _Child:
    """A git that runs, and whose whole process group is gone after the `with` block."""

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], stdin: BinaryIO | None
    ) -> None:
        self.stdout, self.stderr = b"", b""
        self._interrupt = _start(argv, env, stdin)
        assert self._interrupt.proc is not None  # noqa: S101  for the type checker: it has begun
        self._process = self._interrupt.proc
        self._finished = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.killed = not self._finished.is_set()
        if self.killed:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join(1.0)

    @property
    def exit_code(self) -> int:
        return int(self._process.returncode or 0)

    def ended(self, seconds: float) -> bool:
        """Wait this long for the end, and say whether it came."""
        return self._finished.wait(seconds)

    def _read(self) -> None:
        self.stdout, self.stderr = self._process.communicate()
        self._finished.set()


def _start(
    argv: Sequence[str], env: Mapping[str, str], stdin: BinaryIO | None
) -> GitPython.AutoInterrupt:
    try:
        # It takes 0.1 s, and runs `git version`.
        from git.cmd import Git as GitPython  # noqa: PLC0415
        from git.exc import GitCommandNotFound  # noqa: PLC0415
    except ImportError as error:
        raise _no_git() from error
    try:
        return GitPython().execute(
            list(argv), istream=stdin, as_process=True, env=dict(env), start_new_session=True
        )
    except GitCommandNotFound as error:
        raise _no_git() from error
    except OSError as error:
        raise disk_error(str(error.strerror)) from error


def _no_git() -> RunnerError:
    return RunnerError(
        "The program `git` could not be started: it is not on the PATH.",
        hint="Install git, or use the action's image, which carries it.",
    )


def disk_error(reason: str) -> RunnerError:
    """Explain that the machine, and not the GitOps repository, is in the way."""
    return RunnerError(
        f"git could not work on this runner: {reason}.",
        hint="Look at the runner's disk space, memory and permissions.",
    )
