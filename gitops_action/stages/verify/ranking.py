"""Findings in the order in which a person should read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from gitops_action.model.go import Finding, FindingKind

DOES_NOT_BUILD = {FindingKind.SETUP, FindingKind.COMPILE, FindingKind.VET}


def most_useful_first(findings: Iterable[Finding]) -> list[Finding]:
    """Order findings: what does not build, then tests; one of each file before its second.

    A package that does not compile is reported once for each package that needs it.
    """
    distinct: dict[object, Finding] = {}
    for finding in findings:
        built = finding.kind not in DOES_NOT_BUILD or finding.location is None
        distinct.setdefault(finding if built else (finding.location, finding.message), finding)
    seen: defaultdict[object, int] = defaultdict(int)
    ranked = []
    for finding in distinct.values():
        file = finding.location.file if finding.location else finding.package
        ranked.append((finding.kind not in DOES_NOT_BUILD, seen[file], finding))
        seen[file] += 1
    return [finding for *_, finding in sorted(ranked, key=lambda rank: rank[:2])]
