"""Who is newer: commits first, versions where no commit is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import pytest

from gitops_action.kustomization import FileEdit, set_image
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import Guard
from gitops_action.stages.promote.guard import Judgement
from tests.fakes.guard import FakeCommitLog, FakeImages, FakeSourceHistory

SHOP = Repository("ghcr.io/acme/shop")
OLDER, OURS, NEWER, APART = (CommitSha(letter * 40) for letter in "1234")
HEAD = CommitSha("f" * 40)
DIGEST = Digest("sha256:" + "d" * 64)


def history() -> FakeSourceHistory:
    """OLDER, OURS and NEWER follow each other; APART comes from OLDER too."""
    commits = FakeSourceHistory()
    commits.add(OLDER, OURS, NEWER)
    commits.add(OLDER, APART)
    return commits


def file_edit(path: str, text: str, image: ImageReference) -> FileEdit:
    """Let a file ask for the image."""
    file = PurePosixPath(path)
    return FileEdit(
        path=file, folders=(file.parent,), before=text, edit=set_image(text, image=image)
    )


def judge(
    *fields: str,
    tag: str = OURS.value,
    source: CommitSha | None = OURS,
    commits: FakeSourceHistory | None = None,
    labels: Mapping[str, CommitSha] | None = None,
    log: Sequence[Mapping[str, str]] = (),
) -> Judgement:
    """Judge an image against files whose entry has these fields, one file each."""
    image = ImageReference(SHOP, tag)
    guard = Guard(
        image,
        source,
        history=history() if commits is None else commits,
        images=FakeImages(dict(labels or {})),
        commits=FakeCommitLog(list(log)),
    )
    edits = []
    for number, field in enumerate(fields):
        text = f"images:\n- name: ghcr.io/acme/shop\n  {field}\n"
        edits.append(file_edit(f"{number}.yaml", text, image))
    return guard.judge(tuple(edits), HEAD)


def test_a_deployed_descendant_is_newer() -> None:
    """
    A slow build of an older commit does not overwrite what a newer one has deployed.
    """
    judgement = judge(f"newTag: '{NEWER}'")

    assert judgement.newer == (
        f"0.yaml asks for ghcr.io/acme/shop:{NEWER}, made from {NEWER.short}, which contains our "
        f"commit {OURS.short}"
    )
    assert judgement.older_than == f"ghcr.io/acme/shop:{NEWER}"


@pytest.mark.parametrize(
    "field",
    [
        f"newTag: '{OLDER}'",
        f"newTag: '{OURS}'",
        "newName: ghcr.io/acme/shop",
        f"newTag: '{'0' * 40}'",
    ],
    ids=["an ancestor", "the same commit", "nothing yet", "zeros"],
)
def test_what_is_not_newer_is_overwritten_without_a_word(field: str) -> None:
    """
    The ordinary promotion says nothing about its age.
    """
    assert judge(field) == Judgement()


def test_one_newer_file_stops_all() -> None:
    """
    Several kustomizations stay together: none goes back, so none is written.
    """
    judgement = judge(f"newTag: '{OLDER}'", f"newTag: '{NEWER}'")

    assert judgement.newer.startswith("1.yaml asks for")


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("newTag: v9", "ghcr.io/acme/shop:v9"),
        (f"digest: {DIGEST}", f"ghcr.io/acme/shop@{DIGEST}"),
        ("newName: mirror.example.com/shop\n  newTag: v9", "ghcr.io/acme/shop:v9"),
    ],
    ids=["tag", "digest", "mirror"],
)
def test_the_label_of_the_deployed_image_tells_its_commit(field: str, key: str) -> None:
    """
    A tag that is no commit, or no tag at all, is no hole in the guard.
    """
    assert judge(field, labels={key: NEWER}).newer
    assert not judge(field, labels={key: OLDER}).newer


@pytest.mark.parametrize(
    ("field", "image"),
    [
        ("newTag: v9", f"ghcr.io/acme/shop:v9@{DIGEST}"),
        (f"digest: {DIGEST}", f"ghcr.io/acme/shop:v9@{DIGEST}"),
    ],
    ids=["tag", "digest"],
)
def test_a_trailer_tells_the_commit_of_an_image_that_is_gone(field: str, image: str) -> None:
    """
    What promoted the deployed image has written down where it comes from.
    """
    log = [
        {"Image": "ghcr.io/acme/shop:v90", "Source-Commit": OLDER.value},
        {"Image": image, "Source-Commit": "no commit"},
        {"Image": image, "Source-Commit": NEWER.value},
        {"Image": image, "Source-Commit": OLDER.value},
    ]

    judgement = judge(field, log=log)

    assert NEWER.short in judgement.newer


def test_ancestry_comes_before_the_version() -> None:
    """
    An older commit with the higher version is older all the same.
    """
    labels = {"ghcr.io/acme/shop:v1.0.0": NEWER}

    assert judge("newTag: v1.0.0", tag="v2.0.0", labels=labels).newer


@pytest.mark.parametrize(
    ("deployed", "ours", "newer"),
    [
        ("v1.10.0", "v1.9.0", True),
        ("1.10.0", "v1.9.0", True),
        ("v1.9.0", "v1.10.0", False),
        ("v2.0.0-rc.1", "v2.0.0", False),
    ],
)
def test_versions_decide_where_no_commit_is_known(deployed: str, ours: str, *, newer: bool) -> None:
    """
    Releases of somebody else's image go up and not down.
    """
    judgement = judge(f"newTag: {deployed}", tag=ours, source=None)

    assert bool(judgement.newer) is newer
    assert judgement.notices == ()


@pytest.mark.parametrize(
    ("judgement", "why"),
    [
        (judge(f"newTag: '{APART}'"), "neither 4444444 nor 2222222 contains the other"),
        (
            judge(f"newTag: '{OLDER}'", commits=FakeSourceHistory()),
            "the source repository does not show how 1111111 and 2222222 are related",
        ),
        (
            judge("newTag: nightly"),
            "the commit that ghcr.io/acme/shop:nightly is made from is not known",
        ),
        (
            judge(f"newTag: '{OLDER}'", tag="v1", source=None),
            "the commit that ours is made from is not known",
        ),
        (
            judge("newName: Shop\n  newTag: v1"),
            "the commit that Shop:v1 is made from is not known",
        ),
    ],
    ids=["branches", "unrelated", "unknown tag", "unknown source", "no image"],
)
def test_what_cannot_be_compared_is_promoted_and_said(judgement: Judgement, why: str) -> None:
    """
    A first use on an old repository works, and its reader knows that nothing was compared.
    """
    (notice,) = judgement.notices

    assert not judgement.newer
    assert notice.endswith(f"and it is promoted: {why}.")


def test_a_registry_is_asked_once_for_one_image() -> None:
    """
    Lost races cost no more questions.
    """
    image = ImageReference(SHOP, OURS.value)
    images = FakeImages()
    guard = Guard(image, OURS, history=history(), images=images, commits=FakeCommitLog())
    text = "images:\n- name: ghcr.io/acme/shop\n  newTag: v1\n"
    edits = (file_edit("k.yaml", text, image),)

    guard.judge(edits, HEAD)
    guard.judge(edits, NEWER)

    assert images.asked == ["ghcr.io/acme/shop:v1"]


@pytest.mark.parametrize(
    ("tag", "newer"),
    [
        pytest.param(NEWER.value, True, id="a descendant"),
        pytest.param(OLDER.value, False, id="an ancestor"),
        pytest.param(OURS.value, False, id="ours"),
        pytest.param(APART.value, None, id="another branch"),
        pytest.param("hotfix", None, id="nobody knows"),
        pytest.param("v2.0.0", True, id="by its label"),
    ],
)
def test_tells_the_wait_what_replaced_our_image(tag: str, *, newer: bool | None) -> None:
    """
    Replaced by a newer image is superseded, by any other one it is not.
    """
    guard = Guard(
        ImageReference(SHOP, OURS.value),
        OURS,
        history=history(),
        images=FakeImages({f"{SHOP}:v2.0.0": NEWER}),
        commits=FakeCommitLog([]),
    )

    assert guard.is_newer(f"{SHOP}:{tag}", HEAD) is newer
