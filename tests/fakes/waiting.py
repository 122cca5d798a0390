"""What the sync stage waits with, in memory: a clock, a log, an ancestry, and two Argo CDs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitops_action.errors import ActionError, ArgoCDUnavailableError
from gitops_action.model.argocd_document import parse_application

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitops_action.model.argocd import Application
    from gitops_action.model.log import Annotation
    from gitops_action.model.source import CommitSha
    from tests.fakes.argocd_memory import MemoryApplication

_STEP = 0.05


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0, "a wait that does not let time pass never ends"
        self.now += seconds


class LineLog:
    """Keeps the lines that were said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def foreign(self, text: str) -> None:
        self.lines.append(text)

    def annotate(self, annotation: Annotation) -> None:
        self.lines.append(annotation.message)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        self.lines.append(title)
        yield


class LinearAncestry:
    """One branch without forks, oldest commit first; what is not on it is unknown."""

    def __init__(self, commits: Sequence[str]) -> None:
        self.commits = list(commits)

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        if ancestor.value not in self.commits or revision.value not in self.commits:
            return None
        return self.commits.index(ancestor.value) <= self.commits.index(revision.value)


class MemoryArgoCD:
    """Answers from Applications in memory; a refresh blocks until the controller has compared."""

    def __init__(self, clock: FakeClock, applications: Mapping[str, MemoryApplication]) -> None:
        self._clock = clock
        self._applications = applications
        self.refreshes = 0

    def application(
        self, name: str, namespace: str = "", *, refresh: bool = False, timeout: float = 10.0
    ) -> Application:
        assert not namespace
        application = self._applications[name]
        application.advance(self._clock.now)
        if refresh:
            self.refreshes += 1
            application.refresh()
        ends = self._clock.now + timeout
        while refresh and application.refreshing:
            if self._clock.now >= ends:
                raise ArgoCDUnavailableError("no answer in time", hint="")
            self._clock.sleep(_STEP)
            application.advance(self._clock.now)
        return parse_application(application.document())

    def page(self, application: Application) -> str:
        return f"https://argocd.example.com/applications/argocd/{application.name}"


class ScriptedArgoCD:
    """Answers with what a script says at that second; the last entry lasts."""

    def __init__(
        self, clock: FakeClock, script: Sequence[tuple[float, Application | ActionError]]
    ) -> None:
        self._clock = clock
        self._begun = clock.now
        self._script = script
        self.asked: list[tuple[float, bool]] = []

    def application(
        self, name: str, namespace: str = "", *, refresh: bool = False, timeout: float = 10.0
    ) -> Application:
        assert name or namespace
        assert timeout > 0
        elapsed = self._clock.now - self._begun
        self.asked.append((elapsed, refresh))
        answer = [what for since, what in self._script if since <= elapsed][-1]
        if isinstance(answer, ActionError):
            raise answer
        return answer

    def page(self, application: Application) -> str:
        return f"https://argocd.example.com/applications/argocd/{application.name}"
