"""The classic accidents of promoting by hand or by script: a fixture each, rendered for real."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.kustomize import Kustomize
from gitops_action.adapters.process import Processes
from gitops_action.errors import EntryError
from gitops_action.kustomization import (
    FileEdit,
    ImageRequest,
    RenderedProof,
    plan_edits,
    prove_rendered,
)
from gitops_action.model.image import ImageReference, Repository
from tests.fakes.gitops import FakeGitOpsRepository

ACCIDENTS = Path(__file__).parents[1] / "fixtures" / "accidents"
SHOP = "ghcr.io/acme/shop"


@dataclass
class Shop:
    """A machine with the real Kustomize."""

    folder: Path

    def promote(
        self, accident: str, tag: str, *, entry: str = ""
    ) -> tuple[FileEdit, RenderedProof]:
        """Edit an accident's kustomization, and prove it."""
        files = {f"dev/{file.name}": file.read_text() for file in (ACCIDENTS / accident).iterdir()}
        repository = FakeGitOpsRepository(files)
        edits = plan_edits(
            [PurePosixPath("dev")],
            requests=[ImageRequest(ImageReference(Repository(SHOP), tag), entry)],
            tree=repository,
            head=repository.tip,
        )
        kustomize = Kustomize(
            Processes(Cancellation()), place=self.folder / "rendering", path=os.environ["PATH"]
        )
        return edits[0], prove_rendered(
            edits, tree=repository, head=repository.tip, renderer=kustomize, required=True
        )

    def kustomize(self, accident: str, text: str | None, *argv: str) -> str:
        """Run Kustomize in a copy of the accident, which has another kustomization if there is one.

        Give what it prints, and what it leaves in the file.
        """
        for file in (ACCIDENTS / accident).iterdir():
            (self.folder / file.name).write_text(file.read_text())
        edited = self.folder / "kustomization.yaml"
        if text is not None:
            edited.write_text(text)
        done = subprocess.run(
            ["kustomize", *argv], cwd=self.folder, check=False, capture_output=True, text=True
        )
        return done.stdout + done.stderr + edited.read_text()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_an_entry_that_matches_no_container_is_an_error(shop: Shop) -> None:
    """
    Kustomize is content with an entry that changes nothing; the run is not, and says which do.
    """
    accident = "entry-that-matches-no-container"

    with pytest.raises(EntryError) as caught:
        shop.promote(accident, "v2")

    assert "The images there are: `ghcr.io/acme/shop-web`." in caught.value.message
    assert "`kustomize-name: ghcr.io/acme/shop-web`" in caught.value.hint
    assert "Error" not in shop.kustomize(accident, None, "build")


def test_new_name_is_not_lost(shop: Shop) -> None:
    """
    `kustomize edit set image shop:v2` would pull from Docker Hub from then on.
    """
    accident = "new-name-lost"

    edit, proof = shop.promote(accident, "v2", entry="shop")

    assert edit.edit.text == edit.before.replace("v1", "v2")
    assert "+  - image: mirror.example.com/acme/shop:v2" in proof.diff
    assert "newName" not in shop.kustomize(accident, None, "edit", "set", "image", "shop:v2")


def test_an_all_digit_short_sha_stays_a_string(shop: Shop) -> None:
    """
    Written without quotes, seven digits would be a number, which Kustomize refuses.
    """
    accident = "all-digit-short-sha"

    edit, proof = shop.promote(accident, "0123456")

    assert edit.edit.text == edit.before.replace("4be1c2a", '"0123456"')
    assert "+  - image: ghcr.io/acme/shop:0123456" in proof.diff
    unquoted = edit.before.replace("4be1c2a", "0123456")
    assert "cannot unmarshal number" in shop.kustomize(accident, unquoted, "build")


def test_no_digest_is_left_beside_a_new_tag(shop: Shop) -> None:
    """
    The digest decides what runs: beside a new tag it keeps the old image running.
    """
    accident = "digest-beside-a-new-tag"

    edit, proof = shop.promote(accident, "v2")

    assert "digest" not in edit.edit.text
    assert "+  - image: ghcr.io/acme/shop:v2\n" in proof.diff
    left = edit.before.replace("v1", "v2")
    assert "shop:v2@sha256:aaaa" in shop.kustomize(accident, left, "build")
