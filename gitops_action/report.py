"""The outcome as later steps read it: every output, on success and failure alike."""

from __future__ import annotations

import json
from collections.abc import Callable

from gitops_action.model.image import ImageReference
from gitops_action.outcome import Outcome
from gitops_action.stages.sync import ApplicationResult

# Worst last, as a person would rank them.
_SYNC_ORDER = ("Synced", "OutOfSync", "Unknown", "")
_HEALTH_ORDER = ("Healthy", "Suspended", "Progressing", "Degraded", "Missing", "Unknown", "")


def outputs(outcome: Outcome) -> dict[str, str]:
    """Every output of action.yml; empty where there is nothing to say."""
    return {name: value(outcome) for name, value in _OUTPUTS.items()}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _image_reference(outcome: Outcome) -> ImageReference | None:
    return outcome.image or (outcome.plan.image if outcome.plan and outcome.promote else None)


def _commit_url(outcome: Outcome) -> str:
    page = outcome.plan.commit_page if outcome.plan else ""
    asks = outcome.promote if outcome.promote and outcome.promote.asks else None
    return f"{page}{asks.revision}" if page and asks else ""


def _results(outcome: Outcome) -> tuple[ApplicationResult, ...]:
    return outcome.sync.applications if outcome.sync else ()


def _worst(values: list[str], order: tuple[str, ...]) -> str:
    return max(
        values, key=lambda value: order.index(value) if value in order else len(order), default=""
    )


def _coverage(outcome: Outcome) -> str:
    covered = outcome.verify.covered if outcome.verify else None
    return covered.rounded if covered else ""


def _test_count(name: str) -> Callable[[Outcome], str]:
    return lambda outcome: str(getattr(outcome.verify, name)) if outcome.verify else ""


_OUTPUTS: dict[str, Callable[[Outcome], str]] = {
    "result": lambda outcome: outcome.result.value,
    "image": lambda outcome: str(_image_reference(outcome) or ""),
    "tag": lambda outcome: reference.tag if (reference := _image_reference(outcome)) else "",
    "digest": lambda outcome: (
        str(reference.digest or "") if (reference := _image_reference(outcome)) else ""
    ),
    "tests-passed": _test_count("passed"),
    "tests-failed": _test_count("failed"),
    "tests-skipped": _test_count("skipped"),
    "coverage": _coverage,
    "previous-image": lambda outcome: outcome.promote.previous if outcome.promote else "",
    "changed": lambda outcome: str(outcome.promote.changed).lower() if outcome.promote else "",
    "gitops-commit": lambda outcome: (
        str(outcome.promote.revision) if outcome.promote and outcome.promote.asks else ""
    ),
    "gitops-commit-url": _commit_url,
    "pull-request-url": lambda outcome: (
        outcome.promote.pull_request.url if outcome.promote and outcome.promote.pull_request else ""
    ),
    "revision": lambda outcome: next((one.revision for one in _results(outcome)), ""),
    "sync-status": lambda outcome: _worst([one.sync for one in _results(outcome)], _SYNC_ORDER),
    "health-status": lambda outcome: _worst(
        [one.health for one in _results(outcome)], _HEALTH_ORDER
    ),
    "argocd-url": lambda outcome: next((one.url for one in _results(outcome)), ""),
    "applications": lambda outcome: (
        _json([_as_json(one) for one in _results(outcome)]) if outcome.sync else ""
    ),
    "failure": lambda outcome: outcome.failure.code if outcome.failure else "",
    "timings": lambda outcome: _json(
        [
            {"stage": run.name, "result": run.state.value, "seconds": round(run.seconds, 1)}
            for run in outcome.runs
        ]
    ),
}


def _as_json(one: ApplicationResult) -> dict[str, str]:
    return {
        "name": str(one.name),
        "revision": one.revision,
        "sync": one.sync,
        "health": one.health,
        "url": one.url,
    }
