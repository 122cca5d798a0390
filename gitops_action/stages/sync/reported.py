"""The wait where the runner cannot reach Argo CD: what others report on GitHub about the commit.

Whoever reports does so on the commit that was synced, and never on one that was overtaken before:
so reports on descendants of ours count too, as long as these ask for our image. A report on ours
that says success is final.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from gitops_action.errors import (
    GitOpsUnavailableError,
    ReportedError,
    RolledBackError,
    WaitTimeoutError,
)
from gitops_action.model.via import Reporter, Via
from gitops_action.model.wait import ApplicationName
from gitops_action.stages.sync.lineage import Branches, Lineage, Relation
from gitops_action.stages.sync.promotion import Files, Promotion, Sources
from gitops_action.stages.sync.request import ApplicationResult, SyncResult
from gitops_action.stages.sync.words import duration, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import PurePosixPath

    from gitops_action.model.deployment import CommitReport
    from gitops_action.model.log import Log
    from gitops_action.model.source import CommitSha
    from gitops_action.stages.sync.request import Promoted

T = TypeVar("T")

_POLL_SECONDS = 10.0
_REFUSED_SECONDS = 30.0
_HEARTBEAT_SECONDS = 55.0
# The newest commits that are looked at beside ours: each costs a question in every round.
_DESCENDANTS = 10
_COMMITS = 30
# GitHub makes a deployment inactive only where it had succeeded before:
# https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status
_GOOD = {"success", "inactive"}
_BAD = {"failure", "error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRequest:
    """Which report to wait for, and how long.

    `branch` is where the commit was promoted; `changed` is false where it had nothing to change.
    """

    via: Via
    branch: str
    timeout_seconds: float
    changed: bool = True


class Reports(Protocol):
    """What a repository's commits are reported to be; repeated questions should be cheap."""

    def status(self, sha: CommitSha, context: str) -> CommitReport | None: ...

    def deployments(self, environment: str) -> Sequence[CommitSha]:
        """The commits that were last deployed there, newest first."""

    def deployment(self, environment: str, sha: CommitSha) -> CommitReport | None: ...

    def commits(
        self, branch: str, path: PurePosixPath | None = None, count: int = 50
    ) -> Sequence[CommitSha]:
        """The newest commits up to a branch or SHA, newest first; those that touched `path`."""


class History(Branches, Files, Protocol):
    """The commits of the GitOps branch, and the files in them."""


class Clock(Protocol):
    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


def wait_for_report(  # noqa: PLR0913  four collaborators beside what is asked
    request: ReportedRequest,
    promoted: Promoted,
    *,
    reports: Reports,
    history: History,
    clock: Clock,
    log: Log,
    sources: Sources | None = None,
) -> SyncResult:
    """Wait until what was promoted, or a descendant that asks for it, is reported to be deployed.

    Raises ReportedError where it is reported to have failed, RolledBackError where somebody
    replaced our image, WaitTimeoutError at the deadline, and the errors of `reports`, of which
    GitOpsUnavailableError only at the deadline. Every error of ours carries the SyncResult so far.
    """
    begun = said_at = clock.monotonic()
    deadline = begun + request.timeout_seconds
    if not request.changed:
        last = partial(_last_change, promoted, reports, history)
        promoted = replace(promoted, commit=_answered(last, deadline, clock, log))
    commit, said = promoted.commit, ""
    promotion = Promotion(promoted, history, sources)
    lineage = Lineage(commit, history, clock.monotonic, promotion, request.branch)
    decides = partial(_decides, request, lineage, commit, reports)
    while True:
        report = _answered(decides, deadline, clock, log)
        reason = _said(report, commit)
        now = clock.monotonic()
        if reason != said or now - said_at >= _HEARTBEAT_SECONDS:
            lasted = f" ({duration(now - begun)})" if reason == said else ""
            log.say(f"{request.via}: {reason}{lasted}")
            said, said_at = reason, now
        result = _result(request.via, report, reason)
        if ended := _ended(report, lineage, request.via, result):
            return ended
        if now >= deadline:
            raise _too_late(request, commit, reason, result)
        clock.sleep(min(_POLL_SECONDS, deadline - now))


def _answered(ask: Callable[[], T], deadline: float, clock: Clock, log: Log) -> T:
    """Bear a GitHub that does not answer, or that wants to be left alone, until the deadline."""
    said = ""
    while True:
        try:
            return ask()
        except GitOpsUnavailableError as error:
            now = clock.monotonic()
            if now >= deadline:
                raise
            if error.message != said:
                log.say(error.message)
            said = error.message
            clock.sleep(min(_REFUSED_SECONDS, deadline - now))


