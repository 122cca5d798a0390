"""Pins, several images at once, and what is warned of."""

from __future__ import annotations

import pytest

from gitops_action.errors import EntryError, KustomizationError
from gitops_action.kustomization import Edit, ImageChange, ImageRequest, set_image, set_images
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.pin import Pin

OLD = "sha256:" + "a" * 64
NEW = "sha256:" + "b" * 64
ENTRY = "images:\n- name: ghcr.io/acme/shop\n"


def image(name: str = "ghcr.io/acme/shop", tag: str = "v2") -> ImageReference:
    return ImageReference(Repository(name), tag, Digest(NEW))


def pinned(fields: str, pin: Pin) -> Edit:
    return set_image(ENTRY + fields, image=image(), pin=pin)


@pytest.mark.parametrize(
    ("fields", "pin", "expected"),
    [
        ("  newTag: v1\n", Pin.TAG, "  newTag: v2\n"),
        (f"  digest: {OLD}\n", Pin.TAG, "  newTag: v2\n"),
        (f"  newTag: v1\n  digest: {OLD}\n", Pin.TAG, "  newTag: v2\n"),
        ("  newTag: v1\n", Pin.DIGEST, f"  digest: {NEW}\n"),
        (f"  digest: {OLD}\n", Pin.DIGEST, f"  digest: {NEW}\n"),
        (f'  digest: "{OLD}"\n  newTag: v1 # x\n', Pin.DIGEST, f'  digest: "{NEW}"\n'),
        ("  newTag: v1\n", Pin.TAG_AND_DIGEST, f"  newTag: v2\n  digest: {NEW}\n"),
        ("", Pin.TAG_AND_DIGEST, f"  newTag: v2\n  digest: {NEW}\n"),
        (f"  digest: {OLD}\n", Pin.TAG_AND_DIGEST, f"  newTag: v2\n  digest: {NEW}\n"),
        (
            f"  digest: {OLD}\n  newTag: v1\n",
            Pin.TAG_AND_DIGEST,
            f"  digest: {NEW}\n  newTag: v2\n",
        ),
    ],
)
def test_pins_by_tag_by_digest_or_by_both(fields: str, pin: Pin, expected: str) -> None:
    """
    What is left in the entry is what was asked for: no digest stays beside a new tag by accident.
    """
    edit = pinned(fields, pin)

    assert edit.text == ENTRY + expected
    assert not set_image(edit.text, image=image(), pin=pin).changed


def test_pins_in_braces_and_in_new_entries() -> None:
    """
    A digest has a colon, which Kustomize's parser wants in quotes between braces.
    """
    flow = set_image(
        "images: [{name: ghcr.io/acme/shop, newTag: v1}]", image=image(), pin=Pin.DIGEST
    ).text
    new = set_image("kind: Component\n", image=image(), entry="shop", pin=Pin.DIGEST).text

    assert flow == f'images: [{{name: ghcr.io/acme/shop, digest: "{NEW}"}}]'
    assert new == (
        f"kind: Component\nimages:\n- name: shop\n  newName: ghcr.io/acme/shop\n  digest: {NEW}\n"
    )


def test_adds_a_field_behind_an_empty_one_in_braces() -> None:
    """
    A comma right behind a colon would become a part of the key.
    """
    text = "images: [{name: ghcr.io/acme/shop, newTag: }]"

    edit = set_image(text, image=image(), pin=Pin.DIGEST)

    assert edit.text == text.replace("newTag: ", f'newTag: , digest: "{NEW}" ')


def test_says_that_the_tag_went() -> None:
    """
    A pin by digest alone removes the tag, and says so.
    """
    edit = pinned("  newTag: v1\n", Pin.DIGEST)

    assert "`newTag` of the entry `ghcr.io/acme/shop` was removed" in edit.notices[0]
    assert edit.images == (
        ImageChange(
            entry="ghcr.io/acme/shop",
            old="ghcr.io/acme/shop:v1",
            new=f"ghcr.io/acme/shop@{NEW}",
        ),
    )


def test_a_pin_by_digest_needs_one() -> None:
    """
    The registry has to tell the digest first.
    """
    unknown = ImageReference(Repository("ghcr.io/acme/shop"), "v2")

    with pytest.raises(ValueError, match="not known"):
        ImageRequest(unknown, pin=Pin.DIGEST)


