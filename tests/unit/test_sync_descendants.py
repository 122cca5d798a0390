"""A newer commit on the branch: ours inside, or another image in its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from gitops_action.errors import (
    ActionError,
    CancelledError,
    ComparisonError,
    GitOpsError,
    GitOpsUnavailableError,
    RolledBackError,
    WaitTimeoutError,
)
from gitops_action.model.argocd import Condition, Operation
from gitops_action.model.image import Digest
from gitops_action.model.pin import Pin
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import SyncResult
from tests.fakes.applications import BEFORE, LATER, NEWER, OLDER, OURS, application
from tests.fakes.promotions import FILE, SOURCES, branch, promoted
from tests.fakes.wait import Wait
from tests.fakes.waiting import LinearAncestry, OrderedSources

LIVE = (f"ghcr.io/acme/shop:{SOURCES[1]}",)
AT_NEWER = application(revision=NEWER, images=LIVE)


def waiting(wait: Wait, ancestry: LinearAncestry) -> Wait:
    """Let the wait know what was promoted, and what the branch asks for."""
    wait.promoted, wait.ancestry = promoted(), ancestry
    wait.sources = OrderedSources(SOURCES, SOURCES[1])
    wait.request = replace(wait.request, branch="main")
    return wait


def test_a_descendant_that_asks_for_our_image_counts() -> None:
    """
    Argo CD takes the branch's head: a busy repository must not make the wait hang.
    """
    wait = waiting(Wait((0, AT_NEWER)), branch())

    result = wait.run()

    assert result.applications[0].revision == NEWER
    assert not result.superseded


def test_replaced_by_a_newer_source_commit_is_superseded_at_once() -> None:
    """
    The next job's image in our place is no failure, and nothing to wait for.
    """
    out_of_sync = application(revision=NEWER, sync="OutOfSync", health="Progressing")
    wait = waiting(Wait((0, application(revision=OLDER)), (2, out_of_sync)), branch(newer="3" * 40))

    result = wait.run()

    assert result.superseded
    assert wait.seconds <= 3
    assert wait.log.lines[-1] == (
        f"shop: superseded: ccccccc asks for the newer ghcr.io/acme/shop:{SOURCES[2]}"
    )


def test_the_failure_of_a_commit_that_superseded_ours_is_not_ours() -> None:
    """
    A broken newer commit turns its own job red, and not this one.
    """
    failed = Operation(phase="Failed", revision=NEWER, started_at=BEFORE, finished_at=LATER)
    document = application(revision=NEWER, sync="OutOfSync", operation=failed)
    wait = waiting(Wait((0, document)), branch(newer="3" * 40))

    assert wait.run().superseded


def test_a_newer_commit_that_cannot_be_rendered_is_not_our_failure() -> None:
    """
    Argo CD names no commit then: the branch's own head tells whose kustomization is broken.
    """
    broken = application(
        sync="Unknown", revision="main", conditions=(Condition("ComparisonError", "no such field"),)
    )
    script = [
        (float(at), replace(broken, reconciled_at=LATER.replace(minute=at // 10)))
        for at in range(0, 200, 10)
    ]
    wait = waiting(Wait(*script), branch(newer="3" * 40))

    assert wait.run().superseded


@pytest.mark.parametrize(
    ("newer", "named"),
    [
        pytest.param(SOURCES[0], f"ghcr.io/acme/shop:{SOURCES[0]}", id="by an older commit"),
        pytest.param("hotfix", "ghcr.io/acme/shop:hotfix", id="by nobody knows what"),
        pytest.param(None, "no image of ours any more", id="by nothing"),
    ],
)
def test_replaced_by_what_is_not_newer_fails(newer: str | None, named: str) -> None:
    """
    Somebody's revert is not our success: the message names what is asked for now.
    """
    wait = waiting(Wait((0, AT_NEWER)), branch(newer=newer))

    with pytest.raises(RolledBackError) as raised:
        wait.run()

    assert f"asks for {named}" in raised.value.message
    assert wait.seconds <= (1 if newer == SOURCES[0] else 12)
    assert isinstance(raised.value.partial, SyncResult)
    assert not raised.value.partial.rollout_failed


def test_a_git_that_does_not_answer_is_asked_again() -> None:
    """
    What the descendant asks for is not guessed.
    """

    class Deaf(LinearAncestry):
        asked = 0

        def file(self, revision: CommitSha, path: object) -> bytes | None:
            self.asked += 1
            raise GitOpsError(f"no answer about {path} at {revision}", hint="")

    wait = waiting(Wait((0, AT_NEWER)), Deaf([OLDER, OURS, NEWER]))
    wait.request = replace(wait.request, timeout_seconds=60)

    with pytest.raises(WaitTimeoutError, match="cannot tell whether ccccccc contains 9d0f7e3"):
        wait.run()

    assert isinstance(wait.ancestry, Deaf)
    assert 5 <= wait.ancestry.asked <= 14


def test_a_source_repository_that_is_slow_to_answer_is_asked_again() -> None:
    """
    An answer that comes late turns no superseded job red.
    """

    class Slow(OrderedSources):
        asked = 0

        def is_newer(self, image: str, head: CommitSha) -> bool | None:
            self.asked += 1
            if self.asked == 1:
                raise GitOpsUnavailableError("no answer", hint="")
            return super().is_newer(image, head) if self.asked > 2 else None

    wait = waiting(Wait((0, AT_NEWER)), branch(newer=SOURCES[2]))
    wait.sources = Slow(SOURCES, SOURCES[1])

    assert wait.run().superseded
    assert 10 <= wait.seconds <= 12


def test_a_cancellation_is_no_doubt_about_the_source() -> None:
    """
    The wait ends when the run is cancelled, whoever is being asked.
    """

    class Cancelled(OrderedSources):
        def is_newer(self, image: str, head: CommitSha) -> bool | None:
            raise CancelledError(f"{image} at {head}", hint="")

    wait = waiting(Wait((0, AT_NEWER)), branch(newer=SOURCES[2]))
    wait.sources = Cancelled(SOURCES, SOURCES[1])

    with pytest.raises(CancelledError):
        wait.run()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("images: [", id="no YAML any more"),
        pytest.param("images: []", id="no entry any more"),
    ],
)
def test_a_kustomization_that_asks_for_nothing_of_ours_is_no_success(text: str) -> None:
    """
    What we cannot read there, Argo CD does not deploy for us.
    """
    wait = waiting(Wait((0, AT_NEWER)), branch())
    wait.ancestry.files = {**wait.ancestry.files, NEWER: {FILE: text}}

    with pytest.raises(RolledBackError, match="no image of ours any more"):
        wait.run()


@pytest.mark.parametrize("error", [GitOpsError("no answer", hint=""), CancelledError("x", hint="")])
def test_who_broke_the_rendering_is_not_guessed(error: ActionError) -> None:
    """
    Where git does not say what the head of the branch is, the failure stays; a cancellation ends.
    """

    class Headless(LinearAncestry):
        def head(self, branch: str) -> CommitSha:
            assert branch == "main"
            raise error

    broken = application(
        sync="Unknown", revision="main", conditions=(Condition("ComparisonError", "no such field"),)
    )
    script = [
        (float(at), replace(broken, reconciled_at=LATER.replace(minute=at // 10)))
        for at in range(0, 200, 10)
    ]
    wait = waiting(Wait(*script), Headless([OLDER, OURS, NEWER]))

    with pytest.raises(ComparisonError if isinstance(error, GitOpsError) else CancelledError):
        wait.run()


def test_a_cancellation_while_git_is_asked_ends_the_wait() -> None:
    """
    What is no trouble of git's is not borne.
    """

    class Cancelled(LinearAncestry):
        def __init__(self, allowed: int) -> None:
            super().__init__([OLDER, OURS, NEWER], branch().files)
            self.allowed = allowed

        def file(self, revision: CommitSha, path: PurePosixPath) -> bytes | None:
            self.allowed -= 1
            if self.allowed < 0:
                raise CancelledError("Stopped.", hint="")
            return super().file(revision, path)

    for allowed in (0, 1):
        with pytest.raises(CancelledError):
            waiting(Wait((0, AT_NEWER)), Cancelled(allowed)).run()


@pytest.mark.parametrize(("theirs", "ours"), [("7", True), ("8", False)])
def test_our_digest_counts_whatever_stands_beside_it(theirs: str, *, ours: bool) -> None:
    """
    A pin by digest is compared by digest.
    """
    wait = waiting(Wait((0, AT_NEWER)), branch())
    image = wait.promoted.image
    assert image
    known = replace(image.image, digest=Digest(f"sha256:{'7' * 64}"))
    wait.promoted = replace(wait.promoted, image=replace(image, image=known, pin=Pin.DIGEST))
    pinned = f"images:\n- name: ghcr.io/acme/shop\n  digest: sha256:{theirs * 64}\n"
    wait.ancestry.files = {NEWER: {FILE: pinned}}

    try:
        wait.run()
        counts = True
    except RolledBackError:
        counts = False

    assert counts is ours


def test_a_digest_is_told_from_another_one_of_the_same_tag() -> None:
    """
    A tag that was pushed again is another image.
    """
    wait = waiting(Wait((0, AT_NEWER)), branch(newer=f"{SOURCES[1]}"))
    assert isinstance(wait.ancestry, LinearAncestry)
    pinned = f"images:\n- name: ghcr.io/acme/shop\n  digest: sha256:{'7' * 64}\n"
    wait.ancestry.files = {
        **wait.ancestry.files,
        NEWER: {"overlays/dev/kustomization.yaml": pinned},
    }

    with pytest.raises(RolledBackError, match="sha256:7777"):
        wait.run()
