"""The five stages, in their order."""

from __future__ import annotations

import enum


class Stage(enum.StrEnum):
    VERIFY = "verify"
    BUILD = "build"
    PUBLISH = "publish"
    PROMOTE = "promote"
    SYNC = "sync"
