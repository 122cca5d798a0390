"""How long Healthy has to last: what a commit changed tells how late health may follow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

# The rendered diff's own heading of a resource: `+++ b/overlays/dev Deployment/shop`.
_HEADING = re.compile(r"^\+\+\+ b/.* (?P<kind>[A-Za-z0-9]+)/\S*$", re.MULTILINE)
# Their health compares generations (gitops-engine, pkg/health), so that Synced and Healthy of one
# document are of one object; or they have no health at all.
_AT_ONCE = frozenset(
    {
        *("Deployment", "StatefulSet", "DaemonSet"),
        *("ConfigMap", "Secret", "ServiceAccount", "Namespace", "NetworkPolicy"),
        *("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    }
)


def changed_kinds(rendered_diff: str | None) -> frozenset[str] | None:
    """The kinds of the resources in a rendered diff; None where it says nothing."""
    if not rendered_diff:
        return None
    return frozenset(match["kind"] for match in _HEADING.finditer(rendered_diff)) or None


def may_settle_late(kinds: AbstractSet[str] | None) -> bool:
    """Whether health may still be the old one after an apply; what is not known may."""
    return kinds is None or not kinds <= _AT_ONCE
