"""What the wait makes of an Argo CD that refuses, or does not answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_action.errors import (
    ActionError,
    ApplicationError,
    ArgoCDError,
    ArgoCDLoginError,
    ArgoCDPermissionError,
    ArgoCDTLSError,
    ArgoCDUnavailableError,
    CancelledError,
)
from gitops_action.model.argocd import Application
from gitops_action.stages.sync import SyncResult
from tests.fakes.applications import OLDER, application
from tests.fakes.wait import Wait
from tests.fakes.waiting import FakeClock, ScriptedArgoCD

OLD_ONE = application(revision=OLDER)


UNAVAILABLE = ArgoCDUnavailableError("Argo CD answers 502.", hint="Look.")
LOGIN = ArgoCDLoginError("Argo CD refuses the token.", hint="Look.")
FORBIDDEN = ArgoCDPermissionError("The token sees nothing.", hint="Look.")
MISSING = ApplicationError("No such Application.", hint="Look.")
STRANGER = ArgoCDError("A page.", hint="Look.")
TLS = ArgoCDTLSError("Not trusted.", hint="Look.")


@pytest.mark.parametrize(
    ("refusal", "at_first", "later"),
    [
        pytest.param(UNAVAILABLE, 120, 120, id="unavailable"),
        pytest.param(LOGIN, 3, 60, id="login"),
        pytest.param(FORBIDDEN, 10, 120, id="permission"),
        pytest.param(MISSING, 10, 120, id="missing"),
        pytest.param(STRANGER, 0, 10, id="not Argo CD"),
        pytest.param(TLS, 0, 0, id="certificate"),
    ],
)
def test_bears_a_refusal_longer_once_the_application_was_seen(
    refusal: ActionError, at_first: float, later: float
) -> None:
    """
    A restart of Argo CD in the middle of a rollout fails no job, a wrong token does so at once.
    """
    first, second = Wait((0, refusal)), Wait((0, OLD_ONE), (3, refusal))

    with pytest.raises(type(refusal)):
        first.run()
    with pytest.raises(type(refusal)):
        second.run()

    assert at_first <= first.seconds <= at_first + 5
    assert later <= second.seconds - 3 <= later + 5


@pytest.mark.parametrize("refusal", [UNAVAILABLE, LOGIN, FORBIDDEN, MISSING, STRANGER])
def test_a_refusal_that_passes_is_forgotten(refusal: ActionError) -> None:
    """
    Each misfortune begins its own count.
    """
    wait = Wait((0, OLD_ONE), (3, refusal), (9, OLD_ONE), (12, refusal), (18, application()))

    wait.run()

    assert refusal.message in "\n".join(wait.log.lines)


def test_a_refresh_that_does_not_return_is_no_failure() -> None:
    """
    A controller that is busy is asked again later, and the wait goes on.
    """

    class Busy(ScriptedArgoCD):
        def application(  # noqa: PLR0913  as the adapter's
            self,
            name: str,
            namespace: str = "",
            *,
            project: str = "",
            refresh: bool = False,
            hard: bool = False,
            timeout: float = 10.0,
        ) -> Application:
            document = super().application(
                name, namespace, project=project, refresh=refresh, hard=hard, timeout=timeout
            )
            if refresh:
                wait.clock.sleep(timeout)
                raise UNAVAILABLE
            return document

    wait = Wait((0, OLD_ONE))
    wait.argocd = Busy(wait.clock, [(0, OLD_ONE), (300, application())])

    wait.run()

    assert wait.seconds < 310


def test_does_not_ask_again_while_a_refresh_is_queued() -> None:
    """
    A refresh that waits its turn is not asked for twice.
    """
    wait = Wait((0, OLD_ONE), (0.05, replace(OLD_ONE, refresh_queued=True)), (90, application()))

    wait.run()

    refreshes = [round(when) for when, refresh in wait.argocd.asked if refresh]
    assert refreshes == [0, 60]


def test_cancellation_while_argocd_is_asked_ends_the_wait() -> None:
    """
    What is no refusal of Argo CD's is not borne.
    """
    wait = Wait((0, OLD_ONE), (2, CancelledError("Stopped.", hint="Run it again.")))

    with pytest.raises(CancelledError):
        wait.run()

    assert wait.seconds < 3


def test_cancellation_ends_the_wait_with_what_was_seen() -> None:
    """
    A cancelled job still reports where the Application stood.
    """

    class Cancelled(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.now > 1_800_000_004:
                raise CancelledError("Stopped.", hint="Run it again.")

    wait = Wait((0, OLD_ONE))
    wait.clock = Cancelled()

    with pytest.raises(CancelledError) as raised:
        wait.run()

    assert isinstance(raised.value.partial, SyncResult)
    assert raised.value.partial.applications[0].revision == OLDER
