"""What the guard asks, in memory: a source repository, a registry's labels, commit messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitops_action.model.image import ImageReference
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import Guard


@dataclass
class FakeSourceHistory:
    """`parents` maps a commit to its parents; what is not in it is unknown."""

    parents: dict[CommitSha, tuple[CommitSha, ...]] = field(default_factory=dict)

    def add(self, *line: CommitSha) -> None:
        """Add commits of one line, the oldest first."""
        for parent, commit in zip((None, *line), line, strict=False):
            before = self.parents.get(commit, ())
            self.parents[commit] = (*before, *([parent] if parent else ()))

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        if ancestor not in self.parents or revision not in self.parents:
            return None
        return ancestor == revision or any(
            self.contains(ancestor, parent) for parent in self.parents[revision]
        )


@dataclass
class FakeImages:
    """Labels by image, `repository:tag` or `repository@digest`; `asked` are the questions."""

    labels: dict[str, CommitSha] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def revision(self, reference: ImageReference) -> CommitSha | None:
        self.asked.append(reference.tagged)
        return self.labels.get(reference.tagged)


@dataclass
class FakeCommitLog:
    """Trailers of every commit, the newest first."""

    commits: list[Mapping[str, str]] = field(default_factory=list)

    def trailers(self, _head: CommitSha, text: str) -> tuple[Mapping[str, str], ...]:
        return tuple(
            trailers
            for trailers in self.commits
            if text in "\n".join(f"{key}: {value}" for key, value in trailers.items())
        )


def knowing_nothing(image: ImageReference) -> Guard:
    """A guard that can compare no image with any other."""
    return Guard(
        image, None, history=FakeSourceHistory(), images=FakeImages(), commits=FakeCommitLog()
    )
