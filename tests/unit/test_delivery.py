"""The ways onto the branch, with a GitHub in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import pytest

from gitops_action.errors import (
    ActionError,
    GitOpsAccessError,
    GitOpsUnavailableError,
    PullRequestClosedError,
    PushRefusedError,
    SignatureRequiredError,
    WaitTimeoutError,
)
from gitops_action.model.change import Change
from gitops_action.model.delivery import Delivery
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.pin import Pin
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import Ending, Guard, PromoteRequest, PromoteResult, promote
from gitops_action.stages.promote.proposal import body
from tests.fakes.gitops import FakeGitOpsRepository
from tests.fakes.go import MemoryLog
from tests.fakes.guard import FakeCommitLog, FakeImages, FakeSourceHistory
from tests.fakes.kustomize import FakeKustomize
from tests.fakes.pull_requests import URL, FakeGitHub
from tests.fakes.waiting import FakeClock

SHOP = "apps/shop/kustomization.yaml"
OLD = "images:\n- name: ghcr.io/acme/shop\n  newTag: v1\n"
NEW, NEWER = OLD.replace("v1", "v2"), OLD.replace("v1", "v3")
PROPOSAL = "gitops-action/main/shop"
OURS, THEIRS = CommitSha("b" * 40), CommitSha("c" * 40)
IMAGE = ImageReference(Repository("ghcr.io/acme/shop"), "v2")
SIGNATURE = SignatureRequiredError("Commits must have verified signatures.", hint="Sign.")
RULE = PushRefusedError("Changes must be made through a pull request.", hint="Open one.")


@dataclass
class Refusing(FakeGitOpsRepository):
    """Refuses pushes, as a branch with rules does."""

    refusals: list[ActionError] = field(default_factory=list)

    def land(self, change: Change, branch: str) -> CommitSha | None:
        if self.refusals:
            raise self.refusals.pop(0)
        return super().land(change, branch)


class Place:
    """A repository, its GitHub, and a request for a pull request."""

    def __init__(self, *refusals: ActionError) -> None:
        self.repository = Refusing({SHOP: OLD}, refusals=list(refusals))
        self.github = FakeGitHub(self.repository)
        self.log = MemoryLog()
        self.clock = FakeClock()
        self.request = PromoteRequest(
            branch="main",
            kustomizations=(PurePosixPath("apps/shop"),),
            entry="",
            pin=Pin.TAG,
            subject="Promote shop to v2",
            trailers={"Source-Repository": "acme/shop"},
            source=OURS,
            deadline_seconds=60.0,
            delivery=Delivery.PULL_REQUEST,
            proposal=PROPOSAL,
            labels=("deploy",),
        )

    def run(self, **changes: object) -> PromoteResult:
        history = FakeSourceHistory()
        history.add(OURS, THEIRS)
        labels = {"ghcr.io/acme/shop:v3": THEIRS, "ghcr.io/acme/shop:v1": OURS}
        return promote(
            replace(self.request, **changes),  # type: ignore[arg-type]
            IMAGE,
            repository=self.repository,
            github=self.github.parts(),
            guard=Guard(
                IMAGE, OURS, history=history, images=FakeImages(labels), commits=FakeCommitLog()
            ),
            renderer=FakeKustomize(),
            clock=self.clock,
            log=self.log,
            chance=lambda: 0.5,
        )

    def proposed(self) -> str:
        """The file on the pull request's branch."""
        head = self.repository.head(PROPOSAL)
        return self.repository.commits[head].files[PurePosixPath(SHOP)].decode()

    def messages(self) -> str:
        return "\n".join(note.message for note in self.log.annotations)


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_pull_request_carries_the_change(place: Place) -> None:
    """
    The branch stays as it is; the pull request shows what changes and what that renders to.
    """
    result = place.run()

    assert result.ending is Ending.PROPOSED
    assert not result.asks
    assert result.pull_request is not None
    assert result.pull_request.url == URL
    assert place.repository.text(SHOP) == OLD
    assert place.proposed() == NEW
    (proposal,) = place.github.proposals
    assert (proposal.branch, proposal.base) == (PROPOSAL, "main")
    assert (proposal.title, proposal.labels) == ("Promote shop to v2", ("deploy",))
    assert f"| `{SHOP}` | `ghcr.io/acme/shop:v1` | `ghcr.io/acme/shop:v2` |" in proposal.body
    assert "+      - image: ghcr.io/acme/shop:v2\n" in proposal.body
    assert f"Source-Commit: {OURS}" in proposal.body
    assert not place.github.waits_to_merge


def test_one_pull_request_is_updated_in_place(place: Place) -> None:
    """
    A second promotion moves the branch of the open pull request onto the new head.
    """
    place.run()
    place.repository.write(SHOP, OLD.replace("images", "# by hand\nimages"))
    place.repository.others[PROPOSAL] = place.repository.store(
        {PurePosixPath(SHOP): OLD.replace("v1", "v0").encode()}, place.repository.tip
    )

    result = place.run()

    assert result.updated
    assert place.proposed() == OLD.replace("images", "# by hand\nimages").replace("v1", "v2")
    commit = place.repository.commits[place.repository.head(PROPOSAL)]
    assert commit.parent == place.repository.tip


def test_a_pull_request_that_asks_for_the_image_is_left_alone(place: Place) -> None:
    """
    Running a job twice does not ask its reviewers twice.
    """
    first = place.run()

    second = place.run()

    assert second.revision == first.revision
    assert second.ending is Ending.PROPOSED


def test_a_newer_proposal_is_not_overwritten(place: Place) -> None:
    """
    The guard holds for the pull request as it does for the branch.
    """
    place.run()
    place.repository.others[PROPOSAL] = place.repository.store(
        {PurePosixPath(SHOP): NEWER.encode()}, place.repository.tip
    )

    result = place.run()

    assert result.ending is Ending.SUPERSEDED
    assert place.proposed() == NEWER
    assert URL in result.newer


