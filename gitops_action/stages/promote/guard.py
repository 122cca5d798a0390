"""Who is newer: what a kustomization asks for, or the image that is to be promoted.

Ancestry decides wherever both source commits are known. A later version or a later time does not:
the slow build of an older commit may well carry them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import RegistryUnavailableError
from gitops_action.model.image import ImageReference
from gitops_action.model.source import CommitSha, is_commit_sha
from gitops_action.model.version import version_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gitops_action.kustomization import FileEdit


class SourceHistory(Protocol):
    """The commits of the source repository."""

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        """Whether `revision` is `ancestor` or a descendant of it; None where that is not known.

        Raises GitOpsUnavailableError where it may be known later.
        """


class Images(Protocol):
    """The registry that has the images."""

    def revision(self, reference: ImageReference) -> CommitSha | None:
        """Read the label `org.opencontainers.image.revision`; None where there is none to read.

        Raises RegistryUnavailableError where the registry does not answer now.
        """


class CommitLog(Protocol):
    """The messages of the GitOps repository's commits."""

    def trailers(self, head: CommitSha, text: str) -> tuple[Mapping[str, str], ...]:
        """The trailers of commits up to `head` whose message has `text`, the newest first."""


class Age(enum.Enum):
    OLDER = enum.auto()
    NOT_OLDER = enum.auto()
    APART = enum.auto()  # neither commit contains the other
    UNKNOWN = enum.auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """`newer` says what is deployed that contains our commit, empty where nothing is.

    `older_than` is that image; `notices` tell what could not be compared.
    """

    newer: str = ""
    older_than: str = ""
    notices: tuple[str, ...] = ()