def test_sets_several_images_in_one_edit() -> None:
    """
    An application of several images is promoted as one, and each change is told.
    """
    text = ENTRY + "  newTag: v1  # here\n- name: api\n  newName: ghcr.io/acme/api\n# end\n"
    requests = [
        ImageRequest(image("ghcr.io/acme/api")),
        ImageRequest(image()),
        ImageRequest(image("ghcr.io/acme/job", "v3"), "job"),
        ImageRequest(image("ghcr.io/acme/web", "v4"), "web", Pin.DIGEST),
    ]

    edit = set_images(text, requests)

    assert edit.text == (
        ENTRY + "  newTag: v2  # here\n- name: api\n  newName: ghcr.io/acme/api\n  newTag: v2\n"
        "- name: job\n  newName: ghcr.io/acme/job\n  newTag: v3\n"
        f"- name: web\n  newName: ghcr.io/acme/web\n  digest: {NEW}\n# end\n"
    )
    assert [(change.entry, change.old, change.changed) for change in edit.images] == [
        ("api", "", True),
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop:v1", True),
        ("job", "", True),
        ("web", "", True),
    ]
    assert edit.images[2].new == "ghcr.io/acme/job:v3"
    assert not set_images(edit.text, requests).changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{kind: Component}", "{kind: Component, images: [%s, %s]}"),
        ("images: []\n", "images:\n%s%s"),
        ("{images: [ ]}", "{images: [%s, %s ]}"),
    ],
)
def test_adds_several_entries(before: str, after: str) -> None:
    """
    New entries stand in the order of the requests.
    """
    names = ("a", "b")
    flow = [f"{{name: {name}, newName: ghcr.io/acme/shop, newTag: v2}}" for name in names]
    block = [f"- name: {name}\n  newName: ghcr.io/acme/shop\n  newTag: v2\n" for name in names]

    edit = set_images(before, [ImageRequest(image(), name) for name in names])

    assert edit.text == after % tuple(block if "\n" in after else flow)


def test_nothing_to_set_is_no_edit() -> None:
    """
    No request changes nothing, and is no error.
    """
    edit = set_images(ENTRY, [])

    assert (edit.text, edit.changed, edit.images, edit.previous) == (ENTRY, False, (), "")


@pytest.mark.parametrize("entry", ["ghcr.io/acme/shop", "new"])
def test_two_images_cannot_have_one_entry(entry: str) -> None:
    """
    The last one does not win silently; the same request twice is one.
    """
    twice = [ImageRequest(image(), entry)] * 2
    other = ImageRequest(image(tag="v3"), entry)

    with pytest.raises(EntryError, match="Two images"):
        set_images(ENTRY, [*twice, other])

    assert set_images(ENTRY, twice).text == set_images(ENTRY, twice[:1]).text


def test_equal_entries_of_one_name_are_edited_alike() -> None:
    """
    Kustomize applies both: one that stays behind would win.
    """
    edit = set_image((ENTRY + "  newTag: v1\n") + ENTRY[8:] + '  newTag: "v1"\n', image=image())

    assert edit.text == ENTRY + "  newTag: v2\n" + ENTRY[8:] + '  newTag: "v2"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x: &x {name: a}\nimages:\n- <<: *x\n  newTag: v1\n", "behind its merge key"),
        ("images:\n- &x {name: a}\n- *x\n", "stands for another one"),
        ("%YAML 1.2\n---\n" + ENTRY, "another YAML than 1.1"),
        ("a: *x\n" + ENTRY, "unknown anchor 'x' referenced"),
        ("a: [" + "1," * 100_000 + "]\n" + ENTRY, "too many keys and values"),
        ("images: [" + "{name: a}," * 10_000 + "]\n", "too many keys and values"),
        ("images: [{name: a:b}]\n" + "#" * 70_000, "unexpected ':'"),
        ("a:\n- {b: c, b: d}\n", "twice in one mapping, on lines 2 and 2"),
        ("a: \ud800\n", "not valid YAML"),
        ("a: \x07\n", "control characters"),
        ("images: " + "[" * 100 + "]" * 100, "not a mapping"),
        ("a: " + "[" * 150, "levels deep"),
        ("a: |\n  b", "no line break at its end"),
        ("a:\n- b: >\n    c", "no line break at its end"),
        ("images:\n- name: b\n  newTag: |\n    v1", "no line break at its end"),
        ("images: [name: shop]\n", "a pair without braces"),
        ("images:\n- ? name\n  : shop\n", "in front of its keys"),
        ("\ufeff\ufeffkind: Component\n", "two byte order marks"),
        ("images: [{name: a, newTag: &x v1, digest: *x, newName: [b]}]", "`newName` is a coll"),
    ],
)
def test_refuses_what_hides_an_entry(text: str, words: str) -> None:
    """
    What cannot be read in full, or in time, is not edited.
    """
    with pytest.raises(KustomizationError, match=words) as caught:
        set_image(text, image=image(), entry="shop")

    assert caught.value.location
    assert caught.value.hint


