"""An Application that does what a real one was recorded to do, second by second."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.argocd_document import Document, stamp
from tests.fakes.argocd_memory import MemoryApplication

FIXTURES = Path(__file__).parents[1] / "fixtures" / "argocd"


@dataclass(kw_only=True)
class ReplayedApplication(MemoryApplication):
    """Begins when it is first asked; after the end each refresh is a comparison of that moment."""

    documents: list[tuple[float, Document]]
    pushed: list[str]

    def __post_init__(self) -> None:
        """Begin before the first document."""
        super().__post_init__()
        self._begun = 0.0
        self._compared_at = 0.0

    @property
    def elapsed(self) -> float:
        self._begun = self._begun or time.monotonic()
        return time.monotonic() - self._begun

    def refresh(self) -> None:
        """Compare again, once everything that was recorded is over."""
        if self.elapsed >= self.documents[-1][0]:
            self._compared_at = time.time()

    def document(self) -> Document:
        """What was shown at that second."""
        elapsed = self.elapsed
        shown = [body for since, body in self.documents if since <= elapsed]
        found = copy.deepcopy(shown[-1] if shown else self.documents[0][1])
        if self._compared_at:
            found["status"]["reconciledAt"] = stamp(self._compared_at)
        return found


def replayed(name: str) -> ReplayedApplication:
    """Replay a transcript, named as `3.6.1/bump-to-healthy`."""
    transcript = json.loads((FIXTURES / f"{name}.json").read_text())
    documents = [(one["t"], one["body"]) for one in transcript["documents"] if one["status"] == 200]
    first = documents[0][1]
    source = first["spec"]["source"]
    return ReplayedApplication(
        name=first["metadata"]["name"],
        repo_url=source["repoURL"],
        path=source["path"],
        target_revision=source["targetRevision"],
        resolve=lambda _: first["status"]["sync"]["revision"],
        images=lambda revision: [revision],
        now=time.time(),
        documents=documents,
        pushed=[mark["sha"] for mark in transcript["marks"] if mark["event"] == "pushed"],
    )
