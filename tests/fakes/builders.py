# ruff: noqa: ARG002  a fake takes all that its Protocol hands over
"""In memory: what builds and pushes images, and the registry that has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitops_action.errors import RegistryUnavailableError
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.image import Digest, ImageReference, Repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.errors import ActionError
    from gitops_action.model.log import Log
    from gitops_action.model.source import CommitSha


def digest_of(letter: str) -> Digest:
    """Make a digest that is one hexadecimal digit all over."""
    return Digest(f"sha256:{letter * 64}")


def _silence() -> RegistryUnavailableError:
    return RegistryUnavailableError("The connection was dropped.", hint="Again.")


@dataclass
class FakeRegistry:
    """Tags and what they name; `moves` is what another job does to a tag right after our push.

    The next `silences` questions for a digest or the right to push get no answer, and
    `silent_labels` for a label; one that is `vague` never says who may push.
    """

    tags: dict[str, Digest] = field(default_factory=dict)
    moves: dict[str, Digest | None] = field(default_factory=dict)
    refusal: ActionError | None = None
    revisions: dict[Digest, CommitSha] = field(default_factory=dict)
    labelled: dict[Digest, Mapping[str, str]] = field(default_factory=dict)
    configurations: dict[Digest, Digest] = field(default_factory=dict)
    refused_tags: dict[str, ActionError] = field(default_factory=dict)
    silences: int = 0
    silent_labels: int = 0
    vague: bool = False

    def digest(self, reference: ImageReference) -> Digest | None:
        """Tell what the tag names after all moves, or whether the digest is there."""
        if self.silences:
            self.silences -= 1
            raise _silence()
        if not reference.tag:
            return reference.digest if reference.digest in self.tags.values() else None
        return self.tags.get(reference.tagged)

    def put(self, reference: ImageReference, digest: Digest) -> None:
        """Let a tag name the image, and then another job do what it does."""
        self.tags[reference.tagged] = digest
        if reference.tagged in self.moves:
            moved = self.moves[reference.tagged]
            self.tags.pop(reference.tagged)
            self.tags |= {reference.tagged: moved} if moved else {}

    def list_tags(self, repository: Repository) -> tuple[str, ...]:
        """List the tags of the repository."""
        named = (tagged.rpartition(":") for tagged in self.tags)
        return tuple(tag for name, _, tag in named if name == repository.name)

    def configuration(self, reference: ImageReference) -> Digest | None:
        """Tell the digest of the configuration, where a test gives it one."""
        digest = self.digest(reference)
        return self.configurations.get(digest) if digest else None

    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Give what is there one more tag, unless told to refuse it."""
        if error := self.refused_tags.get(reference.tag):
            raise error
        self.put(reference, Digest(built.handle))
        return Digest(built.handle)

    def revision(self, reference: ImageReference) -> CommitSha | None:
        """Read the label of what the reference names."""
        if self.silent_labels:
            self.silent_labels -= 1
            raise _silence()
        digest = self.digest(reference)
        return self.revisions.get(digest) if digest else None

    def labels(self, reference: ImageReference) -> Mapping[str, str]:
        """Read the labels of what the reference names."""
        digest = self.digest(reference)
        return self.labelled.get(digest, {}) if digest else {}

    def discard(self, built: BuiltImage) -> None:
        """Keep what is there."""

    def check_push(self, repository: Repository) -> bool:
        """Refuse if told to, and agree unless told to be vague about it."""
        if self.refusal:
            raise self.refusal
        if self.silences:
            self.silences -= 1
            raise _silence()
        return not self.vague


@dataclass
class FakeBuilder:
    """Builds what it is asked to; `built` and `discarded` are what happened on this machine.

    `sboms` are the images whose SBOM the registry has, `found` the layers that the last build could
    take from it. The first `drops` pushes lose their connection, and where `heard` that is only
    noticed when all is sent.
    """

    name: str = "docker"
    sources: tuple[str, ...] = ()
    running: bool = True
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    digest: Digest = field(default_factory=lambda: digest_of("a"))
    failure: ActionError | OSError | None = None
    refused_tags: dict[str, ActionError] = field(default_factory=dict)
    drops: int = 0
    elsewhere: tuple[str, ...] = ()
    heard: bool = False
    pushes: int = 0
    built: list[str] = field(default_factory=list)
    found: tuple[ImageReference, ...] = ()
    discarded: list[BuiltImage] = field(default_factory=list)
    sboms: list[Digest] = field(default_factory=list)

    def candidates(self, request: BuildRequest) -> tuple[str, ...]:
        """List what there is to build."""
        return self.sources

    def settings(self, request: BuildRequest) -> tuple[str, ...]:
        """Tell what else decides the image."""
        return self.elsewhere

    def answers(self) -> bool:
        """Say whether the engine runs."""
        return self.running

    def build(self, request: BuildRequest, candidate: str, *, log: Log) -> BuiltImage:
        """Build, or fail if told to."""
        if self.failure:
            raise self.failure
        self.built.append(candidate)
        self.found = request.found
        self.registry.labelled[self.digest] = request.labels
        return BuiltImage(self.name, candidate, (self.digest,))

    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Put the tag into the registry, unless told to refuse it."""
        self.pushes += 1
        if self.drops:
            self.drops -= 1
            if self.heard:
                self.registry.put(reference, self.digest)
            raise _silence()
        if error := self.refused_tags.get(reference.tag):
            raise error
        self.sboms += [self.digest] if built.sbom else []
        self.registry.put(reference, self.digest)
        return self.digest

    def discard(self, built: BuiltImage) -> None:
        """Remember what was removed."""
        self.discarded.append(built)
