"""crane against Debian's docker-registry: credentials, answers, refusals."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.process import Processes
from gitops_action.adapters.registry import Registry, write_credentials
from gitops_action.errors import RegistryError, RegistryLoginError
from gitops_action.model.build import BuiltImage
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha
from tests.systems.recorder import Recorder
from tests.systems.registry import closed_registry, open_registry, static_base, tls_registry

if TYPE_CHECKING:
    from collections.abc import Mapping

CANARY = "canary-s3cret"


def _registry(
    folder: Path, address: str, password: str = "", env: Mapping[str, str] | None = None
) -> Registry:
    credentials = folder / "credentials"
    username = "robot" if password else ""
    write_credentials(credentials, address, username, Secret(password))
    return Registry(
        Processes(Cancellation()),
        env={"PATH": os.environ["PATH"], **(env or {})},
        private=folder,
        credentials=credentials,
    )


def test_tells_the_digest_of_a_tag_and_that_a_tag_is_absent(tmp_path: Path) -> None:
    """
    A tag is believed to be there only when the registry says so.
    """
    with open_registry() as running:
        static_base(running.address)
        registry = _registry(tmp_path, running.address)
        repository = Repository(f"{running.address}/base/static")

        present = registry.digest(ImageReference(repository, "latest"))
        absent = registry.digest(ImageReference(repository, "other"))

    assert present is not None
    assert present.value.startswith("sha256:")
    assert absent is None


def test_gives_an_image_one_more_tag(tmp_path: Path) -> None:
    """
    A version is added to the same digest, without a push of its layers.
    """
    with open_registry() as running:
        static_base(running.address)
        registry = _registry(tmp_path, running.address)
        repository = Repository(f"{running.address}/base/static")
        digest = registry.digest(ImageReference(repository, "latest"))
        assert digest is not None
        built = BuiltImage("registry", str(digest), (digest,))

        tagged = registry.push(built, ImageReference(repository, "1.2.3"), log=HeldLog())

        assert tagged == digest == registry.digest(ImageReference(repository, "1.2.3"))
        assert set(registry.list_tags(repository)) == {"latest", "1.2.3"}
        assert registry.list_tags(Repository(f"{running.address}/base/none")) == ()


def test_tells_the_digest_of_the_configuration(tmp_path: Path) -> None:
    """
    An engine's image is found again by its configuration.
    """
    with open_registry() as running:
        static_base(running.address)
        registry = _registry(tmp_path, running.address)
        image = ImageReference(Repository(f"{running.address}/base/static"), "latest")
        config = subprocess.run(
            ["crane", "config", image.tagged], check=True, capture_output=True
        ).stdout.rstrip(b"\n")

        digest = registry.configuration(image)

    assert str(digest) == f"sha256:{hashlib.sha256(config).hexdigest()}"


def test_tells_the_commit_that_an_image_is_made_from(tmp_path: Path) -> None:
    """
    The label of the deployed image says its commit, by tag and by digest; without one nothing does.
    """
    with open_registry() as running:
        static_base(running.address)
        base = f"{running.address}/base/static"
        label = f"--label=org.opencontainers.image.revision={'a' * 40}"
        subprocess.run(["crane", "mutate", base, label, f"--tag={base}:v1"], check=True)
        registry = _registry(tmp_path, running.address)
        repository = Repository(base)
        digest = registry.digest(ImageReference(repository, "v1"))

        by_tag = registry.revision(ImageReference(repository, "v1"))
        by_digest = registry.revision(ImageReference(repository, "", digest))
        unlabelled = registry.revision(ImageReference(repository, "latest"))
        absent = registry.revision(ImageReference(repository, "other"))

    assert by_tag == by_digest == CommitSha("a" * 40)
    assert unlabelled is None
    assert absent is None


def test_tells_the_commit_of_an_index_without_the_usual_platform(tmp_path: Path) -> None:
    """
    An image for arm64 alone knows its commit too.
    """
    with open_registry() as running:
        static_base(running.address)
        base = f"{running.address}/base/static"
        label = f"--label=org.opencontainers.image.revision={'a' * 40}"
        for argv in (
            ["mutate", base, "--set-platform=linux/arm64", label, f"--tag={base}:arm"],
            ["index", "append", "-m", f"{base}:arm", "-t", f"{base}:index"],
        ):
            subprocess.run(["crane", *argv], check=True, capture_output=True)
        registry = _registry(tmp_path, running.address)

        revision = registry.revision(ImageReference(Repository(base), "index"))

    assert revision == CommitSha("a" * 40)


def test_accepts_the_right_password_for_a_repository_that_is_not_there_yet(tmp_path: Path) -> None:
    """
    The first push of a new application passes the preflight.
    """
    with closed_registry("robot", CANARY) as running:
        registry = _registry(tmp_path, running.address, CANARY)

        assert registry.check_push(Repository(f"{running.address}/acme/new"))


def test_asks_for_the_right_to_push_and_leaves_no_image(tmp_path: Path) -> None:
    """
    The question makes no tag, no blob and no repository, however often it is asked.
    """
    with open_registry() as running:
        repository = Repository(f"{running.address}/acme/shop")
        registry = _registry(tmp_path, running.address)

        answers = [registry.check_push(repository) for _ in range(2)]
        static_base(running.address)
        catalog = subprocess.run(
            ["crane", "catalog", running.address], check=True, capture_output=True, text=True
        ).stdout
        bytes_sent = [file.stat().st_size for file in running.data.rglob("_uploads/*/data")]

        assert registry.list_tags(repository) == ()
    assert answers == [True, True]
    assert catalog.split() == ["base/static"]
    assert set(bytes_sent) == {0}


@pytest.mark.parametrize("password", ["wrong", ""], ids=["wrong", "none"])
def test_finds_a_wrong_password_before_the_push(tmp_path: Path, password: str) -> None:
    """
    A wrong or missing password costs seconds, not a whole build.
    """
    with closed_registry("robot", CANARY) as running:
        registry = _registry(tmp_path, running.address, password)

        with pytest.raises(RegistryLoginError) as caught:
            registry.check_push(Repository(f"{running.address}/acme/shop"))

    assert running.address in caught.value.message
    assert "registry-password:" in caught.value.hint


def test_says_that_a_registry_cannot_be_reached(tmp_path: Path) -> None:
    """
    A wrong host in `image` is named as what it is.
    """
    with open_registry() as running:
        gone = running.address
    registry = _registry(tmp_path, gone)

    with pytest.raises(RegistryError, match="cannot be reached") as caught:
        registry.check_push(Repository(f"{gone}/acme/shop"))

    assert "`image`" in caught.value.hint


def test_says_how_to_trust_a_certificate_and_then_trusts_it(tmp_path: Path) -> None:
    """
    A self-signed registry is one input away from working.
    """
    with tls_registry() as (running, certificate):
        repository = Repository(f"{running.address}/acme/shop")
        trusting = {"SSL_CERT_FILE": str(certificate)}

        with pytest.raises(RegistryError) as caught:
            _registry(tmp_path, running.address).check_push(repository)
        agreed = _registry(tmp_path, running.address, env=trusting).check_push(repository)

    assert agreed
    assert "is not trusted" in caught.value.message
    assert "ca-certificates:" in caught.value.hint


def test_keeps_the_password_in_one_private_file(tmp_path: Path) -> None:
    """
    Nobody but root reads the registry's password, and no process is told it.
    """
    recorder = Recorder.of(["crane"], tmp_path / "recorder")
    step = {
        "PATH": recorder.path,
        "INPUT_REGISTRY-PASSWORD": CANARY,
        "GITHUB_TOKEN": CANARY,
        "ACTIONS_RUNTIME_TOKEN": CANARY,
        "HTTPS_PROXY": "",
    }
    with closed_registry("robot", CANARY) as running:
        registry = _registry(tmp_path, running.address, CANARY, step)

        registry.check_push(Repository(f"{running.address}/acme/shop"))

    [child] = recorder.children()
    assert set(child.environment) == {"PATH", "HTTPS_PROXY", "HOME", "TMPDIR", "DOCKER_CONFIG"}
    assert CANARY not in str(child)
    folder = Path(child.environment["DOCKER_CONFIG"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "config.json").stat().st_mode & 0o777 == 0o600


def test_knows_docker_hub_by_its_own_key(tmp_path: Path) -> None:
    """
    Images without a host go to Docker Hub, whose credentials have a name of their own.
    """
    write_credentials(tmp_path / "c", Repository("acme/shop").registry, "robot", Secret("x"))

    config = json.loads((tmp_path / "c" / "config.json").read_text())

    assert list(config["auths"]) == ["https://index.docker.io/v1/"]
