"""The attempts of an operation, and when one more of them makes no sense.

Argo CD tries an operation again whatever the reason (by default five times, for minutes). What the
API server calls invalid will be invalid again; a webhook that does not answer, or a kind whose
definition is not there yet, may mend itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops_action.model.argocd import Operation

# As the API server words a failed validation: `Service "shop" is invalid: spec.ports[0].port: …`.
_INVALID = re.compile(r'[\w.-]+ "[^"]*" is invalid: .*')
_MAY_MEND_ITSELF = re.compile(r"webhook|no matches for kind|could not find the requested resource")


@dataclass(frozen=True, slots=True)
class Attempts:
    """What the API server called invalid, by attempt, in the operation at `revision`."""

    revision: str = ""
    answers: tuple[frozenset[str], ...] = ()

    @property
    def repeated(self) -> str:
        """What two attempts were answered alike; `""` where there is no such thing."""
        seen: set[str] = set()
        for answers in self.answers:
            if again := seen & answers:
                return min(again)
            seen |= answers
        return ""


NONE_YET = Attempts()


def remember(attempts: Attempts, operation: Operation | None) -> Attempts:
    """Add what `operation` tells of an attempt that has ended."""
    if operation is None or operation.dry_run or not operation.finished_at:
        return attempts
    if attempts.revision != operation.revision:
        attempts = Attempts(operation.revision)
    # The number of the attempt that is waited for; the last one has none.
    number = operation.retries if operation.phase == "Running" else operation.retries + 1
    if number <= len(attempts.answers):
        return attempts
    missed = (frozenset[str](),) * (number - len(attempts.answers) - 1)
    return replace(attempts, answers=(*attempts.answers, *missed, _invalid(operation)))


def _invalid(operation: Operation) -> frozenset[str]:
    """The API server's answers, without the paths of temporary files in front of them."""
    found = set()
    for resource in operation.failed:
        match = _INVALID.search(" ".join(resource.message.split()))
        if match and not _MAY_MEND_ITSELF.search(resource.message):
            found.add(match[0])
    return frozenset(found)
