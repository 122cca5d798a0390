"""A closer look at what does not go on: sync windows, and pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, CancelledError
from gitops_action.stages.sync.diagnosis import Live, diagnose
from gitops_action.stages.sync.image import is_idle
from gitops_action.stages.sync.narrow import chosen
from gitops_action.stages.sync.view import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.model.argocd import Application, Resource
    from gitops_action.stages.sync.voice import Voice
    from gitops_action.stages.sync.watch import Watch

# How long a state must have lasted, and how often its cause is looked for again, in seconds.
_WINDOW_AFTER, _WINDOW_AGAIN = 10.0, 20.0
_PODS_AFTER = 60.0


class Closer(Live, Protocol):
    def closed_window(self, application: Application) -> str:
        """The sync window that keeps Argo CD from syncing by itself; `""` where none does."""


class Look:
    """Looks at most so often at each Application, and never fails a wait."""

    def __init__(self, argocd: Closer, voice: Voice) -> None:
        self._argocd = argocd
        self._voice = voice
        self._windows_at: dict[Watch, float] = {}
        self._pods_since: dict[Watch, float] = {}

    def closer(self, watch: Watch, now: float) -> None:
        """Find out why nothing goes on, where something should have by now."""
        verdict = watch.verdict
        if verdict is None or watch.refused_now:
            return
        since = verdict.memory.since
        stands = verdict.application.automated and verdict.state is State.SYNC
        looked_at = self._windows_at.get(watch, float("-inf"))
        if stands and now - since >= _WINDOW_AFTER and now - looked_at >= _WINDOW_AGAIN:
            self._windows_at[watch] = now
            watch.in_window(self._window(verdict.application))
        if verdict.state is State.IMAGE and self._idle(verdict.application):
            watch.idles()
        ill = verdict.state is State.HEALTH and now - since >= _PODS_AFTER
        if ill and self._pods_since.get(watch) != since:
            self._pods_since[watch] = since
            for line in self._pods(watch, verdict.application):
                self._voice.say(watch, line, now)

    def explained(self, error: ActionError, watches: Sequence[Watch]) -> ActionError:
        """The error with what the pods of unhealthy Applications say."""
        lines = [
            line
            for watch in watches
            if watch.verdict and watch.verdict.state is State.HEALTH
            for line in self._pods(watch, watch.verdict.application)
        ]
        if not lines:
            return error
        return type(error)("\n".join((error.message, *lines)), hint=error.hint)

    def _window(self, application: Application) -> str:
        try:
            return self._argocd.closed_window(application)
        except CancelledError:
            raise
        except ActionError:
            return ""

    def _idle(self, application: Application) -> bool:
        try:
            return is_idle(self._argocd.tree(application))
        except CancelledError:
            raise
        except ActionError:
            return False

    def _pods(self, watch: Watch, application: Application) -> tuple[str, ...]:
        return diagnose(application, _ill(application, watch), live=self._argocd)


def _ill(application: Application, watch: Watch) -> Sequence[Resource]:
    """What is not healthy; everything, where Argo CD does not say what it is."""
    looked_at = chosen(application, watch.goal.resources)
    ill = [one for one in looked_at if one.health not in {"", *watch.goal.healths}]
    return ill or looked_at
