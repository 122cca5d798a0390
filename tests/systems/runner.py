"""GitHub's runner, as far as a container action meets it: the very `docker run` line.

Source: actions/runner, ContainerActionHandler.cs and DockerCommandManager.cs. Two things differ:
the container joins the host's network, where the test's servers are, unless the job has services,
and the socket is the test engine's.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

OWNER = 1001
# What no log, argument list, git object or file may show; they stand for the job's real tokens.
RUNTIME_TOKEN = "canary-runtime-token"
CHECKOUT_TOKEN = "canary-checkout-token"
# What a cancelled step's docker client gets, and after how many seconds: ProcessInvoker.cs. Nobody
# ends the container.
_SIGNALS = ((0.0, signal.SIGINT), (7.5, signal.SIGTERM), (10.0, signal.SIGKILL))
_FOLDERS = ("_temp/_github_home", "_temp/_github_workflow", "_temp/_runner_file_commands", "ws")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How a step ended, what it left for those after it, and what its processes could see.

    `arguments` are the argument lists of all processes in containers meanwhile; `holders` are the
    programs among them whose environment held a canary.
    """

    exit_code: int
    log: str
    outputs: dict[str, str]
    summary: str
    seconds: float
    arguments: frozenset[str]
    holders: frozenset[str]

    @property
    def errors(self) -> list[str]:
        return re.findall(r"^::error .*$", self.log, re.MULTILINE)


