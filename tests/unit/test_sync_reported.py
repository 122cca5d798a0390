"""The wait for what others report on GitHub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from gitops_action.errors import (
    GitOpsUnavailableError,
    ReportedError,
    RolledBackError,
    WaitTimeoutError,
)
from gitops_action.kustomization import ImageRequest
from gitops_action.model.deployment import CommitReport
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.source import CommitSha
from gitops_action.model.via import Reporter, Via, parse_via
from gitops_action.stages.sync import Promoted, SyncResult
from gitops_action.stages.sync.reported import ReportedRequest, wait_for_report
from tests.fakes.reports import MemoryReports
from tests.fakes.waiting import FakeClock, LinearAncestry, LineLog, OrderedSources

OLD, OURS, NEW, NEWEST = (CommitSha(letter * 40) for letter in "abcd")
STATUS, DEPLOYMENT = Via(Reporter.STATUS, "prod"), Via(Reporter.DEPLOYMENT, "prod")
A, B = PurePosixPath("a.yaml"), PurePosixPath("b.yaml")
SOURCES = OrderedSources([f"{number}" * 40 for number in (1, 2, 3)], "2" * 40)
BOTH = pytest.mark.parametrize("via", [STATUS, DEPLOYMENT], ids=str)


class Waiting:
    def __init__(self, *commits: CommitSha) -> None:
        self.clock, self.log = FakeClock(), LineLog()
        self._begun = self.clock.now
        line = commits or (OLD, OURS)
        self.reports = MemoryReports(self.clock, line)
        self.history = LinearAncestry([one.value for one in line])
        self.promoted = Promoted(commit=OURS)

    def run(self, via: Via = STATUS, seconds: float = 600, *, changed: bool = True) -> SyncResult:
        request = ReportedRequest(via=via, branch="main", timeout_seconds=seconds, changed=changed)
        return wait_for_report(
            request,
            self.promoted,
            reports=self.reports,
            history=self.history,
            clock=self.clock,
            log=self.log,
            sources=SOURCES,
        )

    @property
    def seconds(self) -> float:
        return self.clock.now - self._begun


@BOTH
def test_waits_for_the_report_on_our_commit(via: Via) -> None:
    """
    What is said of other commits before ours does not count.
    """
    wait = Waiting()
    wait.reports.say(OLD, "success")
    wait.reports.say(OURS, "pending", at=15)
    wait.reports.say(OURS, "success", at=35, text="shop is deployed")

    result = wait.run(via)

    (one,) = result.applications
    assert (str(one.name), one.revision, one.sync) == (str(via), str(OURS), "success")
    assert one.url == "https://argocd.example.com"
    assert wait.seconds == 40
    assert wait.log.lines == [
        f"{via}: nothing is reported on bbbbbbb yet",
        f"{via}: pending on bbbbbbb",
        f"{via}: success (shop is deployed) on bbbbbbb",
    ]


@BOTH
def test_a_commit_that_was_overtaken_is_deployed_with_the_newer_one(via: Via) -> None:
    """
    Nobody reports on a commit that was never synced by itself.
    """
    wait = Waiting(OLD, OURS, NEW, NEWEST)
    wait.reports.say(NEW, "success", at=5)
    wait.reports.say(NEWEST, "pending", at=5)

    result = wait.run(via)

    assert result.applications[0].revision == str(NEW)
    assert "success on ccccccc, which contains bbbbbbb" in wait.log.lines[-1]


@BOTH
def test_a_failure_fails_at_once(via: Via) -> None:
    """
    Who reports does not try the same commit again, so nobody waits for it.
    """
    wait = Waiting()
    wait.reports.say(OURS, "failure", text="health check failed", at=5)

    with pytest.raises(
        ReportedError, match=r"failure \(health check failed\) on bbbbbbb"
    ) as raised:
        wait.run(via)

    assert wait.seconds == 10
    assert "https://argocd.example.com" in raised.value.hint
    assert isinstance(raised.value.partial, SyncResult)


@pytest.mark.parametrize(
    ("ours", "new", "newest", "good"),
    [
        pytest.param("success", "failure", "", True, id="ours was deployed before"),
        pytest.param("inactive", "", "", True, id="ours was deployed and replaced"),
        pytest.param("failure", "success", "", True, id="a newer one mended it"),
        pytest.param("", "success", "failure", False, id="the newest one fails"),
        pytest.param("", "failure", "success", True, id="the newest one mends it"),
        pytest.param("failure", "", "pending", False, id="ours failed, a newer one is under way"),
        pytest.param("", "error", "pending", False, id="a newer one failed"),
    ],
)
def test_the_newest_final_report_decides(ours: str, new: str, newest: str, *, good: bool) -> None:
    """
    A descendant that fails is our failure only where ours was never deployed.
    """
    wait = Waiting(OLD, OURS, NEW, NEWEST)
    for sha, state in ((OURS, ours), (NEW, new), (NEWEST, newest)):
        if state:
            wait.reports.say(sha, state)

    if good:
        assert wait.run().applications[0].sync in {"success", "inactive"}
    else:
        with pytest.raises(ReportedError):
            wait.run()


def test_a_commit_that_does_not_contain_ours_says_nothing() -> None:
    """
    After a push with force the success of another line of history is not ours.
    """
    wait = Waiting()
    wait.reports.say(CommitSha("e" * 40), "success")

    with pytest.raises(WaitTimeoutError):
        wait.run(DEPLOYMENT, seconds=30)


def test_a_report_under_another_name_says_nothing() -> None:
    """
    A status of staging never ends a wait for production.
    """
    wait = Waiting()
    wait.reports.say(OURS, "success", name="staging")

    with pytest.raises(WaitTimeoutError) as raised:
        wait.run(seconds=65)

    assert raised.value.message == (
        "The report status:prod did not come in 1m 5s for bbbbbbb; last seen: nothing is reported"
        " on bbbbbbb yet."
    )
    assert "docs/wait-via.md" in raised.value.hint
    assert wait.seconds == 65
    assert wait.log.lines[-1].endswith("(1m)")


def test_a_busy_branch_costs_few_questions() -> None:
    """
    Of hundreds of newer commits only the newest are looked at in each round.
    """
    newer = [CommitSha(f"{number:040x}") for number in range(200)]
    wait = Waiting(OLD, OURS, *newer)

    with pytest.raises(WaitTimeoutError):
        wait.run(seconds=0)

    assert len(wait.reports.asked) == 11


def test_what_was_unchanged_looks_at_the_commit_that_changed_it_last() -> None:
    """
    Nobody reports on a head that leaves the kustomizations as they were.
    """
    wait = Waiting(OLD, OURS, NEW)
    wait.promoted = Promoted(commit=NEW, files=(A, B))
    wait.reports.touched = {"a.yaml": (OLD,), "b.yaml": (OURS, OLD)}
    wait.reports.say(OLD, "failure")
    wait.reports.say(OURS, "success")

    result = wait.run(changed=False)
    wait.promoted = replace(wait.promoted, files=(B, A))
    turned = wait.run(changed=False)
    wait.promoted = replace(wait.promoted, files=())

    assert result.applications[0].revision == str(OURS)
    assert turned == result
    with pytest.raises(WaitTimeoutError, match="for ccccccc"):
        wait.run(changed=False, seconds=0)


def _asking(tag: str) -> dict[str, str]:
    return {"a.yaml": f"images:\n- name: shop\n  newTag: {tag!r}\n"}


def _replaced_by(tag: str, state: str) -> Waiting:
    """A wait for source commit 2, whose image a later commit replaced by that of `tag`."""
    wait = Waiting(OLD, OURS, NEW)
    wait.history.files = {OURS.value: _asking("2" * 40), NEW.value: _asking(tag)}
    image = ImageReference(Repository("shop"), "2" * 40)
    wait.promoted = Promoted(commit=OURS, files=(A,), image=ImageRequest(image))
    wait.reports.say(NEW, state)
    return wait


@pytest.mark.parametrize("state", ["success", "failure", "pending"])
def test_a_newer_image_in_our_place_is_no_failure(state: str) -> None:
    """
    What becomes of the commit that replaced ours is not this job's matter.
    """
    assert _replaced_by("3" * 40, state).run().superseded


def test_an_older_image_in_our_place_is_a_failure() -> None:
    """
    A success of the commit that rolled ours back is none of ours.
    """
    with pytest.raises(RolledBackError, match="asks for shop:1111111"):
        _replaced_by("1" * 40, "success").run()


@pytest.mark.parametrize(
    ("text", "via"),
    [
        ("argocd", Via(Reporter.ARGOCD)),
        ("status: cd/shop", Via(Reporter.STATUS, "cd/shop")),
        ("status:kustomization/shop/0c9c2e41", Via(Reporter.STATUS, "kustomization/shop/0c9c2e41")),
        ("deployment:prod: eu", Via(Reporter.DEPLOYMENT, "prod: eu")),
    ],
)
def test_reads_what_to_wait_via(text: str, via: Via) -> None:
    """
    Contexts and environments may hold every character but the blanks around them.
    """
    assert parse_via(text) == via


@pytest.mark.parametrize("text", ["", "status", "status:", "argocd:x", "check:x"])
def test_refuses_what_is_no_report(text: str) -> None:
    """
    The message has the three forms.
    """
    with pytest.raises(ValueError, match="status:CONTEXT"):
        parse_via(text)


class Silent(MemoryReports):
    """Does not answer from the first second to the second one."""

    def __init__(self, clock: FakeClock, seconds: tuple[float, float]) -> None:
        super().__init__(clock, (OLD, OURS))
        self._now, self._seconds = clock.monotonic, seconds
        self._first = clock.now

    def status(self, sha: CommitSha, context: str) -> CommitReport | None:
        since, until = self._seconds
        if since <= self._now() - self._first < until:
            raise GitOpsUnavailableError("GitHub does not answer.", hint="")
        return super().status(sha, context)


def test_a_github_that_is_away_for_minutes_is_waited_for() -> None:
    """
    Neither an outage nor a rate limit says anything about the rollout.
    """
    wait = Waiting()
    wait.reports = Silent(wait.clock, (5, 300))
    wait.reports.say(OURS, "success", at=20)

    assert wait.run().applications[0].sync == "success"
    assert 300 <= wait.seconds <= 330
    assert wait.log.lines.count("GitHub does not answer.") == 1


def test_a_github_that_stays_away_ends_the_wait_at_its_deadline() -> None:
    """
    Not before, and not after; what is said is that it does not answer.
    """
    wait = Waiting()
    wait.reports = Silent(wait.clock, (5, 10_000))

    with pytest.raises(GitOpsUnavailableError):
        wait.run(seconds=600)

    assert wait.seconds == 600
