"""Time a promotion by push: against history, against files, against a checkout, and in a crowd."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from gitops_action.model.source import CommitSha  # noqa: E402  the checkout, not what is installed
from tests.systems.git_server import GitServer  # noqa: E402
from tests.systems.promoter import FILE, NAME, TEXT, Place, run  # noqa: E402

TIMES = 9
FEW_TIMES = 3
FOLDER = 100  # files
CROWD = 64


def main() -> None:
    """Print medians of nine, in seconds; each promotion starts from a clone of its own."""
    with tempfile.TemporaryDirectory() as folder, GitServer(Path(folder) / "server") as server:
        place = Place(Path(folder), server)
        sizes = {
            "10 commits": fill(server, "acme/short", commits=10),
            "10000 commits": fill(server, "acme/long", commits=10_000),
            "100 files": fill(server, "acme/small", files=100),
            "100000 files": fill(server, "acme/large", files=100_000),
        }
        print(f"{'':28} median   shortest  longest  (s)")
        taken = measure(
            {f"push, {label}": partial(promote, place, name) for label, name in sizes.items()},
            TIMES,
        )
        taken |= measure(
            {
                f"guard's fetch, {label}": partial(history, place, sizes[label])
                for label in ("10 commits", "10000 commits")
            },
            TIMES,
        )
        crowd(place)
        # Minutes, where a machine is busy.
        taken |= measure(
            {
                f"checkout, {label}": partial(checkout, place, sizes[label])
                for label in ("100 files", "100000 files")
            },
            FEW_TIMES,
        )
        ratios(taken)


def fill(server: GitServer, name: str, *, commits: int = 1, files: int = 0) -> str:
    """Make a repository of this history and size."""
    server.create(name)
    lines = [
        f"blob\nmark :1\ndata {len(TEXT)}\n{TEXT}\n",
        *(
            "commit refs/heads/main\ncommitter A <a@example.com> "
            f"{1_700_000_000 + number} +0000\ndata 1\nx\n"
            f"M 100644 inline log.txt\ndata {len(str(number))}\n{number}\n"
            for number in range(commits)
        ),
        f"M 100644 :1 {FILE}\n",
    ]
    for number in range(files):
        path = f"files/{number // FOLDER // FOLDER}/{number // FOLDER}/{number}.yaml"
        lines.append(f"M 100644 inline {path}\ndata {len(str(number))}\n{number}\n")
    server.git(name, "fast-import", "--quiet", stdin="".join(lines).encode())
    # As on a server that repacks.
    server.git(name, "repack", "-adq", "--write-bitmap-index")
    return name


def promote(place: Place, name: str, turn: int) -> None:
    """Clone, edit and push as a job does."""
    run(place.clone(url=place.server.url(name)), tag=f"ours-{turn}")


def history(place: Place, name: str, _turn: int) -> None:
    """Fetch the commits that say who is newer."""
    head = CommitSha(place.server.head(name))
    first = CommitSha(place.server.git(name, "rev-list", "--max-parents=0", "main"))
    place.clone(url=place.server.url(name)).contains(first, head)


def checkout(place: Place, name: str, turn: int) -> Path:
    """What most workflows do: check out the newest commit, edit, commit, push."""
    target = Path(tempfile.mkdtemp(dir=place.folder))
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    url = place.server.url(name).replace("://", f"://x:{place.server.token}@")
    git = ["git", "-C", str(target), "-c", "user.name=A", "-c", "user.email=a@example.com"]
    for command in ("clone -q --depth=1 {} .", "commit -qam Promote", "push -q"):
        argv = [word.format(url) for word in command.split()]
        subprocess.run([*git, *argv], env=env, check=True)  # noqa: S603  our own words
        if argv[0] == "clone":
            (target / FILE).write_text(f"{TEXT}# checkout {turn}\n")
    return target


def measure(ways: dict[str, Callable[[int], object]], times: int) -> dict[str, list[float]]:
    """Take turns, so that a busy machine slows all of them; print what each took."""
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(times):
        for label, way in ways.items():
            started = time.perf_counter()
            left = way(turn)
            taken[label].append(time.perf_counter() - started)
            if isinstance(left, Path):
                shutil.rmtree(left)
    for label, seconds in taken.items():
        print(
            f"{label:28} {statistics.median(seconds):6.3f}   {min(seconds):6.3f}   "
            f"{max(seconds):6.3f}  {times} times",
            flush=True,
        )
    return taken


def ratios(taken: dict[str, list[float]]) -> None:
    """Print what is promised: flat in history, and far from a checkout."""
    median = {label: statistics.median(times) for label, times in taken.items()}
    for text, one, other in (
        ("10000 commits against 10", "push, 10000 commits", "push, 10 commits"),
        ("100000 files against 100", "push, 100000 files", "push, 100 files"),
        ("checkout against push, 100000", "checkout, 100000 files", "push, 100000 files"),
    ):
        print(f"{text}: {median[one] / median[other]:.2f} times")


def crowd(place: Place) -> None:
    """Promote many applications of one file, one after the other and all at once."""
    names = [f"app-{number}" for number in range(CROWD)]
    text = "images:\n" + "".join(f"- name: ghcr.io/acme/{name}\n  newTag: v1\n" for name in names)
    place.server.create(NAME, {FILE: text})
    started = time.perf_counter()
    for name in names:
        run(place.clone(), name)
    serial = time.perf_counter() - started
    place.server.commit(NAME, {FILE: text})
    ends: list[float] = []
    started = time.perf_counter()

    def job(name: str) -> None:
        run(place.clone(), name)
        ends.append(time.perf_counter() - started)

    threads = [threading.Thread(target=job, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        f"{CROWD} promoters of one file: {serial:.1f} s one after the other, {max(ends):.1f} s at "
        f"once ({max(ends) / serial:.2f} times), half of them after {statistics.median(ends):.1f} s"
    )


if __name__ == "__main__":
    main()
