"""Whether a tag that moves may move to our image: never back in time, nor to a lower version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gitops_action.model.version import read_version, version_in

if TYPE_CHECKING:
    import semver

    from gitops_action.model.image import ImageReference, Repository
    from gitops_action.model.source import CommitSha


class SourceHistory(Protocol):
    """The commits of the source repository."""

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        """Whether `revision` is `ancestor` or a descendant of it; None where that is not known."""


class Images(Protocol):
    def revision(self, reference: ImageReference) -> CommitSha | None:
        """Read the label `org.opencontainers.image.revision`; None where there is none to read.

        Raises RegistryUnavailableError where the registry does not answer now.
        """

    def list_tags(self, repository: Repository) -> tuple[str, ...]:
        """List every tag of the repository."""


class Movement:
    """Judges the tags of one image, made from `source`; `version` is empty where it is none."""

    def __init__(
        self,
        source: CommitSha | None,
        version: str,
        *,
        history: SourceHistory,
        images: Images,
    ) -> None:
        self._source = source
        self._version = read_version(version)
        self._history = history
        self._images = images

    def stays(self, reference: ImageReference) -> str:
        """Say why the tag must stay where it is; empty where it may move."""
        if self._version and (higher := self._higher(reference, self._version)):
            return f"{higher} is a later version than {self._version}"
        there, ours = self._images.revision(reference), self._source
        if there is None or ours is None or there == ours:
            return ""
        if self._history.contains(ours, there):
            return f"it names {there.short}, which contains our commit {ours.short}"
        return ""

    def _higher(self, reference: ImageReference, ours: semver.Version) -> str:
        """The highest version in the registry that the tag would have to name, if above ours.

        `1.2` names a version 1.2.x, `latest` any. Which ones there are, the registry's other tags
        say: a label would be part of the image, and a commit's image gets its version later.
        """
        covered = "" if reference.tag == "latest" else f"{reference.tag}."
        tags = self._images.list_tags(reference.repository)
        versions = [found for tag in tags if tag.startswith(covered) and (found := _release(tag))]
        highest = max(versions, default=ours)
        return str(highest) if highest > ours else ""


def _release(tag: str) -> semver.Version | None:
    version = version_in(tag)
    return None if version and version.prerelease else version
