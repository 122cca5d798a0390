"""The real Kustomize reads what the edit wrote, and renders the images that were asked for."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gitops_action.kustomization import set_image
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.pin import Pin
from tests.systems.kustomizations import NAMES, TAGS, Drawn, Fields, kustomizations

# Kustomize takes 40 ms to start: it renders several kustomizations at once.
BATCH = 10
DIGEST = "sha256:" + "0123456789abcdef" * 4
KEYS = ("newName", "newTag", "digest")
OTHERS = (
    'commonAnnotations:   {a: \'on\', "b": "1"}\n',
    "configMapGenerator:\n  - name: x\n    literals:\n    - A=1\n\n    - B=2 \n",
    "labels: [ {pairs: {a: 'b', c: \"d\"}} ]\n",
    "generatorOptions: {disableNameSuffixHash: true}   # why\n",
    (
        "patches:\n- target: {kind: None}\n  patch: |-\n    # no comment\n    - op: add\n\n"
        "      path: /a\n      value: b\n"
    ),
)
Wish = tuple[Drawn, str, str, Pin]
WISHES = st.tuples(
    kustomizations(OTHERS, KEYS), TAGS, st.sampled_from([*NAMES, "new"]), st.sampled_from(Pin)
)


@settings(max_examples=max(1, settings().max_examples // BATCH))
@given(st.lists(WISHES, min_size=BATCH, max_size=BATCH))
def test_renders_the_images_that_were_asked_for(  # type: ignore[misc]  # `given` has Any
    wishes: list[Wish],
) -> None:
    """
    Whatever the style of the file and the look of the tag, the cluster gets the promoted image.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place, wish in enumerate(wishes):
            write(folder / str(place), edited(wish))
        listed = "".join(f"- ./{place}\n" for place in range(len(wishes)))
        (folder / "kustomization.yaml").write_text("resources:\n" + listed)

        rendered = build(folder)

    for place, (drawn, tag, name, pin) in enumerate(wishes):
        assert rendered[f"n{place}"] == [
            applied(wanted(drawn.entries, tag, name, pin), f"{image}:first") for image in IMAGES
        ]


IMAGES = [*NAMES, "new", "unknown"]


def edited(wish: Wish) -> str:
    drawn, tag, name, pin = wish
    image = ImageReference(Repository("ghcr.io/acme/shop"), tag, Digest(DIGEST))
    return set_image(drawn.text, image=image, entry=name, pin=pin).text


def write(folder: Path, text: str) -> None:
    folder.mkdir()
    # The resources go in front of everything, as bytes that the edit has nothing to do with.
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    start = text.index("kind:")
    resources = f"namespace: n{folder.name}\nresources: [pod.yaml]\n"
    text = mark + text[len(mark) : start] + resources + text[start:]
    (folder / "kustomization.yaml").write_bytes(text.encode())
    containers = [
        {"name": f"c{place}", "image": f"{image}:first"} for place, image in enumerate(IMAGES)
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod"},
        "spec": {"containers": containers},
    }
    with (folder / "pod.yaml").open("w") as file:
        YAML(typ="safe").dump(pod, file)


def build(folder: Path) -> dict[str, list[str]]:
    """Render, and list the pods' images by namespace."""
    done = subprocess.run(
        ["kustomize", "build", folder], check=False, capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        broken = re.search(r"accumulat\w+ resources from '\./(\d+)'", done.stderr)
        text = (folder / broken[1] / "kustomization.yaml").read_bytes() if broken else b""
        pytest.fail(f"{done.stderr}\n{text!r}")
    return {
        manifest["metadata"]["namespace"]: [
            container["image"] for container in manifest["spec"]["containers"]
        ]
        for manifest in YAML(typ="base").load_all(done.stdout)
        if manifest["kind"] == "Pod"
    }


def wanted(entries: list[Fields], tag: str, name: str, pin: Pin) -> list[Fields]:
    """The entries as they should be."""
    after = [dict(fields) for fields in entries]
    entry = next((fields for fields in after if fields["name"] == name), None)
    if entry is None:
        entry = {"name": name}
        after.append(entry)
    if name != "ghcr.io/acme/shop":
        entry.setdefault("newName", "ghcr.io/acme/shop")
    entry |= {"newTag": tag if pin.has_tag else "", "digest": DIGEST if pin.has_digest else ""}
    return after


def applied(entries: list[Fields], image: str) -> str:
    """What Kustomize makes of an image (its api/internal/image, and filters/imagetag)."""
    for entry in entries:
        characters = r"[a-zA-Z0-9_.{}-]*"
        pattern = rf"({entry['name']})(:{characters})?(@sha256:{characters})?"
        found = re.fullmatch(pattern, image)
        if found is None:
            continue
        name = entry.get("newName") or found[1]
        tag, digest = entry.get("newTag"), entry.get("digest")
        if tag or digest:
            image = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
        else:
            image = name + (found[2] or "") + (found[3] or "")
    return image
