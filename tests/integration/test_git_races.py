"""Pushes by compare-and-swap: races, lost answers, and cancellations in the middle."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from gitops_action.errors import (
    CancelledError,
)

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
    place.server.failures += [503]

    error = failure(lambda: clone.push(commit, parent, "main"))
    place.server.failures += [503, 503]
    doubt = failure(lambda: clone.push(commit, parent, "main"))

    assert "cannot be reached" in error.message
    assert f"The push of {commit} to main got no answer" in doubt.message
    assert "not known whether it landed" in doubt.message
    assert place.server.head(NAME) == str(parent)


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

    thread = threading.Thread(target=cancel)
    thread.start()
    stack = ExitStack()
    stack.callback(thread.join)
    return stack
