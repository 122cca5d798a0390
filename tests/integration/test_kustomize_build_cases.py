"""What `kustomize build` was seen to make of entries, and what the rendered proof says of each."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from ruamel.yaml import YAML

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.kustomize import Kustomize
from gitops_action.adapters.process import Processes
from gitops_action.errors import EntryError, KustomizationError
from gitops_action.kustomization import ImageRequest, plan_edits, prove_rendered
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.rendering import Sources
from tests.fakes.gitops import FakeGitOpsRepository
from tests.systems.shared import cases, needs_shared

BUILDS = cases("kustomize_build_cases.json")
IMAGE = ImageReference(Repository("ghcr.io/acme/shop"), "v9")
FOLDER = PurePosixPath("dev")
# Kustomize 5.6.0 ends in a panic where a `name` is no regular expression; so does ours.
PANIC = "panic"


@pytest.fixture
def kustomize(tmp_path: Path) -> Kustomize:
    return Kustomize(Processes(Cancellation()), place=tmp_path, path=os.environ["PATH"])


@needs_shared
def test_the_shipped_kustomize_builds_what_was_observed(kustomize: Kustomize) -> None:
    """
    The facts that the proof was built on are those of the Kustomize in the image.
    """
    built = {
        number: image_in(kustomize.render(sources(case), FOLDER).text)
        for number, case in enumerate(BUILDS)
    }

    assert built == {number: case["result"] for number, case in enumerate(BUILDS)}
    assert len(built) > 90


@needs_shared
def test_a_promotion_is_proved_where_the_entry_matches(kustomize: Kustomize) -> None:
    """
    What reaches the container is promoted, and every other entry is an error.
    """
    outcomes = {number: outcome(kustomize, case) for number, case in enumerate(BUILDS)}

    assert outcomes == {number: expected(case) for number, case in enumerate(BUILDS)}
    assert set(outcomes.values()) == {
        *("ghcr.io/acme/shop:v9", "x/y:v9", "r.io:5000/y:v9"),
        *("refused", "unmatched", "unproved"),
    }


def expected(case: dict[str, Any]) -> str:
    """The promoted reference, or why there is none, by what was observed of the case."""
    if case["error"]:
        return "unproved" if PANIC in case["error"] else "refused"
    first, *others = listed(case)
    new_name = first.get("newName") or IMAGE.repository.name
    disagree = any(other["name"] == first["name"] for other in others)
    if not first["name"] or disagree or ":" in new_name.rpartition("/")[2]:
        return "refused"
    asks = {value for key, value in first.items() if key != "name"} - {"", "~"}
    matches = case["changed"] or not asks
    # A later entry renames or tags the image once more.
    return f"{new_name}:v9" if matches and not others else "unmatched"


def outcome(kustomize: Kustomize, case: dict[str, Any]) -> str:
    """Promote in the case's first entry, and look at what comes of it."""
    name = listed(case)[0]["name"]
    repository = FakeGitOpsRepository(
        {str(path): content.decode() for path, content in sources(case).files.items()}
    )
    try:
        edits = plan_edits(
            [FOLDER],
            requests=[ImageRequest(IMAGE, name)],
            tree=repository,
            head=repository.tip,
        )
        proof = prove_rendered(
            edits, tree=repository, head=repository.tip, renderer=kustomize, required=False
        )
    except KustomizationError:
        return "refused"
    except EntryError as error:
        return "unmatched" if "No container" in error.message else "refused"
    if proof.unproved:
        return "unproved"
    after = {**sources(case).files, edits[0].path: edits[0].edit.text.encode()}
    return str(image_in(kustomize.render(Sources(after, {}), FOLDER).text))


def listed(case: dict[str, Any]) -> list[dict[str, str]]:
    images = case["images"]
    if isinstance(images, str):
        images = YAML(typ="base").load(images)["images"]
    return [dict(entry) for entry in images]


def sources(case: dict[str, Any]) -> Sources:
    """A folder with one pod, which has the image of the case."""
    images = case["images"]
    text = images if isinstance(images, str) else f"images: {json.dumps(images)}\n"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod"},
        "spec": {"containers": [{"name": "c", "image": case["image"]}]},
    }
    return Sources(
        {
            FOLDER / "kustomization.yaml": f"resources: [pod.yaml]\n{text}".encode(),
            FOLDER / "pod.yaml": json.dumps(pod).encode(),
        },
        {},
    )


def image_in(text: str) -> str | None:
    """The image of the one pod; None where nothing was rendered."""
    loaded = YAML(typ="base").load(text) if text else None
    return str(loaded["spec"]["containers"][0]["image"]) if loaded else None
