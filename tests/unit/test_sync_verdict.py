"""What one document means, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gitops_action.model.argocd import Application, Comparison, Condition, Operation, Resource
from gitops_action.model.source import CommitSha
from gitops_action.model.wait import WaitFor
from gitops_action.stages.sync.lineage import Lineage, Relation
from gitops_action.stages.sync.memory import Memory
from gitops_action.stages.sync.verdict import judge
from gitops_action.stages.sync.view import Goal, State
from gitops_action.stages.sync.words import duration, listed, one_line, short
from tests.fakes.applications import BEFORE, LATER, NEWER, OLDER, OURS, URL, application
from tests.fakes.waiting import FakeClock, LinearAncestry

GOAL = Goal(commit=CommitSha(OURS), gitops_url=URL, wait_for=WaitFor.HEALTHY, settle_seconds=0)
SOON = LATER + timedelta(seconds=1)
DONE = Operation(phase="Succeeded", revision=OURS, started_at=BEFORE, finished_at=BEFORE)


# One branch of three commits; what else is a SHA is not known.
LINEAGE = Lineage(CommitSha(OURS), LinearAncestry([OLDER, OURS, NEWER]), lambda: 0.0)


def states(*documents: Application, goal: Goal = GOAL, pause: float = 1.0) -> list[State]:
    """What each document means after those before it, `pause` seconds apart."""
    memory, said = Memory(), []
    for number, document in enumerate(documents):
        verdict = judge(document, memory, goal=goal, lineage=LINEAGE, now=number * pause)
        memory = verdict.memory
        said.append(verdict.state)
    return said


@pytest.mark.parametrize(
    ("document", "state"),
    [
        pytest.param(application(revision=OLDER), State.REVISION, id="another revision"),
        pytest.param(application(revision=""), State.COMPARE, id="no revision"),
        pytest.param(application(revision="main"), State.COMPARE, id="a branch for a revision"),
        pytest.param(application(revision="d" * 40), State.COMPARE, id="an unknown commit"),
        pytest.param(application(sync=""), State.COMPARE, id="never compared"),
        pytest.param(application(sync="Unknown"), State.COMPARE, id="unknown"),
        pytest.param(application(compared_to=Comparison()), State.COMPARE, id="another spec"),
        pytest.param(
            application(conditions=(Condition("InvalidSpecError", "no"),)),
            State.COMPARE,
            id="an error condition",
        ),
        pytest.param(
            application(operation_requested=True), State.OPERATION, id="an operation asked for"
        ),
        pytest.param(
            application(operation=replace(DONE, phase="Terminating")),
            State.OPERATION,
            id="an operation that ends",
        ),
        pytest.param(
            application(operation=replace(DONE, phase="Running", retries=1)),
            State.OPERATION,
            id="an operation between two attempts",
        ),
        pytest.param(
            application(operation=replace(DONE, finished_at=LATER)),
            State.RECONCILE,
            id="compared in the second of the end",
        ),
        pytest.param(
            application(sync="OutOfSync", operation=replace(DONE, finished_at=SOON)),
            State.RECONCILE,
            id="out of sync by an old comparison",
        ),
        pytest.param(application(reconciled_at=None), State.RECONCILE, id="never reconciled"),
        pytest.param(application(sync="OutOfSync"), State.SYNC, id="out of sync"),
        pytest.param(application(health="Progressing"), State.HEALTH, id="progressing"),
        pytest.param(application(health="Missing"), State.HEALTH, id="missing"),
        pytest.param(application(health="Suspended"), State.HEALTH, id="suspended"),
        pytest.param(application(health=""), State.HEALTH, id="health not known"),
    ],
)
def test_is_not_deployed(document: Application, state: State) -> None:
    """
    Each thing that is missing keeps the wait going, however often it is seen.
    """
    assert states(document, document, document) == [state] * 3


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(application(), id="ours"),
        pytest.param(application(revision=OURS[:7]), id="ours, cut short"),
        pytest.param(application(revision=NEWER), id="a descendant"),
        pytest.param(application(operation=DONE), id="after our operation"),
        pytest.param(application(operation=replace(DONE, revision=OLDER)), id="without one"),
        pytest.param(
            application(operation=replace(DONE, revision=OLDER, phase="Failed")),
            id="after another commit failed",
        ),
        pytest.param(
            application(operation=replace(DONE, dry_run=True, finished_at=SOON)),
            id="after a dry run",
        ),
        pytest.param(application(repo_url="git@mirror:acme/gitops"), id="from a mirror"),
        pytest.param(
            application(conditions=(Condition("SharedResourceWarning", "x"),)), id="with a warning"
        ),
    ],
)
def test_is_deployed_once_confirmed(document: Application) -> None:
    """
    Two documents that agree are enough.
    """
    assert states(document, document) == [State.SETTLE, State.READY]


def test_settles_as_long_as_it_is_told() -> None:
    """
    Where a kind's health comes late, Healthy has to last.
    """
    goal = replace(GOAL, settle_seconds=10)
    just_applied = application(operation=replace(DONE, finished_at=BEFORE))

    said = states(*[just_applied] * 6, goal=goal, pause=2.5)

    assert said == [State.SETTLE] * 4 + [State.READY] * 2


def test_settles_at_once_where_the_last_operation_is_long_over() -> None:
    """
    A commit that changes nothing costs no settling time.
    """
    goal = replace(GOAL, settle_seconds=10)
    long_ago = application(operation=replace(DONE, finished_at=BEFORE - timedelta(minutes=1)))

    assert states(long_ago, long_ago, goal=goal) == [State.SETTLE, State.READY]
    assert states(application(), application(), goal=goal) == [State.SETTLE, State.READY]


def test_settling_begins_again_with_another_operation_and_after_bad_health() -> None:
    """
    Time that passed before a change proves nothing about it.
    """
    good, bad = application(operation=DONE), application(operation=DONE, health="Progressing")
    again = application(operation=replace(DONE, started_at=LATER))

    assert states(good, bad, good, again, again) == [
        State.SETTLE,
        State.HEALTH,
        State.SETTLE,
        State.SETTLE,
        State.READY,
    ]


def test_a_newer_revision_that_changes_nothing_does_not_begin_again() -> None:
    """
    A busy branch does not hold up the wait.
    """
    assert states(application(), application(revision=NEWER)) == [State.SETTLE, State.READY]


def test_an_application_made_anew_begins_anew() -> None:
    """
    What was seen of a deleted Application is forgotten.
    """
    assert states(application(), application(uid="2"))[-1] is State.SETTLE


@pytest.mark.parametrize(
    ("started", "fails"),
    [pytest.param(LATER, True, id="ours"), pytest.param(BEFORE, False, id="an older one")],
)
def test_an_operation_without_a_revision_is_placed_by_its_time(
    *, started: datetime, fails: bool
) -> None:
    """
    `kubectl` can ask for a sync without saying of what.
    """
    failed = replace(DONE, revision="", phase="Failed", started_at=started)
    document = application(sync="OutOfSync", operation=failed)

    verdict = judge(document, Memory(), goal=GOAL, lineage=LINEAGE, now=0)

    assert (verdict.failure is not None) is fails


def test_says_what_needs_pruning_and_what_auto_sync_would_do() -> None:
    """
    An Application that stays OutOfSync for a reason says which.
    """
    stale = Resource(kind="Service", name="old", sync="OutOfSync", requires_pruning=True)
    document = application(sync="OutOfSync", resources=(stale,))

    verdict = judge(document, Memory(), goal=GOAL, lineage=LINEAGE, now=0)

    assert verdict.reason == (
        "OutOfSync at 9d0f7e3 (Service/old is OutOfSync), which needs pruning"
    )


def test_a_progressive_application_set_syncs_by_itself() -> None:
    """
    Auto-sync that is off on purpose is no failure.
    """
    document = application(sync="OutOfSync", automated=False, of_application_set=True)
    memory = Memory()

    for now in (0.0, 100.0):
        verdict = judge(document, memory, goal=GOAL, lineage=LINEAGE, now=now)
        memory = verdict.memory

        assert verdict.failure is None


class Asked(LinearAncestry):
    """Counts the questions, and knows a commit once it was pushed."""

    def __init__(self) -> None:
        super().__init__([OURS])
        self.questions = 0

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        self.questions += 1
        return super().contains(ancestor, revision)


def test_asks_git_once_for_each_commit_and_seldom_for_unknown_ones() -> None:
    """
    A long wait does not fetch at each poll.
    """
    ancestry, clock = Asked(), FakeClock()
    lineage = Lineage(CommitSha(OURS), ancestry, clock.monotonic)

    unknown = [lineage.relation(NEWER) for _ in range(3)]
    ancestry.commits.append(NEWER)
    too_soon = lineage.relation(NEWER)
    clock.sleep(6)
    known = [lineage.relation(NEWER.upper()) for _ in range(3)]

    assert unknown == [Relation.UNKNOWN] * 3
    assert too_soon is Relation.UNKNOWN
    assert known == [Relation.CONTAINS] * 3
    assert ancestry.questions == 2


def test_words_are_short() -> None:
    """
    Long foreign messages keep their end, long lists their beginning.
    """
    many = [Resource(kind="Pod", name=str(number), health="Degraded") for number in range(7)]

    assert one_line("a\n::error::b") == "a ::error::b"
    assert one_line("x" * 500 + "cause").endswith("cause")
    assert len(one_line("x" * 500)) == 401
    assert listed(many).endswith("Pod/4 is Degraded; and 2 more")
    assert short("") == "no revision"
    assert [duration(one) for one in (0, 45, 90, 3600, 3900)] == [
        "0s",
        "45s",
        "1m 30s",
        "1h",
        "1h 5m",
    ]