class Guard:
    """Judges one image against what kustomizations ask for, at every new head again.

    `source` is the commit that the image is made from, None where that is not known.
    """

    def __init__(
        self,
        image: ImageReference,
        source: CommitSha | None,
        *,
        history: SourceHistory,
        images: Images,
        commits: CommitLog,
    ) -> None:
        self._image = image
        self._source = source
        self._history = history
        self._images = images
        self._commits = commits
        self._known: dict[str, CommitSha | None] = {}

    def judge(self, edits: tuple[FileEdit, ...], head: CommitSha) -> Judgement:
        """Compare with every kustomization that asks for another image than ours."""
        notices = []
        for file in edits:
            asked = file.edit.previous
            if not file.edit.changed or not asked or _stands_for_none(_tag(asked)):
                continue
            age, why = self._age(asked, head)
            if age is Age.OLDER:
                return Judgement(f"{file.path} asks for {asked}, {why}", asked)
            if age is not Age.NOT_OLDER:
                notices.append(
                    f"{file.path} asked for {asked}. Whether {self._image.tagged} is newer is not "
                    f"known, and it is promoted: {why}."
                )
        return Judgement(notices=tuple(notices))

    def is_newer(self, image: str, head: CommitSha) -> bool | None:
        """Whether `image`, for which `head` asks, is newer than ours; None where nobody knows."""
        age, _ = self._age(image, head)
        return {Age.OLDER: True, Age.NOT_OLDER: False}.get(age)

    def source_of(self, asked: str, head: CommitSha) -> CommitSha | None:
        """The commit that an image is made from: its tag, its label, or who promoted it knows."""
        if asked not in self._known:
            self._known[asked] = self._find(asked, head)
        return self._known[asked]

    def taken_back(
        self, asked: Collection[str], head: CommitSha
    ) -> tuple[CommitSha, CommitSha] | None:
        """The promotion that the newest revert up to `head` took back, and its source commit.

        None where that revert put back none of the images `asked`, or there is none.
        """
        for revert in self._commits.trailers(head, "Reverts: "):
            promotion = revert.get("Reverts", "")
            if is_commit_sha(promotion):
                if revert.get("Image", "") not in asked:
                    return None
                (promoted, *_) = (*self._commits.trailers(CommitSha(promotion), "Image: "), {})
                source = promoted.get("Source-Commit", "")
                return (CommitSha(promotion), CommitSha(source)) if is_commit_sha(source) else None
        return None

    def rolled_back(self, asked: Collection[str], head: CommitSha) -> CommitSha | None:
        """The commit of the newer image that the newest downgrade up to `head` has replaced.

        None where the branch asks for another image than that downgrade's, or there is none.
        """
        for downgrade in self._commits.trailers(head, "Downgrade-From: "):
            image = downgrade.get("Image", "")
            ours = image.startswith((f"{self._image.repository}:", f"{self._image.repository}@"))
            if ours and any(_names(one, image) for one in asked):
                return self.source_of(downgrade.get("Downgrade-From", ""), head)
            break
        return None

    def _age(self, asked: str, head: CommitSha) -> tuple[Age, str]:
        deployed, ours = self.source_of(asked, head), self._source
        if deployed and ours:
            age = self._by_ancestry(deployed, ours)
            if age is Age.OLDER:
                return age, f"made from {deployed.short}, which contains our commit {ours.short}"
            if age is Age.APART:
                return age, f"neither {deployed.short} nor {ours.short} contains the other"
            if age is Age.NOT_OLDER:
                return age, ""
        return self._by_version(asked, deployed)

    def _by_ancestry(self, deployed: CommitSha, ours: CommitSha) -> Age:
        if deployed == ours:
            return Age.NOT_OLDER
        inside = self._history.contains(ours, deployed)
        if inside:
            return Age.OLDER
        follows = None if inside is None else self._history.contains(deployed, ours)
        return {True: Age.NOT_OLDER, False: Age.APART, None: Age.UNKNOWN}[follows]

    def _by_version(self, asked: str, deployed: CommitSha | None) -> tuple[Age, str]:
        tags = (_tag(asked), self._image.tag)
        theirs, ours = (version_in(tag.removeprefix("v")) for tag in tags)
        if theirs and ours:
            if ours < theirs:
                return Age.OLDER, f"a later version than {self._image.tag}"
            return Age.NOT_OLDER, ""
        if deployed and self._source:
            return Age.UNKNOWN, (
                f"the source repository does not show how {deployed.short} and "
                f"{self._source.short} are related"
            )
        whose = "ours" if deployed else asked
        return Age.UNKNOWN, f"the commit that {whose} is made from is not known"

    def _find(self, asked: str, head: CommitSha) -> CommitSha | None:
        reference = ImageReference.find(asked)
        if reference is None:
            return None
        if is_commit_sha(reference.tag):
            return CommitSha(reference.tag)
        # A mirror (`newName`) may be closed to us; what it mirrors is ours.
        here = ImageReference(self._image.repository, reference.tag, reference.digest)
        try:
            labelled = self._images.revision(here)
        except RegistryUnavailableError:
            # The registry's outage is no reason to let a wait for Argo CD fail.
            labelled = None
        return labelled or self._recorded(here, head)

    def _recorded(self, reference: ImageReference, head: CommitSha) -> CommitSha | None:
        text = str(reference.digest) if reference.digest else f"Image: {reference}"
        for trailers in self._commits.trailers(head, text):
            image, commit = trailers.get("Image", ""), trailers.get("Source-Commit", "")
            # A tag that is longer begins alike.
            same = text in image if reference.digest else image.partition("@")[0] == str(reference)
            if same and is_commit_sha(commit):
                return CommitSha(commit)
        return None


def _tag(asked: str) -> str:
    reference = ImageReference.find(asked)
    return reference.tag if reference else ""


def _names(asked: str, image: str) -> bool:
    """Whether a kustomization asks for the image, by its tag where it has one."""
    tag, digest = _tag(asked), asked.partition("@")[2]
    return tag == _tag(image) if tag else bool(digest) and digest in image


def _stands_for_none(tag: str) -> bool:
    """Whether the tag is git's word for no commit, as a new kustomization has it."""
    return is_commit_sha(tag) and not tag.strip("0")