def _ended(
    report: CommitReport | None, lineage: Lineage, via: Via, result: SyncResult
) -> SyncResult | None:
    """What the wait comes to by this report; None while it goes on."""
    if report is None:
        return None
    relation = lineage.relation(report.sha.value)
    if relation is Relation.SUPERSEDED:
        return replace(result, superseded=True)
    if relation is Relation.REPLACED:
        raise _rolled_back(report, lineage.replacement(report.sha.value), result)
    if report.state in _BAD:
        raise _failed(via, result)
    return result if report.state in _GOOD else None


def _last_change(promoted: Promoted, reports: Reports, history: History) -> CommitSha:
    """The commit since which the kustomizations are as they are.

    This is whose reports matter where nothing had to be changed: nobody reports on a commit that
    leaves an Application as it was.
    """
    newest: CommitSha | None = None
    for path in promoted.files:
        for commit in reports.commits(promoted.commit.value, path, 1):
            if newest is None or history.contains(newest, commit):
                newest = commit
    return newest or promoted.commit


def _decides(
    request: ReportedRequest, lineage: Lineage, commit: CommitSha, reports: Reports
) -> CommitReport | None:
    """The report on our commit where it is good, else the newest that is final, else any."""
    ours = seen = _report(request.via, commit, reports)
    if ours and ours.state in _GOOD:
        return ours
    for sha in _descendants(request, lineage, commit, reports):
        report = _report(request.via, sha, reports)
        final = report and report.state in _GOOD | _BAD
        if report and (final or not lineage.relation(sha.value).covers):
            return report
        seen = seen or report
    return seen


def _report(via: Via, sha: CommitSha, reports: Reports) -> CommitReport | None:
    if via.reporter is Reporter.DEPLOYMENT:
        return reports.deployment(via.name, sha)
    return reports.status(sha, via.name)


def _descendants(
    request: ReportedRequest, lineage: Lineage, commit: CommitSha, reports: Reports
) -> Iterator[CommitSha]:
    """The newest commits that contain ours and may carry a report, newest first."""
    if request.via.reporter is Reporter.DEPLOYMENT:
        others = reports.deployments(request.via.name)
    else:
        others = reports.commits(request.branch, None, _COMMITS)
    found = (one for one in others if one != commit and lineage.relation(one.value).follows)
    return itertools.islice(found, _DESCENDANTS)


def _said(report: CommitReport | None, commit: CommitSha) -> str:
    if report is None:
        return f"nothing is reported on {commit.short} yet"
    where = report.sha.short
    if report.sha != commit:
        where += f", which contains {commit.short}"
    description = f" ({one_line(report.description)})" if report.description else ""
    return f"{report.state or 'no state yet'}{description} on {where}"


def _result(via: Via, report: CommitReport | None, reason: str) -> SyncResult:
    one = ApplicationResult(
        name=ApplicationName(str(via)),
        revision=str(report.sha) if report else "",
        sync=report.state if report else "",
        health="",
        url=report.url if report else "",
        reason=reason,
    )
    return SyncResult((one,))


def _rolled_back(report: CommitReport, image: str, result: SyncResult) -> RolledBackError:
    return RolledBackError(
        f"Somebody replaced our image: {report.sha.short} asks for {image}, which is not known to"
        " be newer.",
        hint="Look who changed it: `git log` of the kustomization. If it was not meant, run this"
        " job again.",
        partial=result,
    )


def _failed(via: Via, result: SyncResult) -> ReportedError:
    (one,) = result.applications
    return ReportedError(
        f"The report {via} says {one.reason}.",
        hint=(f"Look at {one.url}. " if one.url else "")
        + "Mend what it names in the GitOps repository and push, or promote the previous image"
        " again. If somebody has mended it in the cluster, run this job again once it says so.",
        partial=result,
    )


_WRITERS = {
    Reporter.STATUS: "the commit status with exactly this context",
    Reporter.DEPLOYMENT: "a deployment of this environment and its status",
}


def _too_late(
    request: ReportedRequest, commit: CommitSha, reason: str, result: SyncResult
) -> WaitTimeoutError:
    return WaitTimeoutError(
        f"The report {request.via} did not come in {duration(request.timeout_seconds)} for"
        f" {commit.short}; last seen: {reason}.",
        hint=f"Look whether the cluster writes {_WRITERS[request.via.reporter]} on every commit of"
        f" {request.branch} that it deploys: docs/wait-via.md has the configuration. Argo CD's own"
        " triggers say nothing of a commit that leaves the Application as it was.",
        partial=result,
    )
