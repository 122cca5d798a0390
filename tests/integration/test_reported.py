"""The wait for a report, over GitHub's REST."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.github import GitHubReports
from gitops_action.errors import GitOpsAccessError
from gitops_action.model.via import Reporter, Via
from gitops_action.stages.sync import Promoted, ReportedRequest, SyncResult, wait_for_report
from tests.fakes.github_state import Token
from tests.fakes.waiting import FakeClock, LinearAncestry, LineLog
from tests.systems.github import GitHubPlace, github_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitops_action.model.source import CommitSha

STATUS, DEPLOYMENT = Via(Reporter.STATUS, "argocd/shop"), Via(Reporter.DEPLOYMENT, "prod")
PATH = PurePosixPath("shop/kustomization.yaml")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, {str(PATH): "images: []\n"}) as place:
        yield place


class _Clock(FakeClock):
    """Something happens in each pause."""

    def __init__(self, happens: list[Callable[[], None]]) -> None:
        super().__init__()
        self.happens = happens

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.happens:
            self.happens.pop(0)()


def _wait(
    place: GitHubPlace,
    via: Via,
    *happens: Callable[[], None],
    commit: CommitSha | None = None,
    changed: bool = True,
    token: str = "",
) -> SyncResult:
    commits = [str(one) for one in GitHubReports(place.api()).commits("main")][::-1]
    return wait_for_report(
        ReportedRequest(via=via, branch="main", timeout_seconds=600, changed=changed),
        Promoted(commit=commit or place.head(), files=(PATH,)),
        reports=GitHubReports(place.api(token=token)),
        history=LinearAncestry(commits),
        clock=_Clock(list(happens)),
        log=LineLog(),
    )


def _say(place: GitHubPlace, sha: CommitSha, state: str) -> None:
    place.about.statuses.setdefault(str(sha), []).append(
        {"context": STATUS.name, "state": state, "target_url": "https://argocd.example.com"}
    )


def _nothing() -> None:
    """Nobody does anything."""


def test_rounds_without_news_cost_nothing(place: GitHubPlace) -> None:
    """
    A wait of an hour stays far below the rate limit of the job's token.
    """
    head = place.head()
    quiet = [_nothing] * 30

    result = _wait(place, STATUS, *quiet, lambda: _say(place, head, "success"))

    assert result.applications[0].sync == "success"
    assert len(place.github.requests) > 60
    assert place.github.charged <= 5


def test_a_success_on_a_newer_commit_counts(place: GitHubPlace) -> None:
    """
    A commit that was overtaken before it was synced is deployed with the newer one.
    """
    ours = place.head()
    newer = place.commit({"other": "x"})

    result = _wait(place, STATUS, lambda: _say(place, newer, "success"), commit=ours)

    assert result.applications[0].revision == str(newer)


def test_an_unchanged_kustomization_was_deployed_with_its_last_change(place: GitHubPlace) -> None:
    """
    Nobody reports on commits that touch something else.
    """
    changed = place.head()
    place.commit({"other": "x"})
    _say(place, changed, "success")

    result = _wait(place, STATUS, changed=False)

    assert result.applications[0].revision == str(changed)


def test_a_deployment_is_waited_for_by_its_statuses(place: GitHubPlace) -> None:
    """
    Queued and in progress are no end, success is.
    """
    head = place.head()
    place.about.deployments.append({"id": 7, "environment": "prod", "sha": str(head)})
    said = place.about.deployment_statuses.setdefault(7, [])

    result = _wait(
        place,
        DEPLOYMENT,
        *(lambda state=state: said.append({"state": state}) for state in ("queued", "success")),
    )

    assert result.applications[0].sync == "success"


def test_a_token_without_the_right_says_which(place: GitHubPlace) -> None:
    """
    `statuses: read` is no right that a workflow has by itself.
    """
    place.github.tokens["ghs_poor"] = Token({"contents": "read"})

    with pytest.raises(GitOpsAccessError) as raised:
        _wait(place, STATUS, token="ghs_poor")

    assert "statuses: read" in raised.value.told
