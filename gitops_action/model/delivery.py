"""How a commit comes onto the GitOps branch."""

from __future__ import annotations

import enum


class Delivery(enum.StrEnum):
    """`auto` pushes, and goes another way where a rule of the repository refuses that."""

    PUSH = "push"
    API = "api"
    PULL_REQUEST = "pull-request"
    AUTO = "auto"

    @property
    def clones(self) -> bool:
        """Whether git writes, so that author and signature are ours to choose."""
        return self in {Delivery.PUSH, Delivery.AUTO}

    @property
    def proposes(self) -> bool:
        """Whether it may come to a pull request."""
        return self in {Delivery.PULL_REQUEST, Delivery.AUTO}
