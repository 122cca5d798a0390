"""Kustomize in memory: one Deployment whose containers have the images of `images`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gitops_action.kustomization import FILE_NAMES
from gitops_action.kustomization.document import Entry, parse
from gitops_action.kustomization.links import follow
from gitops_action.model.rendering import Rendering, Sources
from gitops_action.model.source import CommitSha

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  template:
    spec:
      containers:
"""


@dataclass(frozen=True)
class _Links:
    sources: Sources

    def link(self, _head: CommitSha, path: PurePosixPath) -> tuple[PurePosixPath, str] | None:
        target = self.sources.links.get(path)
        return None if target is None else (path, target)


@dataclass
class FakeKustomize:
    """`unused` are names that no container has; `failure` is the answer to every question."""

    unused: set[str] = field(default_factory=set)
    failure: Rendering | None = None
    rendered: list[tuple[Sources, PurePosixPath]] = field(default_factory=list)

    def render(self, sources: Sources, folder: PurePosixPath) -> Rendering:
        self.rendered.append((sources, folder))
        if self.failure:
            return self.failure
        (named,) = (
            folder / name
            for name in FILE_NAMES
            if folder / name in sources.files or folder / name in sources.links
        )
        file = follow(_Links(sources), CommitSha("0" * 40), named)
        containers = [
            f"      - image: {_reference(entry)}\n"
            for entry in parse(sources.files[file].decode().removeprefix("\ufeff")).entries
            if entry.text("name") not in self.unused
        ]
        return Rendering(text=_DEPLOYMENT + "".join([*containers, "      - image: redis:7\n"]))


def _reference(entry: Entry) -> str:
    tag, digest = entry.text("newTag"), entry.text("digest")
    name = entry.text("newName") or entry.text("name")
    parts = (f":{tag}" if tag else "", f"@{digest}" if digest else "")
    return name + ("".join(parts) or ":latest")
