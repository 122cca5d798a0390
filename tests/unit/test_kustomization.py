"""The edit of a kustomization: golden pairs, and what is refused."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from gitops_action.errors import ActionError, EntryError, KustomizationError, ProofError
from gitops_action.kustomization import (
    ImageRequest,
    kustomizations_below,
    local_references,
    locate,
    plan_edits,
    set_image,
)
from gitops_action.kustomization.document import parse
from gitops_action.kustomization.proof import prove, prove_settled
from gitops_action.kustomization.scalars import is_string, written
from gitops_action.kustomization.splices import Splice, apply
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.source import CommitSha
from tests.fakes.tree import MemoryTree

CASES = Path(__file__).parent.parent / "fixtures" / "kustomizations"
HEAD = CommitSha("a" * 40)

# What differs from the usual: the entry's name, and the tag.
ENTRY = {
    "new-name-added",
    "new-name-and-tag-added",
    "mirror-kept",
    "entry-appended",
    "entry-appended-indented",
    "entry-appended-flow",
    "entry-appended-flow-items",
    "entry-appended-json",
    "list-missing",
    "list-missing-two-documents",
    "list-empty",
    "list-null",
}
TAGS = {"all-digit-tag": "1234567", "word-tag": "on"}
ONE = "images:\n- name: ghcr.io/acme/shop\n  newTag: v1\n"


def image(tag: str = "4be1c2a") -> ImageReference:
    return ImageReference(Repository("ghcr.io/acme/shop"), tag)


def refusal(text: str, entry: str = "") -> ActionError:
    with pytest.raises(ActionError) as caught:
        set_image(text, image=image(), entry=entry)
    return caught.value


@pytest.mark.parametrize("case", sorted(folder.name for folder in CASES.iterdir()))
@pytest.mark.parametrize("shape", ["as-it-is", "windows", "byte-order-mark", "unfinished"])
def test_changes_the_lines_of_the_entry_and_no_others(case: str, shape: str) -> None:
    """
    A promotion's diff shows the new tag, whatever the file's style.
    """
    before, after = (
        _shaped((CASES / case / name).read_bytes().decode(), shape)
        for name in ("before.yaml", "after.yaml")
    )

    edit = set_image(
        before, image=image(TAGS.get(case, "4be1c2a")), entry="shop" if case in ENTRY else ""
    )

    assert edit.text == after
    assert edit.changed


def _shaped(text: str, shape: str) -> str:
    match shape:
        case "windows":
            return text.replace("\n", "\r\n")
        case "byte-order-mark":
            return "\ufeff" + text
        case "unfinished":
            return text.removesuffix("\n")
        case _:
            return text


def test_is_unchanged_when_the_tag_is_already_there() -> None:
    """
    Running the same job twice changes the file once.
    """
    text = ONE.replace("v1", "'4be1c2a'  # kept")

    edit = set_image(text, image=image())

    assert (edit.text, edit.changed) == (text, False)


@pytest.mark.parametrize(
    ("fields", "previous"),
    [
        ("newTag: v1", "ghcr.io/acme/shop:v1"),
        ("newName: mirror/shop\n  newTag: v1", "mirror/shop:v1"),
        ("digest: sha256:24a0", "ghcr.io/acme/shop@sha256:24a0"),
        ("newTag: v1\n  digest: sha256:24a0", "ghcr.io/acme/shop:v1@sha256:24a0"),
        ("newName: mirror/shop", ""),
    ],
    ids=["tag", "mirror", "digest", "tag-and-digest", "neither"],
)
def test_tells_what_was_asked_for_before(fields: str, previous: str) -> None:
    """
    The report shows from which image to which the promotion went.
    """
    text = f"images:\n- name: ghcr.io/acme/shop\n  {fields}\n"

    edit = set_image(text, image=image())

    assert edit.previous == previous


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("mirror-kept", "the cluster pulls mirror.example.com/acme/shop:4be1c2a"),
        ("digest-becomes-tag", "`digest` of the entry `ghcr.io/acme/shop` was removed"),
        ("entry-appended", "`images` had no entry `shop`; it was added"),
    ],
)
def test_says_what_a_reader_would_not_expect(case: str, words: str) -> None:
    """
    A mirror, a lost digest and a new entry are each named in a notice.
    """
    before = (CASES / case / "before.yaml").read_text()

    edit = set_image(before, image=image(), entry="shop" if case in ENTRY else "")

    assert words in edit.notices[0]


def test_asks_whether_an_added_name_was_a_slip() -> None:
    """
    A mistyped `kustomize-name` is answered with the name that is there.
    """
    edit = set_image("images:\n- name: hello-gitops\n", image=image(), entry="helo-gitops")

    assert "Did you mean `hello-gitops`?" in edit.notices[0]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("kind: Kustomization\n", "there are: none at all", "kustomize-name: shop"),
        (
            "images:\n- name: shop-web\n- name: redis\n  newName: r.example.com/redis\n",
            "shop-web on line 2; redis (newName r.example.com/redis) on line 3",
            "kustomize-name: shop-web",
        ),
        (
            ONE.replace("- name", "- name: a\n  newName") + ONE[8:].replace("name", "newName"),
            "Several entries of `images` could be meant",
            "kustomize-name: a",
        ),
    ],
    ids=["no-entries", "other-entries", "several"],
)
def test_lists_the_entries_when_none_or_several_fit(text: str, message: str, hint: str) -> None:
    """
    The error shows the line to paste.
    """
    error = refusal(text)

    assert isinstance(error, EntryError)
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "is empty"),
        ("# nothing\n", 1, "is empty"),
        ("---\n---\n" + ONE, 2, "is empty"),
        ("- a\n", 1, "not a mapping"),
        ("images: [\n", 1, "not valid YAML"),
        ("images:\n- name: a\n\tnewTag: b\n", 3, "not valid YAML"),
        ("a: \0\n", 1, "not valid YAML"),
        ("a: " + "[" * 3000, 1, "levels deep"),
        ("kind: a\nkind: b\n" + ONE, 2, "twice"),
        ("a: {b: 1, b: 2}\n" + ONE, 1, "twice"),
        (ONE + "  newtag: v2\n", 4, "twice"),
        (ONE + "---\n" + ONE, 5, "second YAML document"),
        ("apiVersion: kustomize.toolkit.fluxcd.io/v1\n" + ONE, 1, "Flux's own"),
        ("imageTags: []\n" + ONE, 1, "`imageTags`"),
        ("a: &a {b: c}\n<<: *a\n", 2, "`<<`"),
        ("? [a]\n: b\n", 1, "collection"),
        ("images: shop\n", 1, "not a list"),
        ("images:\n- shop\n", 2, "not a mapping"),
        ("images:\n-\n- name: a\n", 2, "not a mapping"),
        (ONE.replace("v1", "1.0"), 3, "`newTag` is `1.0`"),
        (ONE.replace("v1", "on"), 3, "`newTag` is `on`"),
        (ONE.replace("v1", "[v1]"), 3, "`newTag` is a collection"),
        (ONE.replace("v1", "!!binary aGk="), 3, "not read as a string"),
        (ONE.replace("v1", "!!str 1.0"), 3, "explicit YAML tag"),
        (ONE.replace("v1", "&tag v1"), 2, "shares its values"),
        ("a: &tag v1\n" + ONE.replace("v1", "*tag"), 3, "shares its values"),
        (ONE.replace("- name", "- &entry\n  name"), 2, "shares its values"),
        ("a: &a {digest: x}\n" + ONE + "  <<: *a\n", 3, "shares its values"),
        (ONE + ONE.removeprefix("images:\n").replace("v1", "v2"), 4, "disagree"),
        (ONE.replace("newTag: v1", "? newTag\n"), 3, "no colon"),
    ],
)
def test_refuses_what_cannot_be_edited_safely(text: str, line: int, words: str) -> None:
    """
    The error names the line, and what to do about it.
    """
    error = refusal(text)

    assert isinstance(error, KustomizationError)
    assert words in error.message
    assert error.location
    assert error.location.line == line
    assert error.hint


def test_refuses_to_add_to_a_list_that_others_share() -> None:
    """
    An anchor on the list would carry the new entry elsewhere.
    """
    error = refusal("images: &images\n- name: redis\nother: *images\n", "shop")

    assert "has an anchor" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "x: &tags {a: v1}\ny: *tags\n" + ONE,
        "x: [a, &b c]\n# end\n" + ONE + "---\nkind: Other\n",
        "delimiter: =\n" + ONE,
        "when: 2020-01-01\nclock: 1:20\n" + ONE,
        "a:\n" + ONE,
        "%YAML 1.1\n---\n" + ONE + "...\n",
    ],
    ids=["anchors", "second-document", "equals-sign", "dates", "null", "directive"],
)
def test_leaves_alone_what_it_does_not_touch(text: str) -> None:
    """
    What is unusual elsewhere in the file does not stop a promotion.
    """
    edit = set_image(text, image=image())

    assert edit.text == text.replace("newTag: v1", "newTag: 4be1c2a")


def test_adds_an_entry_to_each_kind_of_empty_list() -> None:
    """
    A list without entries is filled in the style of the file.
    """
    new = '{"name": "shop", "newName": "ghcr.io/acme/shop", "newTag": "4be1c2a"}'
    plain = new.replace('"', "")
    pairs = {
        '{"images": []}': f'{{"images": [{new}]}}',
        '{"images": null}': f'{{"images": [{new}]}}',
        '{"a": "b"}': f'{{"a": "b", "images": [{new}]}}',
        '{\n  "a": "b"\n}': f'{{\n  "a": "b",\n  "images": [{new}]\n}}',
        "a: b\nimages: [\n # none\n]": f"a: b\nimages: [{plain}\n # none\n]",
        '{"images": [\n  {"name": "b"}\n]}': f'{{"images": [\n  {{"name": "b"}},\n  {new}\n]}}',
    }

    edits = {text: set_image(text, image=image(), entry="shop").text for text in pairs}

    assert edits == pairs


def test_adds_an_entry_after_unusual_fields() -> None:
    """
    The end of the last entry is found behind lists and aliases as well.
    """
    before = "a: &a x\nimages:\n- name: b\n  %s\nc: d\n"
    fields = ("unknown:\n  - x\n  - y", "newTag: *a # x", "unknown: [x]", "newTag: |\n    x")

    edits = [set_image(before % text, image=image(), entry="e").text for text in fields]

    new = "- name: e\n  newName: ghcr.io/acme/shop\n  newTag: 4be1c2a"
    assert edits == [before % f"{text}\n{new}" for text in fields]


def test_edits_fields_in_braces() -> None:
    """
    An entry on one line stays on one line.
    """
    added = set_image("images: [{name: shop}]", image=image(), entry="shop").text
    own = set_image("images: [{name: a}]", image=image(), entry="ghcr.io/acme/shop").text
    last = set_image(
        "images: [{name: ghcr.io/acme/shop, newTag: v1, digest: x}]", image=image()
    ).text

    assert own == "images: [{name: a}, {name: ghcr.io/acme/shop, newTag: 4be1c2a}]"
    assert added == "images: [{name: shop, newName: ghcr.io/acme/shop, newTag: 4be1c2a}]"
    assert last == "images: [{name: ghcr.io/acme/shop, newTag: 4be1c2a}]"


def test_replaces_a_tag_in_a_block_scalar() -> None:
    """
    A tag over several lines becomes one line.
    """
    text = ONE.replace("v1\n", "|-\n    v1\n\n# end\n")

    assert set_image(text, image=image()).text == ONE.replace("v1\n", "4be1c2a\n\n# end\n")


@pytest.mark.parametrize(
    "tag",
    [
        "0123456",
        "1e3",
        "1E3",
        "0x1F",
        "0b1",
        "on",
        "OFF",
        "y",
        "Null",
        "true",
        "1.0",
        "1_000",
        "2020-01-01",
        "12e3456",
        "_",
        "0o17",
        "1.",
        "08",
    ],
)
def test_a_tag_stays_a_string(tag: str) -> None:
    """
    A short SHA of digits alone does not become a number.
    """
    for quote in (None, "'", '"'):
        text = written(tag, quote=quote, flow=False)

        assert text[0] in "\"'" or is_string(text)


@pytest.mark.parametrize("tag", ["v1", "1.0.0", "4be1c2a", "main-1", "_x", "latest", "1.2.3-rc.1"])
def test_a_usual_tag_needs_no_quotes(tag: str) -> None:
    """
    The diff shows the tag as a person would have written it.
    """
    assert written(tag, quote=None, flow=True) == tag
    assert written(tag, quote="'", flow=False) == f"'{tag}'"


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ("1e400", True),
        ("0x1FFFFFFFFFFFFFFFF", True),
        ("-0xFFFFFFFFFFFFFFFF", True),
        ("0xFFFFFFFFFFFFFFFF", False),
        ("-0x8000000000000000", False),
        ("-0x8000000000000001", True),
        ("99999999999999999999999", False),
        (".inf", False),
        ("08", False),
    ],
)
def test_knows_which_numbers_are_too_large_to_be_some(plain: str, *, expected: bool) -> None:
    """
    A file that Kustomize reads is not refused for a tag that only looks like a number.
    """
    assert is_string(plain) == expected


def test_writes_names_with_ports_and_slashes() -> None:
    """
    A registry's port does not end a value too early.
    """
    assert written("r.io:5000/a", quote=None, flow=False) == "r.io:5000/a"
    assert written("r.io:5000/a", quote=None, flow=True) == '"r.io:5000/a"'
    assert written("it's: #", quote="'", flow=False) == "'it''s: #'"


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        (ONE.replace("images", "imagos"), "characters outside the edit changed"),
        (ONE.replace("v1", "v3"), "not the planned one"),
        (ONE.replace("v1", "v2") + "a: b\n", "characters after the edit changed"),
    ],
)
def test_the_proof_finds_other_characters(edited: str, words: str) -> None:
    """
    An edit that touches anything else never reaches a commit.
    """
    splice = Splice(ONE.index("v1"), ONE.index("v1") + 2, "v2")

    with pytest.raises(ProofError, match=words):
        prove(parse(ONE), edited, [splice], wanted={0: {"newTag": "v2"}})


@pytest.mark.parametrize(
    ("text", "old", "new", "words"),
    [
        (ONE, "v1", "v3", "`newTag` of an entry"),
        (ONE, "v1", "[", "cannot be read"),
        (ONE, "v1", "v2\nresources: []", "another field"),
        (ONE + "a: [1]\n", "[1]", "[2]", "another field"),
        (ONE + "a: [1]\n", "[1]", "{1: 2}", "another field"),
        (ONE + "a: [1]\n", "[1]", "[1, 2]", "another field"),
        (ONE + "a: &x b\nc: [*x, *x]\n", "v1", "v3", "`newTag` of an entry"),
        (ONE, "v1", "v2\n  tagSuffix: x", "`tagSuffix` of an entry"),
        (ONE + "- {name: b}\n", "\n- {name: b}", "", "`newTag` of an entry"),
        (ONE, "v1", "v2\n- name: b", "`name` of an entry"),
        (ONE.replace("v1", "v2") + "- {name: b}\n", "\n- {name: b}", "", "number of entries"),
        (ONE.rstrip(), "v1", "v3", "`newTag` of an entry"),
    ],
)
def test_the_proof_finds_other_meanings(text: str, old: str, new: str, words: str) -> None:
    """
    The edited file must read as the old one did, but for the wanted values.
    """
    splice = Splice(text.index(old), text.index(old) + len(old), new)

    with pytest.raises(ProofError, match=words):
        prove(parse(text), apply(text, [splice]), [splice], wanted={0: {"newTag": "v2"}})


def test_the_proof_finds_an_edit_that_never_settles() -> None:
    """
    The second run of a job changes nothing.
    """
    with pytest.raises(ProofError, match="once more"):
        prove_settled((Splice(0, 0, "x"),))


def test_finds_the_kustomization_of_a_folder_and_of_a_file() -> None:
    """
    `kustomizations` may name either.
    """
    tree = MemoryTree({"apps/shop/kustomization.yml": b"", "Kustomization": b""})

    found = [
        str(locate(tree, HEAD, PurePosixPath(path)))
        for path in ("apps/shop", "apps/shop/kustomization.yml", ".")
    ]

    assert found == ["apps/shop/kustomization.yml", "apps/shop/kustomization.yml", "Kustomization"]


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("apps", "apps has no kustomization; it has shop/", "kustomization.yaml"),
        ("two", "several kustomizations, kustomization.yaml, Kustomization", "Keep one"),
        ("two/Kustomization", "several kustomizations", "Keep one"),
        ("apps/shop/deployment.yaml", "is not a kustomization", "Name the folder"),
        ("apps/shopp", "The folder apps has shop/", "Did you mean apps/shop?"),
        ("app/shop", "The GitOps repository has apps/, two/", "Did you mean apps?"),
        ("apps/shop/x/y", "The folder apps/shop has", "start at the root"),
        ("..", "is not in the GitOps repository", "start at the root"),
    ],
)
def test_says_what_is_there_instead(path: str, message: str, hint: str) -> None:
    """
    A wrong path is answered with the names beside it.
    """
    tree = MemoryTree(
        {
            "apps/shop/kustomization.yaml": b"",
            "apps/shop/deployment.yaml": b"",
            "two/kustomization.yaml": b"",
            "two/Kustomization": b"",
        }
    )

    with pytest.raises(KustomizationError) as caught:
        locate(tree, HEAD, PurePosixPath(path))

    assert message in caught.value.message
    assert hint in caught.value.hint


def test_says_that_a_repository_is_empty() -> None:
    """
    A commit without files is no reason for a traceback.
    """
    with pytest.raises(KustomizationError, match="has no files"):
        locate(MemoryTree(), HEAD, PurePosixPath())


def test_lists_only_some_names_of_a_large_folder() -> None:
    """
    An error message stays readable.
    """
    tree = MemoryTree({f"apps/{number}": b"" for number in range(100)})

    with pytest.raises(KustomizationError, match="80 more"):
        locate(tree, HEAD, PurePosixPath("apps"))


def test_edits_each_file_once() -> None:
    """
    A folder and its file are the same kustomization.
    """
    tree = MemoryTree({"a/kustomization.yaml": ONE.encode(), "b/kustomization.yaml": ONE.encode()})
    paths = [PurePosixPath(path) for path in ("a", "a/kustomization.yaml", "b")]

    edits = plan_edits(paths, requests=[ImageRequest(image())], tree=tree, head=HEAD)

    assert [str(edit.path) for edit in edits] == ["a/kustomization.yaml", "b/kustomization.yaml"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"images:\n- name: ghcr.io/acme/shop\n  newTag: 1.0\n",
            "a/kustomization.yaml:3: `newTag`",
        ),
        (b"images: []\n", "a/kustomization.yaml: No entry"),
        (b"a: b\n# \xff\n", "a/kustomization.yaml is not UTF-8: byte 7"),
    ],
)
def test_names_the_file_and_the_line(content: bytes, words: str) -> None:
    """
    With several kustomizations, the error says which one it is about.
    """
    tree = MemoryTree({"a/kustomization.yaml": content})

    with pytest.raises(ActionError) as caught:
        plan_edits([PurePosixPath("a")], requests=[ImageRequest(image())], tree=tree, head=HEAD)

    assert words in caught.value.message
    assert caught.value.location
    assert caught.value.location.file == PurePosixPath("a/kustomization.yaml")


def test_a_name_that_is_no_file_is_said_to_be_none() -> None:
    """
    A submodule called kustomization.yaml is not followed.
    """
    tree = MemoryTree({"a/kustomization.yaml": None})

    with pytest.raises(KustomizationError, match=r"a/kustomization.yaml is not a file"):
        plan_edits([PurePosixPath("a")], requests=[ImageRequest(image())], tree=tree, head=HEAD)


def test_follows_the_kustomizations_of_a_folder() -> None:
    """
    An overlay uses its base and its components, each once, and nothing outside the repository.
    """
    tree = MemoryTree(
        {
            "app/dev/kustomization.yaml": b"resources: [../base, ../../../x, a.yaml]\n"
            b"components: [../debug]\n",
            "app/dev/a.yaml": b"",
            "app/base/kustomization.yaml": b"resources: [/, ../dev]",
            "app/debug/kustomization.yaml": b"a: b",
        }
    )

    found = {str(path) for path in kustomizations_below(tree, HEAD, PurePosixPath("app/dev"))}

    assert found == {f"app/{name}/kustomization.yaml" for name in ("dev", "base", "debug")}


def test_lists_local_references_only() -> None:
    """
    Bases on other servers are not looked for in this repository.
    """
    text = """\
    resources:
    - ../base
    - deployment.yaml
    - https://example.com/x.yaml
    - github.com/acme/base?ref=v1
    - git@example.com:acme/base
    - {not: text}
    components: [../parts/debug]
    bases:
    images: []
    """

    assert local_references(text) == ("../base", "deployment.yaml", "../parts/debug")


@pytest.mark.parametrize("path", ["live", "live/kustomization.yaml", "other", "file"])
def test_follows_links_inside_the_repository(path: str) -> None:
    """
    The file is edited where it really is, and the links stay.
    """
    tree = MemoryTree(
        {"apps/shop/base.yaml": ONE.encode()},
        {
            "apps/shop/kustomization.yaml": "base.yaml",
            "live": "./apps/../apps/shop",
            "other": "live",
            "file/kustomization.yaml": "../live/kustomization.yaml",
        },
    )

    edits = plan_edits(
        [PurePosixPath(path)], requests=[ImageRequest(image())], tree=tree, head=HEAD
    )

    assert [str(edit.path) for edit in edits] == ["apps/shop/base.yaml"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/etc", "link is a symbolic link to /etc, which is outside"),
        ("../../x", "outside the GitOps repository"),
        ("link", "in a circle"),
    ],
)
def test_follows_no_link_out_of_the_repository(target: str, words: str) -> None:
    """
    A link cannot make the action read or write elsewhere.
    """
    tree = MemoryTree(links={"a/link": target})

    with pytest.raises(KustomizationError, match=words):
        locate(tree, HEAD, PurePosixPath("a/link/b"))