def test_refuses_an_entry_without_a_name() -> None:
    """
    It means no image, whatever its `newName` is.
    """
    with pytest.raises(KustomizationError, match="has no `name`"):
        set_image("images:\n- newName: ghcr.io/acme/shop\n", image=image())


@pytest.mark.parametrize("new_name", ["mirror/shop:v0", "r.io:5000/shop@sha256:0"])
def test_refuses_a_new_name_with_a_tag(new_name: str) -> None:
    """
    The cluster would be asked for an image with two tags, and could not pull it.
    """
    with pytest.raises(KustomizationError, match="behind the old one") as caught:
        set_image(f'{ENTRY}  newName: "{new_name}"\n', image=image())

    assert caught.value.location
    assert caught.value.location.line == 3


def test_reads_what_stands_behind_an_alias() -> None:
    """
    An entry that is not edited may share its values.
    """
    text = (
        "x: &tag v1\ny: &list [*tag, {a: *tag}]\nz: *list\n" + ENTRY + "- {name: a, newTag: *tag}\n"
    )

    assert set_image(text, image=image()).text == text.replace("shop\n", "shop\n  newTag: v2\n")


def test_reads_an_image_with_a_port_in_braces() -> None:
    """
    Kustomize takes it without quotes, libyaml does not.
    """
    text = "images: [{name: r.io:5000/a, newTag: 'v1'}]"

    assert set_image(text, image=image("r.io:5000/a")).text == text.replace("v1", "v2")


PATCH = """\
patches:
- target: {kind: Deployment}
  patch: |-
    - op: replace
      path: /spec/replicas
      value: 3
    - op: %s
      path: /spec/template/spec/containers/0/image
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x-tag: v1\n", "`x-tag` on line 3 is no field of a kustomization"),
        ("- name: a\n  pullPolicy: Always\n", "`pullPolicy` on line 4 is no field of an entry"),
        (PATCH % "replace" + "      value: nginx:1\n", "sets `/spec/template/spec/containers/0/im"),
        (PATCH % "remove", "containers/0/image` aside"),
        (
            'patchesJson6902:\n- patch: \'[{"op": "add", "path": "/a/image", "value": "b@c"}]\'\n',
            "sets `/a/image` to `b@c`",
        ),
        (
            "replacements:\n- targets:\n  - fieldPaths: [a.b, spec.containers.0.image]\n",
            "after `images` has set it",
        ),
    ],
    ids=["field", "image-field", "patch", "patch-removes", "json", "replacement"],
)
def test_warns_of_what_may_undo_the_promotion(text: str, words: str) -> None:
    """
    The edit stands, and the reader knows where to look when the image does not run.
    """
    edit = set_image(ENTRY + text, image=image())

    assert edit.changed
    assert len(edit.warnings) == 1
    assert words in edit.warnings[0]


@pytest.mark.parametrize(
    "text",
    [
        PATCH % "replace" + "      value: ghcr.io/acme/shop:v1\n",
        "Resources: [a]\nopenapi: {}\n",
        "patches: [a.yaml, {path: b.yaml}, {patch: [a]}]\nreplacements: [{path: a}, b]\n",
        "replacements: [{targets: [{fieldPaths: [a, [b]]}, {}]}]\n",
    ],
    ids=["same-image", "another-case", "files", "odd"],
)
def test_does_not_warn_of_what_is_harmless(text: str) -> None:
    """
    `images` comes after the patches: one that names our image does no harm.
    """
    assert set_image(ENTRY + text, image=image()).warnings == ()


def test_an_error_names_some_entries_of_many() -> None:
    """
    A message stays readable, however long the list is.
    """
    entries = "".join(f"- name: a{number}\n" for number in range(100))

    with pytest.raises(EntryError) as caught:
        set_image("images:\n" + entries, image=image())

    assert "a19 on line 21; 80 more." in caught.value.message
