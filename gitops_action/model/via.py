"""Who tells the wait what is deployed: Argo CD itself, or a report on GitHub about the commit."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Reporter(enum.StrEnum):
    ARGOCD = "argocd"
    STATUS = "status"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class Via:
    """`name` is the context of a commit status, or the environment of a deployment."""

    reporter: Reporter
    name: str = ""

    def __str__(self) -> str:
        return f"{self.reporter}:{self.name}" if self.name else str(self.reporter)


def parse_via(text: str) -> Via:
    """Parse `argocd`, `status:CONTEXT` or `deployment:ENVIRONMENT`. Raises ValueError."""
    word, _, name = (part.strip() for part in text.partition(":"))
    if word in set(Reporter) and bool(name) is (word != Reporter.ARGOCD):
        return Via(Reporter(word), name)
    raise ValueError(
        f"must be `argocd`, `status:CONTEXT` or `deployment:ENVIRONMENT`, got {text!r}"
    )
