"""Compare the wait with `argocd app wait` on a real Argo CD: verdicts and seconds, in one run."""

from __future__ import annotations

import functools
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

from gitops_action.adapters.git import GitOpsClone  # noqa: E402  the checkout, not what is installed
from tests.systems.argocd import Installation  # noqa: E402
from tests.systems.deployments import DeploymentController  # noqa: E402
from tests.systems.git_server import GitServer  # noqa: E402
from tests.systems.rollout import Rollout, deployed, rollout  # noqa: E402
from tests.systems.waiting import Waiting, clone_of  # noqa: E402

ROUNDS = 10
ROLLOUT_SECONDS = 1.0


@dataclass(frozen=True)
class Push:
    sha: str
    tag: str
    clone: GitOpsClone


# Says whether it took the commit for deployed.
Way = Callable[[Rollout, Push], bool]


@dataclass(frozen=True)
class Taken:
    """One wait: what it said, whether that was so, seconds since the push and since the truth."""

    said: bool
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
    print("| begun right after a push | right | false | gave up | seconds | after the truth |")
    print("|---|---|---|---|---|---|")
    for name, waits in taken.items():
        right = [one for one in waits if one.said and one.right]
        false = [one for one in waits if one.said and not one.right]
        row = [name, len(right), len(false), len(waits) - len(right) - len(false)]
        row += [spread([one.seconds for one in right or false])]
        row += [spread([one.lag for one in right if one.lag is not None])]
        print(f"| {' | '.join(map(str, row))} |")


def spread(seconds: list[float]) -> str:
    """The median and the longest; nothing where there are none."""
    return f"{statistics.median(seconds):.1f} (at most {max(seconds):.1f})" if seconds else ""


def measured(one: Rollout, way: Way, folder: Path) -> Taken:
    """Push a tag, wait for it in one way, and look at what was true then."""
    clone = clone_of(one, folder)
    tag = f"1.{time.monotonic_ns()}.0"
    sha = one.bump(tag)
    begun = time.monotonic()
    said = way(one, Push(sha, tag, clone))
    ended = time.monotonic()
    last = [moment for moment in one.moments if moment.seconds <= ended][-1]
    right = deployed(sha)(last.document)
    lag = ended - one.final_since(deployed(sha), ended) if right else None
    if not right:
        # The next round begins where all is well.
        one.refresh()
        one.settle()
    return Taken(said=said, right=right, seconds=ended - begun, lag=lag)


def cli(one: Rollout, *argv: str) -> bool:
    """Run Argo CD's own command-line tool; say whether it was content."""
    where, token = one.installation, _admin(one.installation.url)
    server = ["--server", where.url.removeprefix("http://"), "--plaintext"]
    done = subprocess.run(  # noqa: S603  what is compared
        [f"{where.programs}/argocd", *argv, *server],
        # `app get` may read more than the action needs: as the administrator.
        env={"HOME": where.folder, "ARGOCD_AUTH_TOKEN": token},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(f"argocd {' '.join(argv)}: {done.stderr.strip()}")
    return done.returncode == 0


def cli_wait(one: Rollout, _: Push) -> bool:
    """Do what most pipelines do."""
    return cli(one, "app", "wait", one.name, "--sync", "--health", "--timeout", "60")


def refresh_then_wait(one: Rollout, push: Push) -> bool:
    """Do what the careful ones do."""
    cli(one, "app", "get", one.name, "--refresh")
    return cli_wait(one, push)


def ours(one: Rollout, push: Push) -> bool:
    """Wait as the action does."""
    Waiting(push.sha, one, clone=push.clone, tag=push.tag).result()
    return True


@functools.cache
def _admin(_: str) -> str:
    return Installation.started().admin()


if __name__ == "__main__":
    main()
