"""Broken files: a proved edit or a refusal with a message, quickly, and never a traceback."""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import settings

from gitops_action.errors import ActionError, ProofError
from gitops_action.kustomization import ImageRequest, plan_edits
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.pin import Pin
from gitops_action.model.source import CommitSha
from tests.fakes.tree import MemoryTree
from tests.systems.shared import corpus

HEAD = CommitSha("a" * 40)
FILE = PurePosixPath("kustomization.yaml")
IMAGE = ImageReference(Repository("ghcr.io/acme/shop"), "0123456", Digest("sha256:" + "0" * 64))
FIXTURES = Path(__file__).parent.parent / "fixtures" / "kustomizations"

# 1,000 files in `make test`, 100,000 in `make long`.
FEW = 1_000
FILES = settings().max_examples * 10
# A shared machine with other work to do may halt a process for a while: its own time counts.
SECONDS_PER_MEGABYTE = 1.0
MEMORY_PER_BYTE = 20
MEGABYTE = 1_000_000

PIECES = [
    *(b": ", b"- ", b"\n", b"\r", b"\t", b" ", b"  ", b"#", b"'", b'"', b"{", b"}", b"[", b"]"),
    *(b"&a ", b"*a", b"<<: *a", b"!!str ", b"!!binary ", b"|", b">-\n", b"%YAML 1.2\n", b"---\n"),
    *(b"...\n", b"\x00", b"\x07", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"?"),
    *(b"images:", b"images: []\n", b"- name: ghcr.io/acme/shop\n", b"newTag: on", b"1e3", b"~"),
    *(
        b"digest:",
        b"name:",
        b"newTag: ",
        b"\xf0\x9f\x98\x80",
        b"@",
        b"`",
        b",",
        b"null",
        b"=",
        b"\\",
    ),
]


def test_broken_files_are_edited_or_refused() -> None:
    """
    Whatever somebody left in the file, the run ends with an edit or with what to do.
    """
    chance = random.Random(0)
    contents = seeds()
    gc.collect()

    counted = {"edited": 0, "refused": 0}
    for _ in range(FILES):
        content = mutated(chance, chance.choice(contents), contents)
        started = time.process_time()
        counted[outcome(content, chance)] += 1
        assert time.process_time() - started < SECONDS_PER_MEGABYTE

    assert min(counted.values()) > FILES / 20, counted


LARGE = [
    b"configMapGenerator:\n- name: x\n  literals:\n"
    + b"  - A_RATHER_USUAL_KEY=its value\n" * 30_000,
    b"patches:\n- patch: |-\n" + b"    - op: add\n      path: /a\n" * 35_000,
    b'patches:\n- patch: "' + b"path:/" * 160_000 + b'"\n',
    b"a: [" + b"1," * 500_000 + b"]\n",
    b"resources:\n" + b"- a.yaml\n" * 110_000,
    b"images:\n" + b"- name: b\n  newTag: c\n" * 45_000,
    b"a: " + b"[" * MEGABYTE,
    b"a: " + b"{a: " * 250_000,
    b"- " * 500_000,
    b"#" * MEGABYTE + b"\n",
    b"\n" * MEGABYTE,
    b"a: '" + b"x\n\n" * 330_000 + b"'\n",
    b'a: "' + b"\\u0041" * 160_000 + b'"\n',
    b"a: |\n" + b"  # x\n" * 160_000,
    b"a: {b: c:d,\n" + b" e: f\n" * 160_000 + b"}\n",
    b"a: &a b\nc: [" + b"*a, " * 240_000 + b"]\n",
    b"".join(b"k%d: v\n" % number for number in range(90_000)),
    b"a: " + "😀".encode() * 250_000 + b"\n",
    b"a: x" + b" " * MEGABYTE + b"\n",
    b"---\n" * 250_000,
    b"? a\n" * 250_000,
    b'patches:\n- patch: "' + b"path:/image" * 90_000 + b'"\n',
    b"a:\n" + b"".join(b"- &a%d b\n" % number for number in range(60_000)),
    b"#" * 900_000 + b"\n" + b"---\na: b\n" * 9_000,
    # One character above all others makes Python keep four bytes for each.
    'a: "😀'.encode() + b"x" * 970_000 + b'"\n',
    "a: 😀\nresources:\n".encode() + b"- a.yaml\n" * 9_400 + b"#" * 850_000 + b"\n",
    "a: 😀\nb:\n".encode() + b"".join(b"  key%d: v\n" % n for n in range(49_000)) + b"#" * 300_000,
]
# These have `images` of their own.
ENTRIES = [
    b"images:\n"
    + b"- digest: b\n  name: ghcr.io/acme/shop\n  newTag: a\n" * 1_350
    + b"#" * 800_000
    + b"\n",
    b"images: ["
    + b"{name: ghcr.io/acme/shop, newTag: a, digest: b}," * 1_350
    + b"] #"
    + b"#" * 800_000,
    b"images:\n"
    + b"".join(b"- name: ghcr.io/acme/pohs%d\n" % number for number in range(3_000))
    + b"#" * 800_000,
]


