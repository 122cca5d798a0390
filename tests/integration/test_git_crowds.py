"""Many jobs that push to one branch at once: nothing is lost, and nothing goes back."""

from __future__ import annotations

import random
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from gitops_action.adapters.git import Git, History
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import Ending, Guard
from tests.fakes.guard import FakeImages
from tests.systems.counts import count
from tests.systems.promoter import DEADLINE_SECONDS, FILE, NAME, Place, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_action.stages.promote import PromoteResult

SOURCE = "acme/shop"


def at_once(jobs: dict[str, Callable[[], PromoteResult]]) -> dict[str, tuple[PromoteResult, float]]:
    """Run all jobs at once; their results, and how long each took in seconds."""
    results: dict[str, tuple[PromoteResult, float]] = {}
    failures: list[BaseException] = []

    def work(name: str, job: Callable[[], PromoteResult]) -> None:
        started = time.monotonic()
        try:
            results[name] = (job(), time.monotonic() - started)
        except BaseException as error:  # noqa: BLE001  raised in the test's own thread below
            failures.append(error)

    threads = [threading.Thread(target=work, args=item) for item in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def test_many_applications_in_one_file_lose_nothing(place: Place) -> None:
    """
    Every job lands its own line in a commit of its own, before its deadline.
    """
    names = [f"app-{number}" for number in range(count(long=64, short=6))]
    rounds = count(long=20, short=2)
    text = "images:\n" + "".join(f"- name: ghcr.io/acme/{name}\n  newTag: v0\n" for name in names)
    before = place.server.commit(NAME, {FILE: text})
    longest = 0.0

    for number in range(1, rounds + 1):
        clones = {name: place.clone() for name in names}
        results = at_once(
            {
                name: partial(run, clone, name, tag=f"v{number}", seed=f"{name} {number}")
                for name, clone in clones.items()
            }
        )
        longest = max(longest, *(seconds for _, seconds in results.values()))
        wanted = text.replace("v0", f"v{number}")
        assert place.server.read(NAME, FILE).decode() == wanted

    git = place.server.git
    commits = git(NAME, "rev-list", f"{before}..main").splitlines()
    changed = git(NAME, "log", "--format=", "--numstat", f"{before}..main").split("\n")
    assert len(commits) == len(names) * rounds
    assert {line for line in changed if line} == {f"1\t1\t{FILE}"}
    assert longest < DEADLINE_SECONDS


def test_one_application_never_goes_back(place: Place) -> None:
    """
    Commits of one application that arrive in any order end at the newest, without a step back.
    """
    place.server.create(SOURCE)
    commits = [
        CommitSha(place.server.commit(SOURCE, {"main.go": str(number)}))
        for number in range(count(long=64, short=6))
    ]
    order = {str(commit): number for number, commit in enumerate(commits)}
    text = f"images:\n- name: ghcr.io/acme/shop\n  newTag: {commits[0]}\n"
    before = place.server.commit(NAME, {FILE: text})
    arriving = random.Random(1).sample(commits[1:], len(commits) - 1)

    results = at_once({str(commit): _job(place, commit) for commit in arriving})

    tags = [
        line.removeprefix("+  newTag: ")
        for line in place.server.git(
            NAME, "log", "--reverse", "--format=", "-p", f"{before}..main"
        ).splitlines()
        if line.startswith("+  newTag")
    ]
    landed = [order[tag] for tag in tags]
    assert landed == sorted(landed)
    assert landed[-1] == len(commits) - 1
    endings = {order[name]: result.ending for name, (result, _) in results.items()}
    assert {number for number, ending in endings.items() if ending is Ending.PROMOTED} == set(
        landed
    )
    assert set(endings.values()) <= {Ending.PROMOTED, Ending.SUPERSEDED}
    assert max(seconds for _, seconds in results.values()) < DEADLINE_SECONDS


def _job(place: Place, commit: CommitSha) -> Callable[[], PromoteResult]:
    clone = place.clone()
    folder = place.folder / f"source-{commit}"
    folder.mkdir()
    source = Git(
        url=place.server.url(SOURCE),
        token=clone.history._git._token,
        directory=folder,
        cancellation=place.cancellation,
        env={"PATH": place.path},
    )
    guard = Guard(
        ImageReference(Repository("ghcr.io/acme/shop"), str(commit)),
        commit,
        history=History(source),
        images=FakeImages(),
        commits=clone.history,
    )
    return lambda: run(clone, tag=str(commit), guard=guard, seed=str(commit))
