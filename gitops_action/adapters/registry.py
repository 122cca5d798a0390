"""The door to image registries: the credentials' file, and what a registry says of a tag."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from gitops_action.adapters.refusal import explain_refusal, known_refusal, last_line
from gitops_action.errors import RegistryUnavailableError
from gitops_action.model.environment import allowed
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.source import CommitSha, is_commit_sha

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gitops_action.adapters.process import Completed, Processes
    from gitops_action.errors import ActionError
    from gitops_action.model.build import BuiltImage
    from gitops_action.model.log import Log
    from gitops_action.model.secret import Secret

_ANSWER_SECONDS = 60.0
_DOCKER_HUB = "docker.io"
# https://github.com/opencontainers/image-spec/blob/main/annotations.md
_REVISION = "org.opencontainers.image.revision"
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_ABSENT = re.compile(r"MANIFEST_UNKNOWN|NAME_UNKNOWN|NOT_FOUND|404 Not Found")
# No image has it: whatever a registry makes of the question, a tag is not what comes of it.
_NOBODYS = Digest(f"sha256:{'0' * 64}")


def write_credentials(directory: Path, registry: str, username: str, password: Secret) -> None:
    """Write the `config.json` that docker, ko and crane read by DOCKER_CONFIG.

    `directory` is made, and closed to everybody else; the caller removes it. No user and no
    password: an empty file, so that no other one is looked for.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    key = _DOCKER_HUB_KEY if registry == _DOCKER_HUB else registry
    pair = base64.b64encode(f"{username}:{password.reveal()}".encode()).decode()
    auths = {key: {"auth": pair}} if username or password else {}
    file = directory / "config.json"
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(json.dumps({"auths": auths}))


class Registry:
    """Asks with crane, as the user of the directory `credentials`.

    `env` is the step's environment, of which crane sees the few names it needs.
    """

    def __init__(
        self, processes: Processes, *, env: Mapping[str, str], private: Path, credentials: Path
    ) -> None:
        self._processes = processes
        self._private = private
        self._env = {
            **allowed(env),
            "HOME": str(private),
            "TMPDIR": str(private),
            "DOCKER_CONFIG": str(credentials),
        }

    def digest(self, reference: ImageReference) -> Digest | None:
        """Ask which image the tag names; None where there is none.

        Raises RegistryLoginError, RegistryError, RunnerError, CancelledError.
        """
        done = self._crane("digest", reference.tagged)
        if done.exit_code == 0:
            return Digest(done.stdout.strip())
        if _ABSENT.search(last_line(done.stderr)):
            return None
        raise self._explain(done, reference.repository)

    def discard(self, built: BuiltImage) -> None:
        """Leave it: what is in the registry was there before."""

    def configuration(self, reference: ImageReference) -> Digest | None:
        """Ask for the digest of the image's configuration; None for an index of several platforms.

        It is all that an engine knows of an image before the push. Raises as `digest` does.
        """
        done = self._crane("manifest", reference.tagged)
        if done.exit_code != 0:
            raise self._explain(done, reference.repository)
        try:
            return Digest(json.loads(done.stdout)["config"]["digest"])
        except (ValueError, KeyError, TypeError):
            return None

    def list_tags(self, repository: Repository) -> tuple[str, ...]:
        """List every tag of the repository; none where there is no repository.

        Raises as `digest` does.
        """
        done = self._crane("ls", str(repository))
        if done.exit_code == 0:
            return tuple(done.stdout.split())
        if _ABSENT.search(last_line(done.stderr)):
            return ()
        raise self._explain(done, repository)

    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Give an image that is in the repository one more tag; raises as `digest` does."""
        digest = Digest(built.handle)
        existing = ImageReference(reference.repository, "", digest)
        done = self._crane("tag", existing.tagged, reference.tag, log=log)
        if done.exit_code != 0:
            raise self._explain(done, reference.repository)
        return digest

    def revision(self, reference: ImageReference) -> CommitSha | None:
        """Read the label `org.opencontainers.image.revision`; None where there is none to read.

        Asks as `labels` does.
        """
        revision = self.labels(reference).get(_REVISION, "")
        return CommitSha(revision) if is_commit_sha(revision) else None

    def labels(self, reference: ImageReference) -> Mapping[str, str]:
        """Read the image's labels; none where the registry does not show them.

        An index of several platforms is asked for its linux/amd64 image, or its first one. Raises
        RegistryUnavailableError where the registry does not answer now, RunnerError,
        CancelledError.
        """
        done = self._crane("config", reference.tagged)
        if done.exit_code != 0 and (first := self._first_of(reference)):
            done = self._crane("config", first.tagged)
        if done.exit_code != 0:
            error = self._explain(done, reference.repository)
            if isinstance(error, RegistryUnavailableError):
                raise error
            return {}
        try:
            labels = json.loads(done.stdout)["config"]["Labels"]
        except (ValueError, KeyError, TypeError):
            return {}
        found = labels.items() if isinstance(labels, dict) else ()
        return {str(name): str(value) for name, value in found}

    def _first_of(self, index: ImageReference) -> ImageReference | None:
        """Name the first image of an index that has none for linux/amd64."""
        done = self._crane("manifest", index.tagged)
        if done.exit_code != 0:
            return None
        try:
            first = Digest(json.loads(done.stdout)["manifests"][0]["digest"])
        except (ValueError, LookupError, TypeError):
            return None
        return ImageReference(index.repository, "", first)

    def check_push(self, repository: Repository) -> bool:
        """Ask for an upload, as a push does, and send nothing: whether the registry agrees.

        False where it says neither yes nor no. The upload that it opens ends by itself. Raises as
        `digest` does.
        """
        # crane asks for the upload of a layer before it reads it, and a folder cannot be read.
        layer = self._private / "no-layer"
        layer.mkdir(exist_ok=True)
        image = ImageReference(repository, "", _NOBODYS)
        done = self._crane("append", f"--new_layer={layer}", f"--new_tag={image.tagged}")
        if done.timed_out:
            raise self._explain(done, repository)
        _, _, said = last_line(done.stderr).rpartition(f"pushing image {image.tagged}: ")
        if said.endswith(f"read {layer}: is a directory"):
            return True
        if refusal := known_refusal(said, repository.registry):
            raise refusal
        return False

    def _crane(self, *argv: str, log: Log | None = None) -> Completed:
        return self._processes.run(
            ["crane", *argv],
            env=self._env,
            cwd=self._private,
            timeout=_ANSWER_SECONDS,
            on_stdout=log.foreign if log else None,
            on_stderr=log.foreign if log else None,
        )

    def _explain(self, done: Completed, repository: Repository) -> ActionError:
        # crane prints the failure of its first try above its final answer.
        said = "timed out" if done.timed_out else last_line(done.stderr)
        return explain_refusal(said, repository.registry)
