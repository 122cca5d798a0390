"""Compare the wait with `argocd app wait` on a real Argo CD: verdicts and seconds, in one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.systems.argocd import Installation  # noqa: E402  the checkout, not what is installed
from tests.systems.deployments import DeploymentController  # noqa: E402
from tests.systems.git_server import GitServer  # noqa: E402
from tests.systems.rollout import Rollout, deployed, rollout  # noqa: E402
from tests.systems.waiting import Waiting  # noqa: E402

ROUNDS = 10
ROLLOUT_SECONDS = 1.0

Way = Callable[[Rollout, str, Path], None]


@dataclass(frozen=True)
class Taken:
    """One wait: whether the commit was deployed at its end, seconds since push, and since then."""

    right: bool
    seconds: float
    lag: float | None


def main() -> None:
    """Print one row per way."""
    ways: dict[str, Way] = {
        "argocd app wait": cli_wait,
        "argocd app get --refresh, wait": refresh_then_wait,
        "ours": ours,
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "git").mkdir()
        git = stack.enter_context(GitServer(folder / "git"))
        taken: dict[str, list[Taken]] = {name: [] for name in ways}
        applications = []
        for number in range(len(ways)):
            one = stack.enter_context(rollout(Installation.started(), git, f"bench-{number}"))
            controller = DeploymentController(one.kubernetes, one.name, seconds=ROLLOUT_SECONDS)
            stack.enter_context(controller)
            one.settle()
            applications.append(one)
        for turn in range(ROUNDS):
            for one, (name, way) in zip(applications, ways.items(), strict=True):
                taken[name].append(measured(one, way, folder / f"{one.name}-{turn}"))
    print("| wait, right after a push | deployed when it said so | seconds | after the truth |")
    print("|---|---|---|---|")
    for name, waits in taken.items():
        print(f"| {name} | {sum(one.right for one in waits)} of {len(waits)} |", end="")
        print(f" {spread([one.seconds for one in waits])} |", end="")
        print(f" {spread([one.lag for one in waits if one.lag is not None])} |")


def spread(seconds: list[float]) -> str:
    """The median and the longest; nothing where there are none."""
    return f"{statistics.median(seconds):.1f} (at most {max(seconds):.1f})" if seconds else ""


def measured(one: Rollout, way: Way, folder: Path) -> Taken:
    """Push a tag, wait for it in one way, and look at what was true then."""
    sha = one.bump(f"t{time.monotonic_ns()}")
    begun = time.monotonic()
    way(one, sha, folder)
    ended = time.monotonic()
    last = [moment for moment in one.moments if moment.seconds <= ended][-1]
    right = deployed(sha)(last.document)
    lag = ended - one.final_since(deployed(sha), ended) if right else None
    if not right:
        # The next round begins where all is well.
        one.refresh()
        one.settle()
    return Taken(right=right, seconds=ended - begun, lag=lag)


def cli(one: Rollout, *argv: str) -> None:
    """Run Argo CD's own command-line tool."""
    where = one.installation
    server = ["--server", where.url.removeprefix("http://"), "--plaintext"]
    subprocess.run(  # noqa: S603  what is compared
        [f"{where.programs}/argocd", *argv, *server, "--auth-token", where.tokens["ci"]],
        env={"HOME": where.folder},
        check=True,
        capture_output=True,
    )


def cli_wait(one: Rollout, _: str, __: Path) -> None:
    """Do what most pipelines do."""
    cli(one, "app", "wait", one.name, "--sync", "--health", "--timeout", "60")


def refresh_then_wait(one: Rollout, sha: str, folder: Path) -> None:
    """Do what the careful ones do."""
    cli(one, "app", "get", one.name, "--refresh")
    cli_wait(one, sha, folder)


def ours(one: Rollout, sha: str, folder: Path) -> None:
    """Wait as the action does."""
    Waiting(sha, one, folder=folder).result()


if __name__ == "__main__":
    main()
