"""Pushes by compare-and-swap: races, lost answers, and cancellations in the middle."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.git.command import Answer
from gitops_action.errors import (
    CancelledError,
    GitOpsAccessError,
    GitOpsError,
    GitOpsUnavailableError,
)
from tests.systems.promoter import FILE, TEXT, run

if TYPE_CHECKING:
    from collections.abc import Callable


from tests.systems.promoter import NAME, Place, change, failure


def test_a_lost_race_is_no_error(place: Place) -> None:
    """
    A push that comes too late says so, and takes nothing away.
    """
    clone = place.clone()
    commit, parent = change(clone)
    theirs = place.server.commit(NAME, {"other.yaml": "a: b\n"})

    landed = clone.push(commit, parent, "main")

    assert not landed
    assert place.server.head(NAME) == theirs


def test_nothing_that_was_taken_back_comes_to_life_again(place: Place) -> None:
    """
    A branch that was set back or deleted meanwhile is not overwritten.
    """
    clone = place.clone()
    first = place.server.head(NAME)
    place.server.commit(NAME, {"secret.yaml": "to be removed"})
    commit, parent = change(clone)

    place.server.git(NAME, "update-ref", "refs/heads/main", first)
    set_back = clone.push(commit, parent, "main")
    place.server.git(NAME, "update-ref", "-d", "refs/heads/main")
    deleted = clone.push(commit, parent, "main")

    assert (set_back, deleted) == (False, False)
    assert place.server.head(NAME) == ""
    assert "no branch `main`" in failure(lambda: clone.head("main")).message


def test_a_lost_answer_is_not_a_lost_push(place: Place) -> None:
    """
    A connection that breaks after the push does not make the job red.
    """
    clone = place.clone()
    commit, parent = change(clone)
    place.server.loses_answers = True

    landed = clone.push(commit, parent, "main")

    assert landed
    assert place.server.head(NAME) == str(commit)


def test_a_push_that_failed_is_not_said_to_have_landed(place: Place) -> None:
    """
    A server that answers with an error, and then well, did not take the commit.
    """
    clone = place.clone()
    commit, parent = change(clone)
    place.server.failures += [503, 503]

    error = failure(lambda: clone.push(commit, parent, "main"))

    assert isinstance(error, GitOpsUnavailableError)
    assert place.server.head(NAME) == str(parent)


def test_a_push_that_nobody_can_confirm_is_in_doubt(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A server that stays away leaves a doubt, and the message says so.
    """
    monkeypatch.setattr("gitops_action.adapters.git.clone._PATIENCE", (0.01,))
    clone = place.clone()
    commit, parent = change(clone)
    place.server.failures += [503, 503, 503]

    doubt = failure(lambda: clone.push(commit, parent, "main"))

    assert type(doubt) is GitOpsError
    assert f"The push of {commit} to main got no answer" in doubt.message
    assert "not known whether it landed" in doubt.message


def test_a_push_under_others_is_not_lost(place: Place) -> None:
    """
    Our commit landed, its answer was lost, and others pushed on top of it: it landed.
    """
    clone = place.clone()
    commit, parent = change(clone)
    clone.push(commit, parent, "main")
    place.server.commit(NAME, {"other.yaml": ""})
    lost = Answer(exit_code=128, stdout=b"", stderr="fatal: early EOF\n", killed=False)

    landed = clone._landed(commit, "main", lost)

    assert landed


def test_a_server_in_trouble_is_asked_again(place: Place) -> None:
    """
    One bad gateway while reading and one while writing do not make the job red.
    """
    clone = place.clone()
    place.server.failures += [502]

    first = run(clone)
    place.server.commit(NAME, {FILE: TEXT})
    clone.head("main")
    place.server.refuse_once(NAME, 503)
    second = run(clone)

    assert first.changed
    assert second.changed
    assert str(second.revision) == place.server.head(NAME)


