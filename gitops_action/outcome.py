"""How a run ended: every stage with its time and result, on success and failure alike."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gitops_action.errors import (
    ActionError,
    BugError,
    CancelledError,
    RegistryError,
    RegistryUnavailableError,
)
from gitops_action.model.build import BuiltImage
from gitops_action.model.image import ImageReference
from gitops_action.model.source import is_commit_sha
from gitops_action.model.stage import Stage
from gitops_action.plan import Plan
from gitops_action.stages.preflight import PreflightResult
from gitops_action.stages.promote import Ending, PromoteResult
from gitops_action.stages.publish import PublishResult
from gitops_action.stages.sync import ApplicationResult, SyncResult
from gitops_action.stages.verify import VerifyResult


class Result(enum.StrEnum):
    """What the step has reached; `reverted` and `failed` end it with an error."""

    HEALTHY = "healthy"
    SYNCED = "synced"
    PROMOTED = "promoted"
    PROPOSED = "proposed"
    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    VERIFIED = "verified"
    REVERTED = "reverted"
    FAILED = "failed"


class State(enum.StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StageRun:
    """How one stage went: its wall time, one line about its result, the code of its failure."""

    name: str
    state: State
    seconds: float = 0.0
    words: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was done and what was not; a stage that has no result has None."""

    plan: Plan | None
    result: Result
    runs: tuple[StageRun, ...] = ()
    failure: ActionError | None = None
    image: ImageReference | None = None
    verify: VerifyResult | None = None
    publish: PublishResult | None = None
    promote: PromoteResult | None = None
    sync: SyncResult | None = None
    reverted: PromoteResult | None = None

    @property
    def may_be_pushed(self) -> bool:
        """Whether a push broke off of which only the registry knows how far it came."""
        unheard = {CancelledError.code, RegistryUnavailableError.code, RegistryError.code}
        return self.publish is None and any(
            run.name == Stage.PUBLISH and run.failure in unheard for run in self.runs
        )


def words(result: object) -> str:  # noqa: PLR0911  one for each kind of result
    """Say a stage's result in a few words."""
    match result:
        case VerifyResult():
            failed = f", {result.failed} failed" if result.failed else ""
            skipped = f", {result.skipped} skipped" if result.skipped else ""
            passed = f"{counted(result.passed, 'test')} passed" if result.tests else "no test ran"
            return f"{passed}{failed}{skipped}"
        case PreflightResult():
            return f"{counted(result.checks, 'check')} passed"
        case BuiltImage():
            in_registry = result.builder == "registry"
            return "in the registry already" if in_registry else f"built with {result.builder}"
        case PublishResult():
            return f"tagged {', '.join(short_tag(tag) for tag in result.tags)}"
        case PromoteResult():
            return _promoted(result)
        case SyncResult():
            return ", ".join(_standing(one) for one in result.applications)
        case _:
            return "done"


def _promoted(result: PromoteResult) -> str:
    match result.ending:
        case Ending.PROMOTED:
            return f"{result.revision.short} asks for the image"
        case Ending.UNCHANGED:
            return f"nothing to change at {result.revision.short}"
        case Ending.PROPOSED:
            return f"proposed by {result.pull_request.url if result.pull_request else ''}"
        case Ending.SUPERSEDED:
            return f"superseded at {result.revision.short}"
        case Ending.PLANNED:
            return f"a dry run: {result.revision.short} would be changed"


def counted(number: int, noun: str) -> str:
    """Put a number before a noun: `1 test`, `2 tests`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _standing(one: ApplicationResult) -> str:
    status = " and ".join(word for word in (one.sync, one.health) if word)
    return f"{one.name} is {status} at {one.revision[:7]}" if status else f"{one.name} was not seen"


def short_tag(tag: str) -> str:
    """A commit SHA as people read it; any other tag as it is."""
    return f"{tag[:7]}…" if is_commit_sha(tag) else tag


def last_line(outcome: Outcome) -> str:
    """Say in one line how the run ended, and on failure what had been done by then."""
    kind = f" ({outcome.failure.code})" if outcome.failure else ""
    return f"{outcome.result}{kind}: {_done(outcome)}"


def _done(outcome: Outcome) -> str:
    done = [words(outcome.verify)] if outcome.verify else []
    if outcome.publish:
        done.append(f"pushed {outcome.publish.image.tagged}")
    if outcome.promote:
        done.append(words(outcome.promote))
    if outcome.sync:
        done.append(words(outcome.sync))
    if outcome.reverted:
        done.append(f"{outcome.reverted.revision.short} has put the old image back")
    if outcome.failure and (undone := _undone(outcome)):
        done.append(undone)
    return "; ".join(done)


def _undone(outcome: Outcome) -> str:
    """What a failure has kept from being done; empty where all is said by what was done."""
    if isinstance(outcome.failure, BugError):
        # It lost what was known; `nothing was pushed` could be wrong.
        return "what was done by then is said above"
    if outcome.promote:
        return ""
    if outcome.may_be_pushed:
        return "the image may be in the registry; nothing was committed"
    return "nothing was committed" if outcome.publish else "nothing was pushed or committed"
