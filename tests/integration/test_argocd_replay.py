"""The wait against a fake Argo CD that does what a real one was recorded to do."""

from __future__ import annotations

import pytest

from gitops_action.adapters.argocd import ArgoCD
from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.http import Http
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import ApplicationName, Promoted, SyncRequest, WaitFor, sync
from tests.fakes.argocd import FakeArgoCD
from tests.fakes.waiting import LinearAncestry, LineLog


@pytest.mark.parametrize(
    ("name", "push"),
    [
        pytest.param("3.6.1/bump-to-healthy", 0, id="a new tag"),
        pytest.param("3.6.1/commit-outside-the-path", 0, id="outside the path"),
        pytest.param("3.6.1/blocked-then-terminated", 1, id="blocked, and freed by another"),
        pytest.param("3.6.1/two-pushes-in-a-row", 1, id="the second of two"),
    ],
)
def test_a_wait_on_what_was_recorded_ends_when_it_was_true(name: str, push: int) -> None:
    """
    Over HTTP and in the recorded seconds the wait is neither early nor much too late.
    """
    http, log = Http(Cancellation()), LineLog()
    with FakeArgoCD() as fake:
        application = fake.replay(name)
        first = application.documents[0][1]["status"]["sync"]["revision"]

        sync(
            SyncRequest(
                applications=(ApplicationName(application.name),),
                gitops_url=application.repo_url,
                wait_for=WaitFor.HEALTHY,
                timeout_seconds=60,
                settle_seconds=0,
            ),
            Promoted(commit=CommitSha(application.pushed[push])),
            argocd=ArgoCD(http, fake.url, Secret(fake.token)),
            ancestry=LinearAncestry([first, *application.pushed]),
            clock=Cancellation(),
            log=log,
        )

        over = application.documents[-1][0]
        assert over <= application.elapsed <= over + 8
    http.close()
