"""Real kustomizations of well-known projects: only the bytes of the tag change."""

from __future__ import annotations

from gitops_action.errors import KustomizationError
from gitops_action.kustomization import Edit, ImageRequest, set_images
from gitops_action.kustomization.document import Entry, parse
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.pin import Pin
from tests.systems.shared import corpus, needs_shared

TAG = "0123456"  # a short commit SHA that YAML would take for a number
DIGEST = Digest("sha256:" + "0" * 64)


@needs_shared
def test_changes_no_other_byte_of_any_real_file() -> None:
    """
    The diff of a promotion is the tag, whatever people did to the file before.
    """
    changed = [
        (file, entry.line, differing(text, edit(text, entry, Pin.TAG).text), entry)
        for file, text in corpus().items()
        for entry in entries(text)
    ]

    assert len({file for file, _, _, _ in changed}) > 90
    assert not [
        (file, line, spans) for file, line, spans, entry in changed if not is_minimal(spans, entry)
    ]


@needs_shared
def test_adds_an_entry_to_every_real_file() -> None:
    """
    What was in the file stays, byte for byte, and three lines are new.
    """
    request = ImageRequest(ImageReference(Repository("ghcr.io/acme/shop"), TAG), "brand-new")

    spans = {
        file: differing(text, set_images(text, [request]).text) for file, text in readable().items()
    }

    lines = {file: new.count("\n") for file, (_, new) in spans.items()}
    assert not {file: old for file, (old, _) in spans.items() if old.strip(" []")}
    assert set(lines.values()) <= {2, 3, 4}


@needs_shared
def test_a_second_edit_changes_nothing() -> None:
    """
    Running the same job twice changes each file once.
    """
    for text in corpus().values():
        for entry in entries(text):
            for pin in Pin:
                first = edit(text, entry, pin)

                assert not edit(first.text, entry, pin).changed


@needs_shared
def test_asking_for_what_is_there_changes_nothing() -> None:
    """
    A no-op leaves all 206 files as they are.
    """
    texts = corpus()

    for text in readable().values():
        there = [request for entry in entries(text) for request in as_it_is(entry)]
        assert set_images(text, there).text == text

    assert len(texts) == 206
    assert len(texts) - len(readable()) == 3  # kustomizations of Flux


def readable() -> dict[str, str]:
    """The files that are kustomizations: the corpus has some that Kustomize refuses as well."""
    return {file: text for file, text in corpus().items() if is_readable(text)}


def is_readable(text: str) -> bool:
    try:
        parse(text.removeprefix("\ufeff"))
    except KustomizationError:
        return False
    return True


def entries(text: str) -> tuple[Entry, ...]:
    return parse(text.removeprefix("\ufeff")).entries if is_readable(text) else ()


def edit(text: str, entry: Entry, pin: Pin) -> Edit:
    """Set another tag and nothing else, which the entry's own name asks for."""
    image = ImageReference(repository(entry), TAG, DIGEST)
    return set_images(text, [ImageRequest(image, entry.text("name"), pin)])


def repository(entry: Entry) -> Repository:
    """The image that is asked for; examples have names such as `DOMAIN/IMAGE`."""
    try:
        return Repository(entry.text("newName") or entry.text("name"))
    except ValueError:
        return Repository("ghcr.io/acme/shop")


def as_it_is(entry: Entry) -> list[ImageRequest]:
    tag, digest = entry.text("newTag"), entry.text("digest")
    pin = Pin.TAG_AND_DIGEST if tag and digest else Pin.TAG if tag else Pin.DIGEST
    try:
        image = ImageReference(repository(entry), tag or "x", Digest(digest) if digest else None)
        return [ImageRequest(image, entry.text("name"), pin)] if renamed(entry) else []
    except ValueError:
        return []  # no such image can be asked for


def renamed(entry: Entry) -> bool:
    """Whether no `newName` has to be added."""
    return bool(entry.text("newName")) or entry.text("name") == repository(entry).name


def differing(before: str, after: str) -> tuple[str, str]:
    """What is left of both without what they have in common at their ends."""
    start = common(before, after)
    end = common(before[start:][::-1], after[start:][::-1])
    return before[start : len(before) - end], after[start : len(after) - end]


def common(left: str, right: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((at for at, pair in pairs if pair[0] != pair[1]), min(len(left), len(right)))


def is_minimal(spans: tuple[str, str], entry: Entry) -> bool:
    """Whether at most the tag, with its quotes, or one line made room for the new one."""
    old, new = spans
    if entry.text("digest"):  # it goes
        return old.count("\n") <= 1 and new.count("\n") <= 1
    room = len(entry.text("newTag")) + 2 if entry.text("newTag") else 0
    return len(old) <= room and "\n" not in old and new.count("\n") <= 2 - renamed(entry)
