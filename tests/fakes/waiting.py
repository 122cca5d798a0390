"""What the sync stage waits with, in memory: a clock, a log, an ancestry, and two Argo CDs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitops_action.errors import ActionError, ArgoCDUnavailableError
from gitops_action.model.argocd import NONCE
from gitops_action.model.argocd_document import parse_application
from gitops_action.model.source import CommitSha
from gitops_action.model.wait import ApplicationName
from tests.fakes.pods import MemoryPods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import PurePosixPath

    from gitops_action.model.argocd import Application
    from gitops_action.model.log import Annotation
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
        self.annotations: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def foreign(self, text: str) -> None:
        self.lines.append(text)

    def annotate(self, annotation: Annotation) -> None:
        self.annotations.append(annotation.message)
        self.lines.append(annotation.message)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        self.lines.append(title)
        yield


class LinearAncestry:
    """One branch without forks, oldest commit first; what is not on it is unknown.

    `files` are the commits' own, by SHA and path.
    """

    def __init__(
        self, commits: Sequence[str], files: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.commits = list(commits)
        self.files = files or {}

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        if ancestor.value not in self.commits or revision.value not in self.commits:
            return None
        return self.commits.index(ancestor.value) <= self.commits.index(revision.value)

    def head(self, branch: str) -> CommitSha:
        assert branch
        return CommitSha(self.commits[-1])

    def file(self, revision: CommitSha, path: PurePosixPath) -> bytes | None:
        text = self.files.get(revision.value, {}).get(str(path))
        return None if text is None else text.encode()


class OrderedSources:
    """Knows images by their tag, the oldest first; of what is not listed nobody knows."""

    def __init__(self, tags: Sequence[str], ours: str) -> None:
        self._tags, self._ours = list(tags), ours

    def is_newer(self, image: str, head: CommitSha) -> bool | None:
        assert head.value
        tag = image.rpartition(":")[2]
        if tag not in self._tags:
            return None
        return self._tags.index(tag) > self._tags.index(self._ours)


class MemoryArgoCD(MemoryPods):
    """Answers from Applications in memory; a refresh blocks until the controller has compared.

    `lost` is how many requests for a sync arrive and get no answer; with `stopped` the controller
    does nothing any more. From the first to the second time in `down` nothing answers.
    """

    def __init__(self, clock: FakeClock, applications: Mapping[str, MemoryApplication]) -> None:
        self._clock = clock
        self._applications = applications
        self.documents = self.refreshes = self.lost = 0
        self.stopped = False
        self.down: tuple[float, float] = (0.0, 0.0)
        self.before_terminate: Callable[[], None] = _nothing

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
        assert refresh or not hard
        application = self._find(name, namespace, project)
        self.documents += 1
        if refresh:
            self.refreshes += 1
            application.refresh()
        ends = self._clock.now + timeout
        while refresh and application.refreshing:
            if self._clock.now >= ends:
                raise ArgoCDUnavailableError("no answer in time", hint="")
            self._clock.sleep(_STEP)
            self._find(name, namespace, project)
        return parse_application(application.document())

    def select(self, selector: str = "", *, project: str = "") -> tuple[ApplicationName, ...]:
        wanted = dict([selector.split("=")]) if selector else {}
        return tuple(
            ApplicationName(one.name, one.namespace)
            for one in self._applications.values()
            if wanted.items() <= one.labels.items() and project in {"", one.project}
        )

    def sync(self, name: str, namespace: str = "", *, project: str = "", nonce: str) -> bool:
        application = self._find(name, namespace, project)
        if application.busy:
            return False
        application.start_sync(infos=[{"name": NONCE, "value": nonce}])
        if self.lost:
            self.lost -= 1
            raise ArgoCDUnavailableError("no answer in time", hint="")
        return True

    def terminate(self, name: str, namespace: str = "", *, project: str = "") -> bool:
        self.before_terminate()
        application = self._find(name, namespace, project)
        if not application.busy:
            return False
        application.terminate()
        return True

    def page(self, application: Application) -> str:
        return f"https://argocd.example.com/applications/argocd/{application.name}"

    def _find(self, name: str, namespace: str, project: str) -> MemoryApplication:
        application = self._applications[name]
        assert namespace in {"", application.namespace}
        assert project in {"", application.project}
        if not self.stopped:
            application.advance(self._clock.now)
        if self.down[0] <= self._clock.now < self.down[1]:
            raise ArgoCDUnavailableError("502 Bad Gateway", hint="")
        return application


def _nothing() -> None:
    """Nothing comes in between."""


class ScriptedArgoCD(MemoryPods):
    """Answers with what a script says at that second; the last entry lasts."""

    def __init__(
        self, clock: FakeClock, script: Sequence[tuple[float, Application | ActionError]]
    ) -> None:
        self._clock = clock
        self._begun = clock.now
        self._script = script
        self.asked: list[tuple[float, bool]] = []
        self.hard: list[float] = []
        self.synced: list[tuple[float, str]] = []
        self.sync_answers: list[bool | ActionError] = []
        self.terminated: list[float] = []
        self.terminate_answers: list[bool | ActionError] = []
        self.selected: list[tuple[ApplicationName, ...] | ActionError] = []

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
        assert name or namespace or project
        assert timeout > 0
        self.asked.append((self._elapsed, refresh))
        if hard:
            self.hard.append(self._elapsed)
        elapsed = self._elapsed
        answer = [what for since, what in self._script if since <= elapsed][-1]
        if isinstance(answer, ActionError):
            raise answer
        return answer

    def select(self, selector: str = "", *, project: str = "") -> tuple[ApplicationName, ...]:
        assert selector or project
        answer = self.selected.pop(0) if self.selected else (ApplicationName("shop"),)
        if isinstance(answer, ActionError):
            raise answer
        return answer

    def sync(self, name: str, namespace: str = "", *, project: str = "", nonce: str) -> bool:
        assert name or namespace or project
        self.synced.append((self._elapsed, nonce))
        answer = self.sync_answers.pop(0) if self.sync_answers else True
        if isinstance(answer, ActionError):
            raise answer
        return answer

    def terminate(self, name: str, namespace: str = "", *, project: str = "") -> bool:
        assert name or namespace or project
        self.terminated.append(self._elapsed)
        answer = self.terminate_answers.pop(0) if self.terminate_answers else True
        if isinstance(answer, ActionError):
            raise answer
        return answer

    def page(self, application: Application) -> str:
        return f"https://argocd.example.com/applications/argocd/{application.name}"

    @property
    def _elapsed(self) -> float:
        return self._clock.now - self._begun
