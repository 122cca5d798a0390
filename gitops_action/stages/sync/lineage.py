"""How the revision that Argo CD names relates to our commit."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import ActionError, CancelledError
from gitops_action.model.source import CommitSha

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_action.stages.sync.promotion import Promotion

_ABBREVIATED = re.compile(r"[0-9a-f]{7,39}")
_ASK_AGAIN_SECONDS = 5.0
# How often nobody may know whether the image in our place is newer: a server may only be slow.
_DOUBTS = 3


class Relation(enum.Enum):
    SAME = enum.auto()
    CONTAINS = enum.auto()  # a descendant of our commit that still asks for our image
    SUPERSEDED = enum.auto()  # a descendant that asks for a newer source commit's image
    REPLACED = enum.auto()  # a descendant that asks for an older one's, or who knows whose
    BEHIND = enum.auto()  # an ancestor of our commit
    DIVERGED = enum.auto()
    UNKNOWN = enum.auto()  # a commit that we cannot place
    UNRESOLVED = enum.auto()  # no commit: a branch's name, a version, nothing

    @property
    def covers(self) -> bool:
        return self in {Relation.SAME, Relation.CONTAINS}

    @property
    def follows(self) -> bool:
        """Whether our commit is in its history."""
        return self.covers or self in {Relation.SUPERSEDED, Relation.REPLACED}


class Ancestry(Protocol):
    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        """Whether `revision` is `ancestor` or a descendant of it; None where that is not known."""


class Branches(Ancestry, Protocol):
    def head(self, branch: str) -> CommitSha:
        """The branch's newest commit; raises GitOpsError."""


class Lineage:
    """Answers for one commit; remembers what cannot change, as commits keep parents and files."""

    def __init__(
        self,
        commit: CommitSha,
        ancestry: Branches,
        monotonic: Callable[[], float],
        promotion: Promotion | None = None,
        branch: str = "",
    ) -> None:
        self._commit = commit
        self._branch = branch
        self._ancestry = ancestry
        self._monotonic = monotonic
        self._promotion = promotion
        self._known: dict[str, tuple[Relation, str]] = {}
        self._unknown: dict[str, float] = {}
        self._doubts: dict[CommitSha, int] = {}

    def relation(self, revision: str) -> Relation:
        """Place `revision`, which is text from Argo CD."""
        revision = revision.lower()
        if _ABBREVIATED.fullmatch(revision) and self._commit.value.startswith(revision):
            return Relation.SAME
        try:
            sha = CommitSha(revision)
        except ValueError:
            return Relation.UNRESOLVED
        if sha == self._commit:
            return Relation.SAME
        if sha.value not in self._known and self._may_ask(sha.value):
            found = self._ask(sha)
            if found[0] is not Relation.UNKNOWN:
                self._known[sha.value] = found
        return self._known.get(sha.value, (Relation.UNKNOWN, ""))[0]

    def replacement(self, revision: str) -> str:
        """What a revision that was placed asks for in place of our image; `""` for ours."""
        return self._known.get(revision.lower(), (Relation.UNKNOWN, ""))[1]

    def newest(self) -> str:
        """The newest commit of our branch; `""` where git does not tell."""
        try:
            return self._ancestry.head(self._branch).value if self._branch else ""
        except CancelledError:
            raise
        except ActionError:
            return ""

    def _may_ask(self, revision: str) -> bool:
        """Whether it is time: a commit that git does not have yet costs a fetch."""
        now = self._monotonic()
        if now < self._unknown.get(revision, now):
            return False
        self._unknown[revision] = now + _ASK_AGAIN_SECONDS
        return True

    def _ask(self, revision: CommitSha) -> tuple[Relation, str]:
        ours_inside = self._ancestry.contains(self._commit, revision)
        if ours_inside is None:
            return Relation.UNKNOWN, ""
        if not ours_inside:
            inside_ours = self._ancestry.contains(revision, self._commit)
            return Relation.BEHIND if inside_ours else Relation.DIVERGED, ""
        if self._promotion is None:
            return Relation.CONTAINS, ""
        return self._descendant(revision, self._promotion)

    def _descendant(self, revision: CommitSha, promotion: Promotion) -> tuple[Relation, str]:
        asked = promotion.asked_for(revision)
        if asked is None:
            return Relation.UNKNOWN, ""
        if not asked:
            return Relation.CONTAINS, ""
        newer = promotion.is_newer(asked, revision)
        doubts = self._doubts[revision] = self._doubts.get(revision, 0) + 1
        if newer is None and doubts < _DOUBTS:
            return Relation.UNKNOWN, ""
        return Relation.SUPERSEDED if newer else Relation.REPLACED, asked
