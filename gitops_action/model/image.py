"""Names of container images, by the grammar of the OCI distribution.

Source of the grammar: distribution/reference, regexp.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_WITH_HOST = re.compile(rf"{_HOST}/{_COMPONENT}(?:/{_COMPONENT})*")
_WITHOUT_HOST = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{32,}")
_LONGEST_NAME = 255
_DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Repository:
    """Where images are kept: `ghcr.io/acme/shop`. `name` is the text as the user wrote it."""

    name: str

    def __post_init__(self) -> None:
        if len(self.name) > _LONGEST_NAME or not self._grammar.fullmatch(self.name):
            msg = f"{self.name!r} is not an image repository such as ghcr.io/acme/shop"
            if self._grammar.fullmatch(self.name.lower()):
                msg += ": write it in lower case"
            raise ValueError(msg)

    @property
    def registry(self) -> str:
        """The registry's host and port; `docker.io` where the name has none."""
        return self.name.partition("/")[0] if self._names_a_host else _DOCKER_HUB

    @property
    def _names_a_host(self) -> bool:
        first, slash, _ = self.name.partition("/")
        return bool(slash) and ("." in first or ":" in first or first == "localhost")

    @property
    def _grammar(self) -> re.Pattern[str]:
        return _WITH_HOST if self._names_a_host else _WITHOUT_HOST

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Digest:
    """The content hash of a manifest: `sha256:` and 64 hexadecimal digits."""

    value: str

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.value):
            msg = f"{self.value!r} is not a digest such as sha256:…"
            raise ValueError(msg)

    def __str__(self) -> str:
        return self.value


# Stands for the digest that only the registry can tell, once the image is there.
UNKNOWN_DIGEST = Digest(f"sha256:{'0' * 64}")


def is_tag(text: str) -> bool:
    return bool(_TAG.fullmatch(text))


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One image: a repository and a tag, and its digest once the registry has told it.

    The tag may be empty where a digest says which image is meant.
    """

    repository: Repository
    tag: str
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if not is_tag(self.tag) and (self.tag or self.digest is None):
            msg = f"{self.tag!r} is not an image tag: letters, digits, `_`, `.`, `-`, at most 128"
            raise ValueError(msg)

    @classmethod
    def parse(cls, text: str) -> Repository | ImageReference:
        """Read `repository`, `repository:tag`, `repository@digest` or `repository:tag@digest`.

        Raises ValueError.
        """
        named, _, digest = text.partition("@")
        name, colon, tag = named.rpartition(":")
        if not colon or "/" in tag:
            name, tag = named, ""
        repository = Repository(name)
        if name == text:
            return repository
        return cls(repository, tag, Digest(digest) if "@" in text else None)

    @classmethod
    def find(cls, text: str) -> ImageReference | None:
        """Read as `parse` does; None where that is no image with a tag or digest."""
        try:
            found = cls.parse(text)
        except ValueError:
            return None
        return found if isinstance(found, cls) else None

    @property
    def provisional(self) -> ImageReference:
        """The same with some digest, where only the push will tell it: any shows the same edit."""
        return replace(self, digest=self.digest or UNKNOWN_DIGEST)

    @property
    def tagged(self) -> str:
        """`repository:tag`, without the digest; `repository@digest` where there is no tag."""
        return f"{self.repository}:{self.tag}" if self.tag else f"{self.repository}@{self.digest}"

    def __str__(self) -> str:
        return f"{self.tagged}@{self.digest}" if self.tag and self.digest else self.tagged
