"""Time verify, build and publish against the plain chain of three commands, cold and warm."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.generated_app import write_app  # noqa: E402  the checkout, not what is installed
from tests.systems.action_image import build_action_image  # noqa: E402
from tests.systems.engine import add_buildx, engine  # noqa: E402
from tests.systems.registry import open_registry, static_base  # noqa: E402
from tests.systems.runner import HostedRunner  # noqa: E402

PACKAGES = 200
BUILDERS = ("docker", "ko")
# A line that a developer changes, in each of the apps.
_LINE = re.compile(r'ReadHeaderTimeout: \S+|Salt = ".*"')
_WAITING = """package greeting

import (
	"testing"
	"time"
)

func TestWaits(*testing.T) { time.Sleep(%d * time.Second) }
"""


@dataclass(frozen=True)
class App:
    """`write` puts it into a folder and names the file in which a line changes."""

    name: str
    write: Callable[[Path], Path]
    cold: int
    warm: int


@dataclass(frozen=True)
class Taken:
    """Seconds of one run, of which those of its parts."""

    total: float
    parts: dict[str, float]


@dataclass
class Place:
    """What all runs share."""

    folder: Path
    docker_host: str
    image: str
    registry: str
    base: str
    env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        credentials = self.folder / "credentials"
        credentials.mkdir()
        add_buildx(credentials)
        self.env = {
            **os.environ,
            "DOCKER_HOST": self.docker_host,
            "DOCKER_CONFIG": str(credentials),
            "GOFLAGS": "",
        }

    def repository(self, app: App) -> tuple[Path, Path]:
        """Write the app as nobody has built it before; also name the file to change."""
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix="app-"))
        changed = app.write(folder)
        module = folder / "go.mod"
        # No engine has a layer of this module: cold, without taking others' layers away.
        module.write_text(f"// {uuid.uuid4()}\n{module.read_text()}")
        git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.com"]
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "All of it"]):
            subprocess.run([*git, *words], check=True)  # noqa: S603  our own words
        return folder, changed


class Chain:
    """The three commands, on a machine that has Go and a cache of its builds."""

    def __init__(self, place: Place, app: App) -> None:
        self._env = {**place.env, "GOCACHE": tempfile.mkdtemp(dir=place.folder, prefix="cache-")}
        self._folder, self._changed = place.repository(app)
        self._image = f"{place.registry}/acme/chain-{app.name}"

    def run(self) -> Taken:
        tag = f"{self._image}:{uuid.uuid4().hex}"
        parts = {
            "test": self._time("go", "test", "./..."),
            "build": self._time("docker", "build", "-t", tag, "."),
            "push": self._time("docker", "push", tag),
        }
        return Taken(sum(parts.values()), parts)

    def change(self, turn: int) -> None:
        file = self._folder / self._changed
        file.write_text(_changed(file.read_text(), turn))

    def _time(self, *argv: str) -> float:
        started = time.perf_counter()
        subprocess.run(argv, cwd=self._folder, env=self._env, check=True, capture_output=True)  # noqa: S603
        return time.perf_counter() - started


class Step:
    """The action's container, started as a runner starts it, the start included."""

    def __init__(self, place: Place, app: App, builder: str) -> None:
        folder, self._changed = place.repository(app)
        self._runner = HostedRunner(
            folder=Path(tempfile.mkdtemp(dir=place.folder, prefix="runner-")),
            image=place.image,
            docker_host=place.docker_host,
            repository=f"acme/{app.name}",
            server_url="http://127.0.0.1:1",
            watched=False,
        )
        self._runner.checkout(str(folder))
        self._inputs = {
            "stages": "verify build publish",
            "image": f"{place.registry}/acme/{builder}-{app.name}",
            "tags": "sha",
            "builder": builder,
            "base-image": place.base if builder == "ko" else "",
        }

    def run(self) -> Taken:
        started = time.perf_counter()
        step = self._runner.run(self._inputs)
        total = time.perf_counter() - started
        if step.outputs["result"] != "published":
            raise RuntimeError(step.log)
        timings = json.loads(step.outputs["timings"])
        return Taken(total, {stage["stage"]: stage["seconds"] for stage in timings})

    def change(self, turn: int) -> None:
        name = str(self._changed)
        self._runner.write(name, _changed((self._runner.workspace / name).read_text(), turn))


def main() -> None:
    """Print medians in seconds, and how many times as long as the chain each of ours takes.

    Arguments are the names of the apps to measure; without any it is all of them.
    """
    apps = (
        App("example", _example, cold=3, warm=5),
        App("waiting", partial(_example, seconds=40), cold=2, warm=1),
        App("packages", partial(write_app, packages=PACKAGES), cold=1, warm=3),
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        docker_host = stack.enter_context(engine())
        registry = stack.enter_context(open_registry()).address
        image = build_action_image(docker_host)
        place = Place(folder, docker_host, image, registry, static_base(registry))
        for app in apps:
            if app.name in sys.argv[1:] or not sys.argv[1:]:
                measure(place, app)


def measure(place: Place, app: App) -> None:
    """Take turns, so that a busy machine slows all of them."""
    makers: dict[str, Callable[[], Chain | Step]] = {
        "chain": partial(Chain, place, app),
        **{builder: partial(Step, place, app, builder) for builder in BUILDERS},
    }
    cold: dict[str, list[Taken]] = {name: [] for name in makers}
    warm: dict[str, list[Taken]] = {name: [] for name in makers}
    ways: dict[str, Chain | Step] = {}
    for _ in range(app.cold):
        ways = {name: make() for name, make in makers.items()}
        for name, way in ways.items():
            cold[name].append(way.run())
    for turn in range(app.warm):
        for name, way in ways.items():
            way.change(turn)
            warm[name].append(way.run())
    show(f"{app.name}, cold", cold)
    show(f"{app.name}, one line changed", warm)


def show(title: str, taken: dict[str, list[Taken]]) -> None:
    median = {name: statistics.median(run.total for run in runs) for name, runs in taken.items()}
    # What would be left to the chain if it did what can be done side by side.
    longer = statistics.median(
        max(run.parts["test"], run.parts["build"]) + run.parts["push"] for run in taken["chain"]
    )
    print(f"{title}, {len(taken['chain'])} times; longer of test and build, and push: {longer:.1f}")
    for name, runs in taken.items():
        parts = {
            part: statistics.median(run.parts.get(part, 0.0) for run in runs)
            for part in runs[0].parts
        }
        listed = ", ".join(f"{part} {seconds:.1f}" for part, seconds in parts.items())
        print(
            f"  {name:8} {median[name]:6.1f} s  {median[name] / median['chain']:5.2f} of the chain"
            f"  {median[name] / longer:5.2f} of the longer  ({listed})",
            flush=True,
        )


def _example(folder: Path, *, seconds: int = 0) -> Path:
    """Copy the example; a test that waits leaves a core to the build."""
    shutil.copytree(ROOT / "examples/hello-gitops", folder, dirs_exist_ok=True)
    if seconds:
        (folder / "internal/greeting/waits_test.go").write_text(_WAITING % seconds)
    return Path("cmd/hello-gitops/main.go")


def _changed(text: str, turn: int) -> str:
    """Change the line, to what it has never been in this app."""
    return _LINE.sub(
        lambda line: (
            f'Salt = "changed {turn}"'
            if line[0].startswith("Salt")
            else f"ReadHeaderTimeout: {turn + 7}"
        ),
        text,
        count=1,
    )


if __name__ == "__main__":
    main()