@dataclass
class HostedRunner:
    """One job of one repository; `folder` is the runner's, `image` the action's.

    `docker_host` runs the step; `engine` is the one that the step itself sees, where it is another:
    `/dev/null` is what a runner in Kubernetes has. `network` is what the job's services have
    joined. `watched` is whether every process is looked at meanwhile, which costs some of a core.
    """

    folder: Path
    image: str
    docker_host: str
    repository: str
    server_url: str
    event: str = "push"
    ref: str = "main"
    engine: str = ""
    network: str = "host"
    env: dict[str, str] = field(default_factory=dict)
    watched: bool = True
    _containers: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name in _FOLDERS:
            (self.folder / name).mkdir(parents=True)
        payload = self.folder / "_temp/_github_workflow/event.json"
        payload.write_text('{"repository": {"default_branch": "main"}}')
        self._own()

    @property
    def workspace(self) -> Path:
        return self.folder / "ws"

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def checkout(self, source: str) -> None:
        """Do what actions/checkout does, persisted credentials included."""
        subprocess.run(["git", "clone", "-q", source, self.workspace], check=True)
        header = f"AUTHORIZATION: basic {CHECKOUT_TOKEN}"
        self.git("config", f"http.{self.server_url}/.extraheader", header)
        credentials = self.folder / "_temp/git-credentials-1.config"
        credentials.write_text(f"[http]\n\textraheader = {header}\n")
        credentials.chmod(0o644)
        self._own()

    def write(self, path: str, text: str, *, commit: bool = True) -> None:
        """Change a file of the workspace, as the commit that starts the job does."""
        (self.workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (self.workspace / path).write_text(text)
        if commit:
            self.git("add", "--", path)
            self.git("commit", "-q", "-m", f"Change {path}")
        self._own()

    def git(self, *argv: str) -> str:
        identity = ("-c", "user.name=Dev", "-c", "user.email=dev@example.com")
        command = ["git", "-c", f"safe.directory={self.workspace}", *identity]
        command += ["-C", str(self.workspace), *argv]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def run(self, inputs: Mapping[str, str]) -> Step:
        """Run the step to its end."""
        return self.interrupt(inputs, when=lambda _: False)

    def interrupt(
        self,
        inputs: Mapping[str, str],
        *,
        when: Callable[[str], bool],
        timeout: float = 300,
        vanish: bool = False,
    ) -> Step:
        """Run the step, and cancel it as a runner does as soon as `when` is true of its log.

        With `vanish` the container is killed instead, as when its machine is no more. `seconds` of
        the result counts from the signal, if one was sent.
        """
        files = {name: self._command_file(name) for name in ("set_output", "step_summary")}
        began = time.monotonic()
        signals: list[tuple[float, signal.Signals]] = []
        signalled = False
        watch = _Watch()
        container = f"gitops_{secrets.token_hex(3)}"
        with (
            tempfile.TemporaryFile("w+") as log,
            self._start(container, inputs, files, log) as child,
        ):
            while child.poll() is None:
                time.sleep(0.05)
                if self.watched:
                    watch.look()
                if time.monotonic() > began + timeout:
                    child.kill()
                    raise TimeoutError(_text(log))
                if not signalled and when(_text(log)):
                    began = time.monotonic()
                    # There may be no container yet.
                    signalled = not vanish or self._kill(container)
                    signals = [] if vanish else list(_SIGNALS)
                if signals and time.monotonic() >= began + signals[0][0]:
                    child.send_signal(signals.pop(0)[1])
            text = _text(log)
        return Step(
            exit_code=child.returncode,
            log=text,
            outputs=_outputs(files["set_output"].read_text()),
            summary=files["step_summary"].read_text(),
            seconds=time.monotonic() - began,
            arguments=frozenset(watch.arguments),
            holders=frozenset(watch.holders),
        )

    def leftovers(self) -> list[str]:
        """The containers of this runner that are still there, and every builder of buildx's."""
        named = self._docker("ps", "--all", "--format={{.Names}}").stdout.split()
        return [name for name in named if name in self._containers or "buildx" in name]

    def _kill(self, container: str) -> bool:
        return self._docker("kill", container).returncode == 0

    def _docker(self, *argv: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "DOCKER_HOST": self.docker_host}
        command = ["docker", *argv]
        return subprocess.run(command, check=False, env=env, capture_output=True, text=True)

    def _start(
        self,
        container: str,
        inputs: Mapping[str, str],
        files: Mapping[str, Path],
        log: IO[str],
    ) -> subprocess.Popen[bytes]:
        self._containers.add(container)
        commands = "/github/file_commands"
        branch = self.ref if self.event == "push" else "1/merge"
        env = {
            **self.env,
            **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
            "HOME": "/github/home",
            "GITHUB_ACTION": "__run",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_EVENT_NAME": self.event,
            "GITHUB_EVENT_PATH": "/github/workflow/event.json",
            "GITHUB_OUTPUT": f"{commands}/{files['set_output'].name}",
            "GITHUB_REF": f"refs/heads/{branch}" if self.event == "push" else f"refs/pull/{branch}",
            "GITHUB_REF_NAME": branch,
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_REPOSITORY": self.repository,
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "42",
            "GITHUB_SERVER_URL": self.server_url,
            "GITHUB_SHA": self.head,
            "GITHUB_STEP_SUMMARY": f"{commands}/{files['step_summary'].name}",
            "GITHUB_WORKSPACE": "/github/workspace",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": "/github/runner_temp",
            "ACTIONS_RUNTIME_TOKEN": RUNTIME_TOKEN,
            "ACTIONS_RUNTIME_URL": "https://pipelines.example.com/",
        }
        socket = (self.engine or self.docker_host).removeprefix("unix://")
        temp = self.folder / "_temp"
        mounts = {
            socket: "/var/run/docker.sock",
            temp: "/github/runner_temp",
            temp / "_github_home": "/github/home",
            temp / "_github_workflow": "/github/workflow",
            temp / "_runner_file_commands": commands,
            self.workspace: "/github/workspace",
        }
        command = ["docker", "run", "--name", container, "--label", "runner"]
        command += ["--workdir", "/github/workspace", "--rm"]
        command += [word for name in env for word in ("-e", name)]
        command += ["-e", "GITHUB_ACTIONS=true", "-e", "CI=true"]
        command += ["--entrypoint", "/opt/gitops-action/entrypoint.py", "--network", self.network]
        command += [word for host, inside in mounts.items() for word in ("-v", f"{host}:{inside}")]
        return subprocess.Popen(
            [*command, self.image, "run"],
            env={"PATH": os.environ["PATH"], "DOCKER_HOST": self.docker_host, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _command_file(self, name: str) -> Path:
        file = self.folder / "_temp/_runner_file_commands" / f"{name}_{secrets.token_hex(8)}"
        file.touch(mode=0o644)
        os.chown(file, OWNER, OWNER)
        return file

    def _own(self) -> None:
        subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", self.folder], check=True)


class _Watch:
    """Looks into containers as root of the host can; what lives shorter than a look is missed."""

    def __init__(self) -> None:
        self.arguments: set[str] = set()
        self.holders: set[str] = set()

    def look(self) -> None:
        ours = Path("/proc/self/ns/pid").readlink()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                # Other tests may run beside this one, with canaries of their own.
                if (process / "ns/pid").readlink() == ours:
                    continue
                argv = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                self.arguments.add(" ".join(argv))
                # A process that is just being started has no arguments yet.
                words = [word for word in argv if word]
                if words and b"canary" in (process / "environ").read_bytes():
                    self.holders.add(f"{words[0]} {words[-1]}")


def _text(log: IO[str]) -> str:
    return os.pread(log.fileno(), 1 << 26, 0).decode(errors="replace")


def _outputs(written: str) -> dict[str, str]:
    """Read the file as the runner does."""
    found = re.findall(r"^([\w-]+)<<(\S+)\n(.*?)\n?\2$", written, re.MULTILINE | re.DOTALL)
    return {name: value for name, _, value in found}
