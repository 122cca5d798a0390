"""The action's own wait on a real Argo CD, in a thread beside the test that acts."""

from __future__ import annotations

import os
import threading
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from gitops_action.adapters.argocd import ArgoCD
from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.git import Git, GitOpsClone
from gitops_action.adapters.http import Http
from gitops_action.errors import ActionError
from gitops_action.kustomization import ImageRequest
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import (
    ApplicationName,
    Promoted,
    SyncRequest,
    SyncResult,
    WaitFor,
    sync,
)
from tests.fakes.waiting import LineLog
from tests.systems.rollout import IMAGE, PATH

if TYPE_CHECKING:
    from pathlib import Path

    from tests.systems.rollout import Rollout

_PATIENCE_SECONDS = 300.0
# What answers may take on two cores that run all of Argo CD and eight tests, which is a load of
# eight; where others use the machine too, longer.
_BUSY_SECONDS, _OUR_LOAD = 2.5, 4.0


def clone_of(one: Rollout, folder: Path) -> GitOpsClone:
    """Clone the repository, as the pipeline has before it waits."""
    folder.mkdir()
    git = Git(
        directory=folder,
        cancellation=Cancellation(),
        env=one.git.environment(),
        url=one.url,
        token=Secret(one.git.token),
    )
    clone = GitOpsClone(git)
    clone.head("main")
    return clone


class RecordingClock:
    """The time, and when the wait slept for how long."""

    def __init__(self) -> None:
        self._clock = Cancellation()
        self._sleeps: list[tuple[float, float]] = []

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._sleeps.append((self.monotonic(), seconds))
        self._clock.sleep(seconds)

    def slept_since(self, moment: float) -> float:
        """Seconds that the wait chose to sleep from this moment on."""
        return sum(
            max(0.0, begun + seconds - max(begun, moment)) for begun, seconds in self._sleeps
        )


class Versions:
    """Knows which image is newer by its tag, such as `1.2.0`."""

    def __init__(self, tag: str) -> None:
        self._ours = tag

    def is_newer(self, image: str, head: CommitSha) -> bool | None:  # noqa: ARG002  as in the Protocol
        return _numbers(image.rpartition(":")[2]) > _numbers(self._ours)


def _numbers(tag: str) -> list[int]:
    return [int(part) for part in tag.split(".")]


class Waiting:
    """A wait for one commit in all of `rollouts`, which share a repository; begins at once."""

    def __init__(  # noqa: PLR0913  a wait has this many sides
        self,
        commit: str,
        *rollouts: Rollout,
        clone: GitOpsClone,
        server: str = "",
        token: str = "",
        ca_file: Path | None = None,
        timeout_seconds: float = 60.0,
        tag: str = "",
        rendered_diff: str | None = "+++ b/overlays/dev Deployment/shop\n",
        **more: Any,  # noqa: ANN401  fields of a SyncRequest
    ) -> None:
        """`tag` is what the commit promoted, so that the image that runs is looked at."""
        first = rollouts[0]
        self.log = LineLog()
        self.clock = RecordingClock()
        self.begun = time.monotonic()
        self.ended = 0.0
        self._outcome: SyncResult | ActionError | None = None
        self._http = Http(Cancellation(), ca_file=ca_file)
        self._argocd = ArgoCD(
            self._http,
            server or first.installation.url,
            Secret(token or first.installation.tokens["ci"]),
        )
        self._clone = clone
        self._sources = Versions(tag) if tag else None
        settings: dict[str, Any] = {
            "wait_for": WaitFor.HEALTHY,
            "settle_seconds": 10.0,
            "branch": "main",
            "run": "https://github.com/acme/shop/actions/runs/1",
            **more,
        }
        self._request = SyncRequest(
            applications=tuple(ApplicationName(one.name) for one in rollouts),
            gitops_url=first.url,
            timeout_seconds=timeout_seconds,
            **settings,
        )
        image = ImageReference(Repository(IMAGE), tag) if tag else None
        promoted = Promoted(
            commit=CommitSha(commit),
            files=(PurePosixPath(PATH, "kustomization.yaml"),) if tag else (),
            image=ImageRequest(image) if image else None,
            rendered_diff=rendered_diff,
        )
        self._thread = threading.Thread(target=self._wait, args=(promoted,))
        self._thread.start()

    def _wait(self, promoted: Promoted) -> None:
        self.begun = time.monotonic()
        try:
            self._outcome = sync(
                self._request,
                promoted,
                argocd=self._argocd,
                ancestry=self._clone,
                clock=self.clock,
                log=self.log,
                sources=self._sources,
            )
        except ActionError as error:
            self._outcome = error
        finally:
            self.ended = time.monotonic()
            self._http.close()

    def assert_ended_soon_after(self, moment: float, *, pauses: float) -> None:
        """It slept at most `pauses` seconds after it could have ended, and the rest was answers."""
        assert self.ended >= moment
        assert self.clock.slept_since(moment) <= pauses + 0.1
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        assert self.ended - moment <= pauses + _BUSY_SECONDS * max(1.0, load / _OUR_LOAD)

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def said(self, words: str) -> bool:
        return any(words in line for line in self.log.lines)

    def await_line(self, words: str, seconds: float = 30.0) -> None:
        """Wait until the log says it."""
        deadline = time.monotonic() + seconds
        while not self.said(words):
            assert not self.over, f"it ended: {self._outcome}; {self.log.lines}"
            assert time.monotonic() < deadline, f"not said: {words}; {self.log.lines}"
            time.sleep(0.02)

    def result(self) -> SyncResult:
        """The result of a wait that ends well."""
        outcome = self._finished()
        assert isinstance(outcome, SyncResult), f"{outcome}; {self.log.lines}"
        return outcome

    def failure(self) -> ActionError:
        """The error of a wait that ends badly."""
        outcome = self._finished()
        assert isinstance(outcome, ActionError), f"{outcome}; {self.log.lines}"
        return outcome

    def _finished(self) -> SyncResult | ActionError:
        self._thread.join(_PATIENCE_SECONDS)
        assert self._outcome is not None, f"the wait hangs: {self.log.lines}"
        return self._outcome
