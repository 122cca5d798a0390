"""What has been done so far, told as it is done and kept for the report."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Protocol, TypeVar

from gitops_action.errors import ActionError, BugError, CancelledError, RunnerError
from gitops_action.model.image import ImageReference
from gitops_action.model.log import HeldLog, Log
from gitops_action.model.stage import Stage
from gitops_action.model.wait import WaitFor
from gitops_action.outcome import Outcome, Result, StageRun, State, words
from gitops_action.plan import Plan
from gitops_action.stages.preflight import PREFLIGHT
from gitops_action.stages.promote import REVERT, Ending, PromoteResult
from gitops_action.stages.publish import PublishResult
from gitops_action.stages.sync import SyncResult
from gitops_action.stages.verify import VerifyResult

_T = TypeVar("_T")
_NOT_PROMOTED = {
    Ending.UNCHANGED: Result.UNCHANGED,
    Ending.PROPOSED: Result.PROPOSED,
    Ending.SUPERSEDED: Result.SUPERSEDED,
    Ending.PLANNED: Result.VERIFIED,
}
_MARKS = {State.PASSED: "✓", State.FAILED: "✗", State.CANCELLED: "-"}


class Clock(Protocol):
    def check(self) -> None:
        """Raise CancelledError where the run was cancelled."""

    def monotonic(self) -> float: ...


class Progress:
    """What has been done so far: one line in the log and one StageRun for every stage."""

    def __init__(self, plan: Plan, clock: Clock, log: Log) -> None:
        self.plan = plan
        self.clock = clock
        self.log = log
        self.image: ImageReference | None = None
        self.reverted: PromoteResult | None = None
        self._runs: dict[str, StageRun] = {}
        self._results: list[object] = []

    def stage(self, name: str, work: Callable[[Log], _T], log: Log | None = None) -> _T:
        """Do the work of one stage and keep its result, or what there is of it."""
        started = self.clock.monotonic()
        state = State.FAILED
        said, code = "", BugError.code
        try:
            self.clock.check()
            result = _with_space(partial(work, log or self.log))
            self._keep(result)
            state, said, code = State.PASSED, words(result), ""
        except ActionError as error:
            self._keep(error.partial)
            state = State.CANCELLED if isinstance(error, CancelledError) else State.FAILED
            said, code = error.message, error.code
            raise
        finally:
            seconds = self.clock.monotonic() - started
            self._runs[name] = StageRun(name, state, seconds, said, code)
            if log is None or log is self.log:
                self._close(name)
        return result

    def show(self, name: str, lines: HeldLog) -> None:
        """Print the held lines of a stage: folded where it passed, open where it did not."""
        passed = self._runs[name].state is State.PASSED
        with self.log.group(name) if passed else nullcontext():
            lines.release(self.log)
        self._close(name)

    def result(self, kind: type[_T]) -> _T | None:
        return next((result for result in self._results if isinstance(result, kind)), None)

    def outcome(self, failure: ActionError | None) -> Outcome:
        promoted, synced = self.result(PromoteResult), self.result(SyncResult)
        return Outcome(
            plan=self.plan,
            result=_reached(self.plan, promoted, synced) if failure is None else self._failed(),
            runs=tuple(
                self._runs.get(name, StageRun(name, State.SKIPPED))
                for name in (PREFLIGHT, *Stage, *({REVERT} & set(self._runs)))
            ),
            failure=failure,
            image=self.image,
            verify=self.result(VerifyResult),
            publish=self.result(PublishResult),
            promote=promoted,
            sync=synced,
            reverted=self.reverted,
        )

    def _failed(self) -> Result:
        return Result.REVERTED if self.reverted else Result.FAILED

    def _keep(self, result: object) -> None:
        self._results.append(result)
        if isinstance(result, PublishResult):
            self.image = result.image

    def _close(self, name: str) -> None:
        run = self._runs[name]
        # The message of a failure is told once, as an error with its hint.
        words = run.failure if run.state is State.FAILED else run.words
        self.log.say(f"{_MARKS[run.state]} {name} ({run.seconds:.1f} s): {words}")


def _with_space(work: Callable[[], _T]) -> _T:
    """Tell a full disk wherever it is met: every stage writes files, and each write may fail."""
    try:
        return work()
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise RunnerError(
            f"The runner's disk is full: {error}.",
            hint="Free disk space on the runner, or use one with a larger disk.",
        ) from error


def _reached(plan: Plan, promoted: PromoteResult | None, synced: SyncResult | None) -> Result:
    if promoted is None:
        return Result.PUBLISHED if plan.publish else Result.VERIFIED
    if synced and synced.superseded:
        return Result.SUPERSEDED
    if promoted.ending is not Ending.PROMOTED:
        return _NOT_PROMOTED[promoted.ending]
    if synced is None:
        return Result.PROMOTED
    wanted = plan.sync is None or plan.sync.wait_for is not WaitFor.SYNCED
    healthy = all(one.health == "Healthy" for one in synced.applications)
    return Result.HEALTHY if wanted and healthy else Result.SYNCED