def test_a_lost_race_for_the_branch_starts_over(place: Place) -> None:
    """
    Two runs at once leave one pull request.
    """
    place.github.lost = 2

    result = place.run()

    assert result.ending is Ending.PROPOSED
    assert len(place.github.proposals) == 1


def test_a_branch_taken_before_its_pull_request_was_open_is_taken_back(place: Place) -> None:
    """
    An older run between our branch and our pull request: ours said `proposed` of its image.
    """
    older = OLD.replace("v1", "v0")

    def take() -> None:
        place.repository.others[PROPOSAL] = place.repository.store(
            {PurePosixPath(SHOP): older.encode()}, place.repository.tip
        )

    place.github.before_opening = [take]

    result = place.run()

    assert result.ending is Ending.PROPOSED
    assert place.proposed() == NEW
    assert result.updated


def test_backticks_in_a_diff_open_no_way_out(place: Place) -> None:
    """
    Text of the manifests stays text on the pull request's page, and is cut before GitHub refuses.
    """
    result = replace(place.run(), rendered_diff="+ ```\n@everyone\n" + "+ x\n" * 20_000)

    text = body("Promote\n\nImage: x\n", result)

    assert "\n````diff\n+ ```\n" in text
    assert "\n… and more\n````\n" in text
    assert len(text) < 65_536


@pytest.mark.parametrize("merged", [True, False])
def test_the_merge_can_be_waited_for(place: Place, *, merged: bool) -> None:
    """
    The merge commit is what Argo CD is waited for; a closed pull request ends the run red.
    """

    def unavailable() -> None:
        raise GitOpsUnavailableError("busy", hint="Wait.")

    end = (lambda: place.github.merge(PROPOSAL)) if merged else place.github.close
    place.github.events = [lambda: None, unavailable, end]

    if merged:
        result = place.run(wait_seconds=600.0, auto_merge=True)

        assert result.ending is Ending.PROMOTED
        assert result.revision == place.repository.tip
        assert place.github.waits_to_merge
    else:
        with pytest.raises(PullRequestClosedError) as caught:
            place.run(wait_seconds=600.0)

        assert isinstance(caught.value.partial, PromoteResult)
        assert caught.value.partial.pull_request is not None


def test_a_pull_request_that_another_run_took_over_is_superseded(place: Place) -> None:
    """
    A merge that brings another image is not reported as ours.
    """

    def take_over() -> None:
        place.repository.others[PROPOSAL] = place.repository.store(
            {PurePosixPath(SHOP): NEWER.encode()}, place.repository.tip
        )
        place.github.merge(PROPOSAL)

    place.github.events = [take_over]

    result = place.run(wait_seconds=600.0)

    assert result.ending is Ending.SUPERSEDED
    assert result.newer == f"{URL} was merged with another image"


def test_a_pull_request_that_nobody_may_merge_by_itself_is_still_told_of(place: Place) -> None:
    """
    The run that opened it ended with `nothing was committed`, and without its address.
    """
    place.github.no_auto_merge = GitOpsAccessError("No auto-merge here.", hint="Allow it.")

    with pytest.raises(GitOpsAccessError) as caught:
        place.run(auto_merge=True)

    assert isinstance(caught.value.partial, PromoteResult)
    assert caught.value.partial.pull_request is not None
    assert caught.value.partial.pull_request.url == URL


def test_nobody_waits_for_ever(place: Place) -> None:
    """
    The deadline ends the wait and says what is in the way, which was said at once.
    """
    place.github.in_the_way = "The check `test` does not start."
    begun = place.clock.now

    with pytest.raises(WaitTimeoutError) as caught:
        place.run(wait_seconds=600.0)

    assert "was not merged within 600 s. The check `test`" in caught.value.message
    assert "The check `test`" in place.messages()
    assert place.clock.now - begun <= 601.0


def test_auto_pushes_where_it_may() -> None:
    """
    Without a rule in the way nothing else is tried.
    """
    place = Place()

    result = place.run(delivery=Delivery.AUTO)

    assert result.ending is Ending.PROMOTED
    assert place.github.proposals == []


def test_auto_lets_github_sign() -> None:
    """
    A branch that wants signatures gets one commit of GitHub's.
    """
    place = Place(SIGNATURE)

    result = place.run(delivery=Delivery.AUTO)

    assert result.ending is Ending.PROMOTED
    assert place.repository.text(SHOP) == NEW
    assert "GitHub shall sign the commit" in place.messages()


@pytest.mark.parametrize(
    ("pushes", "commits"),
    [([RULE], []), ([SIGNATURE], [RULE]), ([SIGNATURE], [SIGNATURE])],
    ids=["a rule", "a signature and a rule", "no way to sign"],
)
def test_auto_proposes_what_a_rule_refuses(
    pushes: list[ActionError], commits: list[ActionError]
) -> None:
    """
    A protected branch gets a pull request, and the log says why.
    """
    place = Place(*pushes)
    place.github.refusals = list(commits)

    result = place.run(delivery=Delivery.AUTO)

    assert result.ending is Ending.PROPOSED
    assert place.repository.text(SHOP) == OLD
    assert "because" in place.messages()


@pytest.mark.parametrize("way", [Delivery.PUSH, Delivery.API])
def test_no_other_way_is_taken_unasked(way: Delivery) -> None:
    """
    A signed commit is never silently turned into an unsigned one, or a push into a proposal.
    """
    place = Place(SIGNATURE)

    with pytest.raises(SignatureRequiredError):
        place.run(delivery=way)

    assert place.github.proposals == []
    assert place.repository.text(SHOP) == OLD