def test_a_token_that_expires_between_two_attempts_ends_the_loop(place: Place) -> None:
    """
    A job that outlives its token is told so at once, not at the deadline.
    """
    clone = place.clone()
    clone.head("main")
    place.server.before_push(lambda: _expire(place))

    error = failure(lambda: run(clone))

    assert isinstance(error, GitOpsAccessError)
    assert "it is wrong, expired or revoked" in error.message


def _expire(place: Place) -> None:
    place.server.commit(NAME, {"other.yaml": ""})
    place.server.token = "another"


def test_a_branch_that_is_deleted_between_two_attempts_is_not_made_again(place: Place) -> None:
    """
    Somebody deleted the branch on purpose: the run says that it is gone.
    """
    place.server.commit(NAME, {"a": ""}, branch="staging")
    place.server.before_push(lambda: place.server.git(NAME, "update-ref", "-d", "refs/heads/main"))

    error = failure(lambda: run(place.clone()))

    assert "has no branch `main`; it has staging." in error.message
    assert place.server.head(NAME) == ""


def test_a_branch_that_is_force_pushed_between_two_attempts_is_taken_as_it_is(
    place: Place,
) -> None:
    """
    What was taken out of the branch's history does not come back with our commit.
    """
    place.server.commit(NAME, {"secret.yaml": "to be removed"})
    place.server.before_push(
        lambda: place.server.git(NAME, "update-ref", "refs/heads/main", "main~1")
    )

    result = run(place.clone())

    files = place.server.git(NAME, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert str(result.revision) == place.server.head(NAME)
    assert files == ["README.md", FILE]
    assert place.server.git(NAME, "rev-list", "--count", "main") == "2"


def test_a_renamed_repository_is_explained_with_its_new_address(place: Place) -> None:
    """
    The server redirects, the token does not go along, and the message has what to write.
    """
    place.server.create("acme/renamed", {FILE: TEXT})
    place.server.moved[NAME] = "acme/renamed"

    error = failure(lambda: run(place.clone()))

    there = place.server.url("acme/renamed")
    assert type(error) is GitOpsError
    assert f"the server redirects to {there}, and the token does not go along" in error.message
    assert f"in `gitops-repository`: `{there}`." in error.hint
    assert not any("renamed" in line for line in place.server.requests)


def test_cancelling_ends_a_fetch_that_hangs(place: Place) -> None:
    """
    A cancelled job does not wait for a silent server.
    """
    clone = place.clone()
    clone.head("main")
    place.server.stall()

    with _cancelled_soon(place):
        started = time.monotonic()
        error = failure(lambda: clone.head("main"))
        took = time.monotonic() - started

    assert isinstance(error, CancelledError)
    assert took < 2.0


def test_cancelling_lets_a_push_finish(place: Place) -> None:
    """
    A push that has begun is finished, and then said to be.
    """
    clone = place.clone()
    commit, parent = change(clone)
    place.server.stall()

    def flow() -> None:
        time.sleep(0.5)
        place.server.flowing.set()

    with _cancelled_soon(place, then=flow):
        landed = clone.push(commit, parent, "main")

    assert landed
    assert place.server.head(NAME) == str(commit)


def test_a_push_that_cannot_finish_is_said_to_be_in_doubt(place: Place) -> None:
    """
    A cancelled job ends within seconds, and does not claim what it cannot know.
    """
    clone = place.clone()
    commit, parent = change(clone)
    place.server.stall()

    with _cancelled_soon(place):
        started = time.monotonic()
        error = failure(lambda: clone.push(commit, parent, "main"))
        took = time.monotonic() - started

    assert isinstance(error, CancelledError)
    assert "not known whether it landed" in error.message
    assert took < 5.0


def _cancelled_soon(place: Place, then: Callable[[], object] = lambda: None) -> ExitStack:
    def cancel() -> None:
        time.sleep(0.3)
        place.cancellation.cancel("SIGTERM")
        then()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    stack = ExitStack()
    stack.callback(thread.join)
    return stack
