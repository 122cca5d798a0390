"""How often a long test repeats itself: fully in `make long`, at most 1 % of it in `make test`."""

from __future__ import annotations

import os

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def count(*, long: int, short: int) -> int:
    """The number for this run; the short one is what a person waits for."""
    return long if LONG else short
