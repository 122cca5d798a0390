"""What to wait for: nouns that the inputs and the sync stage share."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

_ANY = "*"


class WaitFor(enum.StrEnum):
    """`suspended` takes a rollout that pauses on purpose for done, as well as a healthy one."""

    SYNCED = "synced"
    HEALTHY = "healthy"
    SUSPENDED = "suspended"
    NOTHING = "nothing"


class SyncMode(enum.StrEnum):
    """Whether the wait asks Argo CD to sync: where nobody else does, or once in any case."""

    NEVER = "never"
    IF_NEEDED = "if-needed"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class ApplicationName:
    """An Application's name, and its namespace where it is not Argo CD's own."""

    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class ResourcePattern:
    """Resources as `argocd app wait --resource` names them: `GROUP:KIND:NAME`, `*` for any."""

    group: str
    kind: str
    name: str

    def matches(self, group: str, kind: str, name: str) -> bool:
        pairs = ((self.group, group), (self.kind, kind), (self.name, name))
        return all(wanted in {_ANY, there} for wanted, there in pairs)

    def __str__(self) -> str:
        return f"{self.group}:{self.kind}:{self.name}"


def parse_resource_pattern(text: str) -> ResourcePattern:
    """Parse `GROUP:KIND:NAME`; the core group is empty. Raises ValueError."""
    match = re.fullmatch(r"([a-z0-9.-]*|\*):([A-Za-z0-9]+|\*):([a-z0-9.-]+|\*)", text)
    if not match:
        raise ValueError(f"must be resources such as `apps:Deployment:shop`, got {text!r}")
    return ResourcePattern(*match.groups())
