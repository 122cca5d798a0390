"""The edit of a kustomization, its layout drawn at random: text that no dumper would write."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gitops_action.kustomization import set_image
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.pin import Pin
from tests.systems.kustomizations import NAMES, TAGS, Drawn, Fields, kustomizations

DIGEST = "sha256:" + "0123456789abcdef" * 4


def loaded(text: str) -> tuple[list[Fields], dict[str, object]]:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    values = next(iter(yaml.load_all(text)))
    return values.pop("images", []) or [], values


@settings(deadline=None)
@given(
    kustomizations(),
    TAGS,
    st.sampled_from([*NAMES, "new", "1.0", "it's: # odd"]),
    st.sampled_from(Pin),
)
def test_changes_one_entry_and_nothing_else(  # type: ignore[misc]  # `given` has Any in its types
    drawn: Drawn, tag: str, name: str, pin: Pin
) -> None:
    """
    Whatever the style: the entry asks for the image, and all else reads as before.
    """
    image = ImageReference(Repository("ghcr.io/acme/shop"), tag, Digest(DIGEST))
    expected = [dict(fields) for fields in drawn.entries]
    entry = next((fields for fields in expected if fields["name"] == name), {})
    if not entry:
        expected.append(entry)
    entry.pop("digest", None)
    entry.pop("newTag", None)
    if name != "ghcr.io/acme/shop":
        entry.setdefault("newName", "ghcr.io/acme/shop")
    entry |= {"name": name}
    entry |= {"newTag": tag} if pin.has_tag else {}
    entry |= {"digest": DIGEST} if pin.has_digest else {}

    edit = set_image(drawn.text, image=image, entry=name, pin=pin)

    images, others = loaded(edit.text)
    assert images == expected
    assert others == loaded(drawn.text)[1]
    assert not set_image(edit.text, image=image, entry=name, pin=pin).changed


@settings(deadline=None)
@given(kustomizations(), TAGS, st.sampled_from(NAMES))
def test_a_new_tag_takes_only_its_own_place(  # type: ignore[misc]  # `given` has Any in its types
    drawn: Drawn, tag: str, name: str
) -> None:
    """
    Where a tag is there already, no other character of the file changes.
    """
    simple = {"name", "newName", "newTag", "tagSuffix"}
    entry = next((fields for fields in drawn.entries if fields["name"] == name), {})
    if not simple - {"tagSuffix"} <= set(entry) <= simple:
        return
    image = ImageReference(Repository("ghcr.io/acme/shop"), tag)

    edit = set_image(drawn.text, image=image, entry=name)

    before, after = drawn.text.splitlines(keepends=True), edit.text.splitlines(keepends=True)
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert len(changed) == (0 if entry["newTag"] == tag else 1)
    assert all(tag in new for _, new in changed)
