"""How an Application in memory behaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How long things take, in seconds, and what goes wrong; may be replaced at any time.

    `sync_error` meets operations at the revisions in `broken`, or at all of them where that is
    empty; so does `comparison_error` of the revisions in `unrendered`. `late_seconds` is how long
    health still looks as before an apply, `lag_seconds` how old is what the controller sees of the
    cluster. `degraded` meets images that have `sick` in their name.
    """

    reconcile_seconds: float = 0.2
    operation_seconds: float = 0.3
    retry_seconds: float = 1.0
    rollout_seconds: float = 0.5
    late_seconds: float = 0.0
    lag_seconds: float = 0.0
    resync_seconds: float = 180.0
    retries: int = 0
    automated: bool = True
    never_healthy: bool = False
    comparison_error: str = ""
    unrendered: frozenset[str] = frozenset()
    sync_error: str = ""
    broken: frozenset[str] = frozenset()
    degraded: str = ""
    sick: str = ""
