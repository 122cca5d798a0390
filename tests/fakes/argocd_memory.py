"""One Application and its controller, in memory and in steps of time.

It does what the real one was seen to do: reconciles one after the other, auto-sync decided before
the comparison is written, a refresh that finds another under way is lost, whole seconds everywhere,
health that follows an apply sooner or later. `advance` plays everything up to a moment.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fakes.argocd_behaviour import Behaviour
from tests.fakes.argocd_document import Document, document_of, failed_resource, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Behaviour", "MemoryApplication"]

_HEAL_SECONDS = 5.0


@dataclass(kw_only=True)
class MemoryApplication:
    """`resolve(branch)` is a commit SHA, `images(sha)` what its manifests run."""

    name: str
    repo_url: str
    path: str
    target_revision: str
    resolve: Callable[[str], str]
    images: Callable[[str], Sequence[str]]
    now: float
    namespace: str = "argocd"
    project: str = "default"
    behaviour: Behaviour = field(default_factory=Behaviour)
    extra: Document = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    window_closed: bool = False
    nodes: list[Document] = field(default_factory=list)
    logs: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin as an Application that has been deployed for a while."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.version, self._operations = 100, 0
        self._reconciling = self._again = self._noticed = self.refreshing = False
        self.operation: Document | None = None
        self.state: Document | None = None
        self.conditions: list[Document] = []
        self._finished_at = self.now - 3600
        self._head = self.resolve(self.target_revision)
        self.live = tuple(self.images(self._head))
        self._applied_at = self.now - 3600
        self.history = [(self._applied_at, self.live)]
        self._before = "Healthy"
        self.compared_source = self.source()
        self.sync = {"status": "Synced", "revision": self._head}
        self.health = "Healthy"
        self.reconciled_at = self.now - 60
        self.schedule(self.behaviour.resync_seconds, self._resync)

    # What others do

    def refresh(self) -> None:
        """Ask for a refresh; one that is under way swallows it, as up to Argo CD 3.5."""
        self._touch()
        self.refreshing = True
        if not self._reconciling:
            self._reconcile()

    @property
    def busy(self) -> bool:
        return self.operation is not None

    def start_sync(self, revision: str = "", infos: list[Document] | None = None) -> None:
        """Begin an operation, as the button does."""
        revision = revision or self.resolve(self.target_revision)
        self._begin_operation(revision, automated=False, infos=infos)

    def terminate(self) -> None:
        """End the operation, as the other button does."""
        self._touch()
        self._operations += 1
        self.state = {"startedAt": stamp(self.now), **(self.state or {}), "phase": "Terminating"}
        self.schedule(self.behaviour.operation_seconds * 0.2, self._terminated)

    def advance(self, now: float) -> None:
        """Play everything that is due up to `now`."""
        while self._events and self._events[0][0] <= now:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = max(self.now, now)

    def schedule(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen after a while."""
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), act))

    @property
    def real_health(self) -> str:
        """The truth, of which documents tell later."""
        if self.behaviour.never_healthy or self.now < self._rolled_out_at:
            return "Progressing"
        sick = any(self.behaviour.sick in image for image in self.live)
        return "Degraded" if self.behaviour.degraded and sick else "Healthy"

    def document(self) -> Document:
        """What the API shows now."""
        return document_of(self)

    def source(self) -> Document:
        return {
            "repoURL": self.repo_url,
            "path": self.path,
            "targetRevision": self.target_revision,
        }

    # The controller

    @property
    def _rolled_out_at(self) -> float:
        return self._applied_at + max(self.behaviour.rollout_seconds, self.behaviour.late_seconds)

    def _touch(self) -> None:
        self.version += 1

    def _resync(self) -> None:
        self._reconcile()
        self.schedule(self.behaviour.resync_seconds, self._resync)

    def _reconcile(self) -> None:
        if self._reconciling:
            self._again = True
            return
        self._reconciling = True
        seconds = self.behaviour.reconcile_seconds
        began, read = self.now, {"head": "", "status": "", "health": ""}

        def look() -> None:
            head = self.resolve(self.target_revision)
            same = tuple(self.images(head)) == self._seen_live
            read.update(head=head, status="Synced" if same else "OutOfSync", health=self._seen())

        def decide() -> None:
            if read["status"] == "OutOfSync" and self._syncs_by_itself(read["head"]):
                self._begin_operation(read["head"], automated=True)

        def write() -> None:
            error = self._comparison_error(read["head"])
            self._touch()
            self.refreshing = self._reconciling = False
            self.reconciled_at, self.health = began, read["health"]
            self.compared_source = self.source()
            self.sync = (
                {"status": "Unknown", "revision": self.target_revision}
                if error
                else {"status": read["status"], "revision": read["head"]}
            )
            self.conditions = [{"type": "ComparisonError", "message": error}] if error else []
            if self._noticed:
                self._notice()
            if self._again:
                self._again = False
                self._reconcile()

        self.schedule(seconds * 0.5, look)
        self.schedule(seconds * 0.8, decide)
        self.schedule(seconds, write)

    def _syncs_by_itself(self, head: str) -> bool:
        if not self.behaviour.automated or self.busy or self._comparison_error(head):
            return False
        last = self.state or {"phase": ""}
        over = last["phase"] in {"Succeeded", "Failed", "Error"}
        # What failed is never tried again, what was healed only after a while.
        healing = last["phase"] == "Succeeded" and self.now > self._finished_at + _HEAL_SECONDS
        return healing or not (over and last["operation"]["sync"]["revision"] == head)

    def _comparison_error(self, head: str) -> str:
        some = self.behaviour.unrendered
        return self.behaviour.comparison_error if not some or head in some else ""

    def _seen(self) -> str:
        late = self.now < self._applied_at + self._seen_after
        return self._before if late else self.real_health

    @property
    def _seen_after(self) -> float:
        return self.behaviour.late_seconds + self.behaviour.lag_seconds

    @property
    def _seen_live(self) -> tuple[str, ...]:
        then = self.now - self.behaviour.lag_seconds
        return next(live for since, live in reversed(self.history) if since <= then)

    def _notice(self) -> None:
        """Compare at the old revision, as where only a live object changed: no `reconciledAt`."""
        self._noticed = self._reconciling  # one worker has one Application at a time
        if self._noticed:
            return
        self._touch()
        self.health = self._seen()
        if self.sync["status"] != "Unknown":
            same = tuple(self.images(self.sync["revision"])) == self._seen_live
            self.sync["status"] = "Synced" if same else "OutOfSync"

    def _begin_operation(
        self, revision: str, *, automated: bool, infos: list[Document] | None = None
    ) -> None:
        self._touch()
        self._operations += 1
        self.operation = {"sync": {"revision": revision}, "initiatedBy": {"automated": automated}}
        if infos:
            self.operation["info"] = infos
        self.state = None
        self._step(self.behaviour.operation_seconds * 0.2, self._run)

    def _step(self, seconds: float, event: Callable[[], None]) -> None:
        """Go on with this operation later, unless it is terminated until then."""
        number = self._operations
        self.schedule(seconds, lambda: event() if number == self._operations else None)

    def _terminated(self) -> None:
        assert self.state is not None
        self._touch()
        self.state = {
            **self.state,
            "operation": self.operation,
            "phase": "Failed",
            "message": "Operation terminated",
            "finishedAt": stamp(self.now),
        }
        self.operation = None
        self._reconcile()

    def _run(self) -> None:
        self._touch()
        retries = self.state.get("retryCount") if self.state else None
        self.state = {
            "operation": self.operation,
            "phase": "Running",
            "startedAt": stamp(self.now),
            "retryCount": retries,
        }
        self._step(self.behaviour.operation_seconds * 0.5, self._apply)
        self._step(self.behaviour.operation_seconds * 0.8, self._finish)

    @property
    def _fails(self) -> bool:
        assert self.operation is not None
        broken = self.behaviour.broken
        return bool(self.behaviour.sync_error) and (
            not broken or self.operation["sync"]["revision"] in broken
        )

    def _apply(self) -> None:
        assert self.operation is not None
        wanted = tuple(self.images(self.operation["sync"]["revision"]))
        if self._fails or wanted == self.live:
            return
        self._before, self.live, self._applied_at = self._seen(), wanted, self.now
        self.history.append((self.now, wanted))
        self.schedule(self._seen_after, self._notice)
        self.schedule(self._rolled_out_at - self.now + self.behaviour.lag_seconds, self._notice)

    def _finish(self) -> None:
        assert self.operation is not None
        assert self.state is not None
        self._touch()
        revision = self.operation["sync"]["revision"]
        self.state = {**self.state, "finishedAt": stamp(self.now)}
        self._finished_at = self.now
        if not self._fails:
            self.state |= {
                "phase": "Succeeded",
                "message": "successfully synced (all tasks run)",
                "syncResult": {"revision": revision},
            }
        else:
            error = self.behaviour.sync_error
            self.state |= {
                "message": f"one or more objects failed to apply, reason: {error}",
                "syncResult": {
                    "revision": revision,
                    "resources": [failed_resource(self.name, self.behaviour.sync_error)],
                },
            }
            tries = self.state.get("retryCount") or 0
            if tries < self.behaviour.retries:
                self.state["message"] += f". Retrying attempt #{tries + 1} at 5:13AM."
                self.state["retryCount"] = tries + 1
                self._step(self.behaviour.retry_seconds, self._run)
                return
            self.state["phase"] = "Failed"
        self.operation = None
        self._reconcile()