@pytest.mark.parametrize(
    "large",
    [*LARGE, *ENTRIES] if FILES > FEW else [*LARGE[:3], ENTRIES[0]],
    ids=lambda large: repr(large[:20] + large[-20:]),
)
def test_large_files_take_no_time_and_little_memory(large: bytes) -> None:
    """
    A megabyte is edited or refused within a second of work, in twenty times its size.
    """
    own = b"images:\n- name: ghcr.io/acme/shop\n  newTag: v1\n"
    # The collector is to clear away what this edit leaves behind, and not a test before it.
    gc.collect()
    for content in (large,) if large in ENTRIES else (own + large, large + own):
        started = time.process_time()
        outcome(content, random.Random(0))
        taken = time.process_time() - started

        assert taken < SECONDS_PER_MEGABYTE * max(1, len(content) / MEGABYTE)
        assert peak(content) < MEMORY_PER_BYTE * len(content)


def seeds() -> list[bytes]:
    """The fixtures, and the real files where they are."""
    fixtures = [file.read_bytes() for file in sorted(FIXTURES.glob("*/*.yaml"))]
    return [*fixtures, *(text.encode() for text in corpus().values())]


def mutated(chance: random.Random, content: bytes, others: list[bytes]) -> bytes:
    for _ in range(chance.randint(1, 4)):
        lines = content.splitlines(keepends=True) or [b""]
        at, line = chance.randint(0, len(content)), chance.randrange(len(lines))
        match chance.randrange(7):
            case 0:
                content = content[:at] + chance.choice(PIECES) + content[at:]
            case 1:
                content = content[:at] + content[at + chance.randint(1, 6) :]
            case 2:
                content = b"".join([*lines[:line], lines[line], *lines[line:]])
            case 3:
                content = b"".join(lines[:line] + lines[line + 1 :])
            case 4:
                content = content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
            case 5:
                other = chance.choice(others).splitlines(keepends=True)
                content = b"".join([*lines[:line], chance.choice(other), *lines[line:]])
            case _:
                lines[line] = b" " * chance.randint(1, 3) + lines[line]
                content = b"".join(lines)
    return content


def outcome(content: bytes, chance: random.Random) -> str:
    """Edit, and look at what came of it; everything but an edit or a refusal is raised."""
    entry = chance.choice(["", "shop", "ghcr.io/acme/shop", "new"])
    request = ImageRequest(IMAGE, entry, chance.choice(list(Pin)))
    try:
        edits = plan_edits(
            [FILE], requests=[request], tree=MemoryTree({str(FILE): content}), head=HEAD
        )
    except ProofError as error:
        pytest.fail(f"{error.message} {content[:2000]!r}")
    except ActionError as error:
        return "refused" if error.message and error.hint else "without a word"
    edit = edits[0].edit
    assert edit.changed == (edit.text.encode() != content)
    return "edited"


def peak(content: bytes) -> int:
    """The most memory that an edit held at once, in bytes."""
    tracemalloc.start()
    try:
        outcome(content, random.Random(0))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
