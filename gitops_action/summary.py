"""The outcome as people read it: the job summary, result first."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from gitops_action.errors import BugError, CancelledError
from gitops_action.outcome import Outcome, Result, State, counted, short_tag, words
from gitops_action.stages.promote import Ending
from gitops_action.stages.sync import ApplicationResult

_HEADLINES = {
    Result.HEALTHY: "✅ Deployed and healthy",
    Result.SYNCED: "✅ Deployed",
    Result.PROMOTED: "✅ Promoted",
    Result.PROPOSED: "✅ Proposed",
    Result.PUBLISHED: "✅ Published",
    Result.UNCHANGED: "✅ Nothing to change",
    Result.SUPERSEDED: "✅ Superseded by a newer commit",
    Result.VERIFIED: "✅ Verified",
    Result.REVERTED: "❌ Reverted",
    Result.FAILED: "❌ Failed",
}
_STATES = {
    State.PASSED: "✅ passed",
    State.FAILED: "❌ failed",
    State.CANCELLED: "⏹️ stopped",
    State.SKIPPED: "not run",
}
# In a narrow column a word would leave its mark or its number.
_KEPT_TOGETHER = str.maketrans({" ": "\N{NO-BREAK SPACE}"})
_DIFF_LINES = 200
_FINDINGS = 50
_PACKAGES = 100
_STANDINGS = {
    Ending.PROMOTED: "**GitOps commit** {commit}",
    Ending.UNCHANGED: "**GitOps branch** asks for it already, at {commit}",
    Ending.PROPOSED: "**GitOps branch** gets it by {pull}",
    Ending.SUPERSEDED: "**GitOps branch** asks for a newer image, at {commit}: ours is not written",
    Ending.PLANNED: "**GitOps branch** was left alone at {commit}: a dry run",
}


def summary(outcome: Outcome) -> str:
    """Make the job summary in GitHub's Markdown: what is asked first stands first."""
    parts = (
        *(_headline, _failure, _points, _coverage, _findings, _applications, _resources),
        *(_stages, _diff, _rendered),
    )
    return "\n".join(line for part in parts for line in part(outcome)) + "\n"


def _headline(outcome: Outcome) -> Iterator[str]:
    image = outcome.image
    name = f": {PurePosixPath(image.repository.name).name} {short_tag(image.tag)}" if image else ""
    if isinstance(outcome.failure, CancelledError):
        yield f"## ⏹️ Cancelled{_text(name)}"
    elif outcome.failure:
        failed = next((run.name for run in outcome.runs if run.state is State.FAILED), "")
        yield f"## {_HEADLINES[outcome.result]}{f' in {failed}' if failed else ''}{_text(name)}"
    else:
        known = outcome.result is Result.UNCHANGED and image and outcome.sync
        deployed = " is deployed already" if known else ""
        yield f"## {_HEADLINES[outcome.result]}{_text(name)}{deployed}"
    yield ""


def _failure(outcome: Outcome) -> Iterator[str]:
    if outcome.failure is None:
        return
    place = f" ({_code(str(outcome.failure.location))})" if outcome.failure.location else ""
    yield f"> **{_text(outcome.failure.message)}**{place}"
    yield ">"
    for line in outcome.failure.hint.splitlines():
        # An indented line is an example to paste: Markdown shows it as code.
        yield f"> {line if line.startswith('    ') else _text(line)}".rstrip()
    yield ""


def _points(outcome: Outcome) -> Iterator[str]:
    points = (*_done_and_not(outcome), *_facts(outcome), *_tests(outcome))
    yield from points
    if points:
        yield ""


def _done_and_not(outcome: Outcome) -> Iterator[str]:
    if outcome.failure is None or isinstance(outcome.failure, BugError):
        return
    pushed, promoted = outcome.publish, outcome.promote
    not_pushed = "may be in the registry" if outcome.may_be_pushed else "not pushed"
    yield f"- Image: {'pushed, see below' if pushed else not_pushed}"
    commit = "no commit was made"
    if outcome.reverted:
        commit = f"{_code(outcome.reverted.revision.short)} has put the old image back"
    elif promoted:
        commit = f"{_code(promoted.revision.short)} asks for it, and Argo CD may still deploy it"
    yield f"- GitOps branch: {commit}"
    yield f"- Argo CD: {'see below' if outcome.sync else 'not waited for'}"


def _stages(outcome: Outcome) -> Iterator[str]:
    if not outcome.runs:
        return
    yield "### Stages"
    yield ""
    yield "| Stage | Result | Time | |"
    yield "|---|---|---:|---|"
    for run in outcome.runs:
        state = _STATES[run.state].translate(_KEPT_TOGETHER)
        time = "" if run.state is State.SKIPPED else f"{run.seconds:.1f}\N{NO-BREAK SPACE}s"
        told = outcome.failure is not None and run.words == outcome.failure.message
        yield f"| {run.name} | {state} | {time} | {_cell(run.failure if told else run.words)} |"
    yield ""


def _findings(outcome: Outcome) -> Iterator[str]:
    findings = outcome.verify.findings if outcome.verify else ()
    if not findings:
        return
    yield f"### {counted(len(findings), 'finding')}"
    yield ""
    for finding in findings[:_FINDINGS]:
        place = f" {_code(str(finding.location))}" if finding.location else ""
        about = f" {_code(finding.test or finding.package)}"
        yield f"- **{_text(finding.kind)}**{about}{place}"
        yield ""
        said = finding.message.removeprefix(f"{finding.location}: ")
        yield from _fenced(said, indent="  ")
    if len(findings) > _FINDINGS:
        yield f"- and {len(findings) - _FINDINGS} more, in the log"
    yield ""


def _tests(outcome: Outcome) -> Iterator[str]:
    verified = outcome.verify
    if verified is None:
        return
    covered = verified.covered
    said = (
        f", which cover {covered.rounded}\N{NO-BREAK SPACE}% of the statements" if covered else ""
    )
    yield f"- **Tests** {words(verified)}{said}; {_code(verified.go_version)}"
    for slow in verified.slowest:
        took = f"{slow.seconds:.1f}\N{NO-BREAK SPACE}s"
        yield f"  - {took} {_code(slow.test)} in {_code(slow.package)}"


def _coverage(outcome: Outcome) -> Iterator[str]:
    verified = outcome.verify
    if verified and len(verified.coverage) > 1:
        yield "<details><summary>Coverage by package</summary>"
        yield ""
        yield "| Package | Statements | Covered |"
        yield "|---|---:|---:|"
        ranked = sorted(verified.coverage.items(), key=lambda one: (one[1].percent, one[0]))
        for name, one in ranked[:_PACKAGES]:
            yield f"| {_code(name)} | {one.statements} | {one.rounded}\N{NO-BREAK SPACE}% |"
        yield ""
        yield "</details>"
        yield ""


def _facts(outcome: Outcome) -> Iterator[str]:
    if outcome.image:
        yield f"- **Image** {_code(outcome.image.tagged)}"
        if outcome.image.digest:
            yield f"- **Digest** {_code(str(outcome.image.digest))}"
    if outcome.promote:
        page = outcome.plan.commit_page if outcome.plan else ""
        sha = outcome.promote.revision
        commit = f"[{sha.short}]({page}{sha})" if page else _code(str(sha))
        proposed = outcome.promote.pull_request
        pull = f"[#{proposed.number}]({proposed.url})" if proposed else ""
        if outcome.promote.ending is not Ending.UNCHANGED:
            yield f"- **Before** {_code(outcome.promote.previous) or 'no image'}"
        yield f"- {_STANDINGS[outcome.promote.ending].format(commit=commit, pull=pull)}"


def _diff(outcome: Outcome) -> Iterator[str]:
    if outcome.promote is None or not outcome.promote.diff:
        return
    yield "### Change in the GitOps repository"
    yield ""
    # Of a single one the image, the one before and the diff say it all.
    if len(outcome.promote.changes) > 1:
        yield "| Kustomization | Entry | Before | Now |"
        yield "|---|---|---|---|"
        for file, change in outcome.promote.changes:
            cells = (str(file), change.entry, change.old, change.new)
            yield f"| {' | '.join(_code(cell) for cell in cells)} |"
        yield ""
    yield from _shortened(outcome.promote.diff)


def _rendered(outcome: Outcome) -> Iterator[str]:
    if outcome.promote is None:
        return
    for reason in outcome.promote.unproved:
        yield f"> Not proved by rendering: {_text(reason)}"
        yield ""
    if outcome.promote.rendered_diff:
        yield "<details><summary>Change in what Kustomize renders</summary>"
        yield ""
        yield from _shortened(outcome.promote.rendered_diff)
        yield "</details>"
        yield ""


def _shortened(diff: str) -> Iterator[str]:
    lines = diff.splitlines()
    yield from _fenced("\n".join(lines[:_DIFF_LINES]), language="diff")
    if len(lines) > _DIFF_LINES:
        yield f"and {len(lines) - _DIFF_LINES} more lines"
    yield ""


def _applications(outcome: Outcome) -> Iterator[str]:
    if outcome.sync is None:
        return
    yield "### Argo CD"
    yield ""
    yield "| Application | Sync | Health | Revision | |"
    yield "|---|---|---|---|---|"
    for one in outcome.sync.applications:
        link = f"[{_cell(str(one.name))}]({one.url})" if one.url else _cell(str(one.name))
        status = f"{_cell(one.sync)} | {_cell(one.health)} | {_code(one.revision[:7])}"
        yield f"| {link} | {status} | {_cell(one.reason)} |"
    yield ""


def _resources(outcome: Outcome) -> Iterator[str]:
    for one in outcome.sync.applications if outcome.sync else ():
        if one.resources:
            yield from _resources_of(one)


def _resources_of(one: ApplicationResult) -> Iterator[str]:
    count = counted(len(one.resources), "resource")
    yield f"<details><summary>{_text(str(one.name))}: {count}</summary>"
    yield ""
    yield "| Kind | Name | Sync | Health | |"
    yield "|---|---|---|---|---|"
    for resource in one.resources:
        cells = (resource.kind, resource.name, resource.sync, resource.health, resource.message)
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |"
    yield ""
    yield "</details>"
    yield ""


def _text(text: str) -> str:
    """Keep foreign text from being Markdown or HTML; our own code spans stay."""
    # Runs of more backticks open or end nothing of ours, and Markdown reads them differently.
    parts = re.split(r"((?<!`)`[^`]+`(?!`))", text.replace("\n", " "))
    return "".join(
        part if index % 2 else re.sub(r"([\\*_\[\]#|~`])", r"\\\1", html.escape(part, quote=False))
        for index, part in enumerate(parts)
    )


def _cell(text: str) -> str:
    return _text(text).replace("`|`", "`\\|`")


def _code(text: str) -> str:
    line = " ".join(text.splitlines())
    return f"`{line.replace('`', chr(39)).replace('|', chr(92) + '|')}`" if text else ""


def _fenced(text: str, *, language: str = "", indent: str = "") -> Iterator[str]:
    """A fence longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{indent}{fence}{language}"
    for line in text.splitlines():
        yield f"{indent}{line}"
    yield f"{indent}{fence}"
