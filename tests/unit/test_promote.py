"""Stage 4 with a GitOps repository in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.errors import (
    ConflictError,
    EntryError,
    GitOpsUnavailableError,
    KustomizationError,
    RenderError,
)
from gitops_action.kustomization import ImageChange
from gitops_action.model.identity import GITHUB_ACTIONS
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.log import HeldLog, Level
from gitops_action.model.pin import Pin
from gitops_action.model.rendering import Rendering
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import (
    Ending,
    Guard,
    PromoteRequest,
    PromoteResult,
    commit_message,
    promote,
)
from tests.fakes.gitops import FakeGitOpsRepository
from tests.fakes.guard import FakeCommitLog, FakeImages, FakeSourceHistory, knowing_nothing
from tests.fakes.kustomize import FakeKustomize
from tests.fakes.waiting import LineLog

if TYPE_CHECKING:
    from gitops_action.model.log import Annotation, Log

SHOP = "apps/shop/kustomization.yaml"
OLD = "images:\n- name: ghcr.io/acme/shop\n  newTag: v1\n- name: redis\n  newTag: v1\n"
NEW = OLD.replace("v1", "v2", 1)
NEWER = OLD.replace("v1", "v3", 1)
IMAGE = ImageReference(Repository("ghcr.io/acme/shop"), "v2", Digest("sha256:" + "a" * 64))
REQUEST = PromoteRequest(
    branch="main",
    kustomizations=(PurePosixPath("apps/shop"),),
    entry="",
    pin=Pin.TAG,
    subject="Promote shop to v2",
    trailers={"Source-Repository": "acme/shop"},
    source=CommitSha("b" * 40),
    deadline_seconds=60.0,
)


@dataclass
class FakeClock:
    """A clock that only moves when somebody sleeps."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Annotations(HeldLog):
    """Keeps the annotations."""

    annotations: list[Annotation] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def annotate(self, annotation: Annotation) -> None:
        self.annotations.append(annotation)


def run(  # noqa: PLR0913  each is what one test has of its own
    repository: FakeGitOpsRepository,
    request: PromoteRequest = REQUEST,
    *,
    clock: FakeClock | None = None,
    renderer: FakeKustomize | None = None,
    guard: Guard | None = None,
    log: Log | None = None,
) -> PromoteResult:
    return promote(
        request,
        IMAGE,
        repository=repository,
        guard=guard or knowing_nothing(IMAGE),
        renderer=renderer or FakeKustomize(),
        clock=clock or FakeClock(),
        log=log or HeldLog(),
        chance=lambda: 1.0,
    )


def test_commits_the_new_tag_to_the_branch() -> None:
    """
    After the job the GitOps branch asks for the new image, in one commit.
    """
    repository = FakeGitOpsRepository({SHOP: OLD, "README.md": ""})
    before = repository.tip

    result = run(repository)

    assert repository.text(SHOP) == NEW
    assert repository.commits[repository.tip].parent == before
    assert replace(result, rendered_diff="") == PromoteResult(
        revision=repository.tip,
        ending=Ending.PROMOTED,
        previous="ghcr.io/acme/shop:v1",
        diff=f"--- a/{SHOP}\n+++ b/{SHOP}\n@@ -1,5 +1,5 @@\n images:\n"
        " - name: ghcr.io/acme/shop\n-  newTag: v1\n+  newTag: v2\n - name: redis\n   newTag: v1\n",
        files=(PurePosixPath(SHOP),),
        changes=(
            (
                PurePosixPath(SHOP),
                ImageChange(
                    entry="ghcr.io/acme/shop",
                    old="ghcr.io/acme/shop:v1",
                    new="ghcr.io/acme/shop:v2",
                ),
            ),
        ),
    )


def test_records_where_the_image_comes_from() -> None:
    """
    `git log` of the GitOps repository leads back to source, run and image.
    """
    repository = FakeGitOpsRepository({SHOP: OLD})

    run(repository)

    commit = repository.commits[repository.tip]
    assert commit.author == GITHUB_ACTIONS
    assert commit.message == (
        "Promote shop to v2\n\nSource-Repository: acme/shop\n"
        f"Source-Commit: {'b' * 40}\nImage: ghcr.io/acme/shop:v2@sha256:{'a' * 64}\n"
    )


def test_a_trailer_cannot_hold_a_second_line() -> None:
    """
    Text from outside cannot forge a trailer.
    """
    request = replace(
        REQUEST, subject="Promote\nImage: x", source=None, trailers={"Source-Run": "1\nImage: y"}
    )

    message = commit_message(request, IMAGE)

    assert message == f"Promote Image: x\n\nSource-Run: 1 Image: y\nImage: {IMAGE}\n"


def test_is_unchanged_when_the_tag_is_already_there() -> None:
    """
    Running the same job twice commits once.
    """
    repository = FakeGitOpsRepository({SHOP: NEW})

    result = run(repository)

    assert repository.pushed == []
    assert result == PromoteResult(
        revision=repository.tip,
        ending=Ending.UNCHANGED,
        previous="ghcr.io/acme/shop:v2",
        diff="",
        files=(PurePosixPath(SHOP),),
    )


def test_puts_several_kustomizations_into_one_commit() -> None:
    """
    Two overlays never ask for different images in between.
    """
    files = {SHOP: OLD, "eu/Kustomization": OLD.removesuffix("\n"), "us/kustomization.yml": NEW}
    repository = FakeGitOpsRepository(files)
    paths = tuple(PurePosixPath(path) for path in ("apps/shop", "eu/Kustomization", "us"))

    result = run(repository, replace(REQUEST, kustomizations=paths))

    assert len(repository.pushed) == 1
    assert repository.text("eu/Kustomization") == NEW.removesuffix("\n")
    assert [str(file) for file in result.files] == [
        SHOP,
        "eu/Kustomization",
        "us/kustomization.yml",
    ]
    assert "us/" not in result.diff
    assert result.diff.endswith("   newTag: v1\n\\ No newline at end of file\n")


def test_makes_the_edit_again_on_the_new_head_after_a_lost_race() -> None:
    """
    What others pushed meanwhile stays, in the same file as well.
    """
    redis = OLD.replace("redis\n  newTag: v1", "redis\n  newTag: v9")
    repository = FakeGitOpsRepository(
        {SHOP: OLD},
        races=[lambda it: it.write(SHOP, redis), lambda it: it.write("other.yaml", "a: b\n")],
    )

    result = run(repository)

    assert repository.text(SHOP) == redis.replace("v1", "v2", 1)
    assert repository.text("other.yaml") == "a: b\n"
    assert repository.pushed == [result.revision]


def test_is_unchanged_when_somebody_else_wins_with_the_same_image() -> None:
    """
    Two jobs for one commit make one commit.
    """
    repository = FakeGitOpsRepository({SHOP: OLD}, races=[lambda it: it.write(SHOP, NEW)])

    result = run(repository)

    assert not result.changed
    assert result.revision == repository.tip


def test_gives_up_at_the_deadline() -> None:
    """
    A crowded branch ends in an error that says how to take turns.
    """
    clock = FakeClock()

    def write(repository: FakeGitOpsRepository) -> None:
        repository.write("other.yaml", f"{clock.now}\n")

    repository = FakeGitOpsRepository({SHOP: OLD}, races=[write] * 1000)

    with pytest.raises(ConflictError) as caught:
        run(repository, clock=clock)

    assert "too late within 60 s" in caught.value.message
    assert "concurrency:" in caught.value.hint
    assert clock.now <= 160.0
    assert repository.text(SHOP) == OLD


def test_commits_nothing_when_one_kustomization_cannot_be_edited() -> None:
    """
    It is all overlays or none.
    """
    repository = FakeGitOpsRepository({SHOP: OLD, "eu/kustomization.yaml": "images: shop\n"})
    paths = (PurePosixPath("apps/shop"), PurePosixPath("eu"))

    with pytest.raises(KustomizationError, match=r"eu/kustomization.yaml:1"):
        run(repository, replace(REQUEST, kustomizations=paths))

    assert repository.text(SHOP) == OLD


def test_shows_what_changes_in_what_is_rendered() -> None:
    """
    The summary has the lines that Argo CD will apply.
    """
    result = run(FakeGitOpsRepository({SHOP: OLD}))

    assert "-      - image: ghcr.io/acme/shop:v1\n" in result.rendered_diff
    assert "+      - image: ghcr.io/acme/shop:v2\n" in result.rendered_diff


def test_commits_nothing_that_no_container_uses() -> None:
    """
    A green run is never one whose image nobody runs.
    """
    repository = FakeGitOpsRepository({SHOP: OLD})

    with pytest.raises(EntryError):
        run(repository, renderer=FakeKustomize(unused={"ghcr.io/acme/shop"}))

    assert repository.text(SHOP) == OLD


def test_the_edit_stands_where_it_cannot_be_rendered() -> None:
    """
    A remote base is told of; with `rendered-proof: required` nothing is committed.
    """
    repository = FakeGitOpsRepository({SHOP: OLD})
    renderer = FakeKustomize(failure=Rendering(failure="it is remote", here=True))

    with pytest.raises(RenderError):
        run(repository, replace(REQUEST, proof_required=True), renderer=renderer)
    assert repository.text(SHOP) == OLD
    result = run(repository, renderer=renderer)

    assert repository.text(SHOP) == NEW
    assert result.unproved == ("apps/shop could not be rendered here, because it is remote.",)


def test_shows_the_notices_of_an_edit_once() -> None:
    """
    A kept mirror is said on the run's page, and not again after each lost race.
    """
    mirror = "images:\n- name: ghcr.io/acme/shop\n  newName: mirror/shop\n"
    repository = FakeGitOpsRepository({SHOP: mirror}, races=[lambda it: it.write("x", "")])
    log = Annotations()

    promote(
        REQUEST,
        IMAGE,
        repository=repository,
        guard=knowing_nothing(IMAGE),
        renderer=FakeKustomize(),
        clock=FakeClock(),
        log=log,
        chance=lambda: 0.0,
    )

    (note,) = log.annotations
    assert note.message == (
        f"{SHOP}: The entry `ghcr.io/acme/shop` keeps its `newName`: the cluster pulls "
        "mirror/shop:v2, and not ghcr.io/acme/shop:v2."
    )


def test_what_may_keep_the_image_from_running_is_a_warning() -> None:
    """
    A patch in a file and a field that Kustomize does not know are each annotated, with their file.
    """
    patch = '[{"op": "replace", "path": "/spec/containers/0/image", "value": "nginx:1"}]'
    folder = SHOP.rpartition("/")[0]
    repository = FakeGitOpsRepository(
        {SHOP: f"{OLD}patches: [{{path: p.json}}]\nx-note: y\n", f"{folder}/p.json": patch}
    )
    log = Annotations()

    promote(
        REQUEST,
        IMAGE,
        repository=repository,
        renderer=FakeKustomize(),
        guard=knowing_nothing(IMAGE),
        clock=FakeClock(),
        log=log,
    )

    warnings = [one.message for one in log.annotations if one.level is Level.WARNING]
    assert [one.split(" on line")[0] for one in warnings] == [
        f"{SHOP}: `x-note`",
        f"{SHOP}: The patch `p.json`",
    ]


def guarding() -> Guard:
    """A guard that knows the image `v3` to be made from a newer commit than ours."""
    newer = CommitSha("c" * 40)
    history = FakeSourceHistory()
    history.add(CommitSha("b" * 40), newer)
    labels = {"ghcr.io/acme/shop:v3": newer}
    return Guard(
        IMAGE,
        CommitSha("b" * 40),
        history=history,
        images=FakeImages(labels),
        commits=FakeCommitLog(),
    )


def test_writes_nothing_over_a_newer_image() -> None:
    """
    A slow job never takes a newer deployment back, and its run stays green.
    """
    repository = FakeGitOpsRepository({SHOP: NEWER})
    log = Annotations()

    result = run(repository, guard=guarding(), log=log)

    assert result.ending is Ending.SUPERSEDED
    assert not result.asks
    assert result.previous == "ghcr.io/acme/shop:v3"
    assert repository.pushed == []
    (note,) = log.annotations
    assert note.message == f"Superseded, and nothing was written: {result.newer}."


def test_asks_who_is_newer_at_every_head_again() -> None:
    """
    A newer commit that wins the race is not overwritten after it.
    """
    repository = FakeGitOpsRepository({SHOP: OLD}, races=[lambda it: it.write(SHOP, NEWER)])

    result = run(repository, guard=guarding())

    assert result.ending is Ending.SUPERSEDED
    assert repository.text(SHOP) == NEWER


def test_a_downgrade_that_is_asked_for_is_recorded() -> None:
    """
    A rollback can be told from an accident in `git log`, and on the run's page.
    """
    repository = FakeGitOpsRepository({SHOP: NEWER})
    log = Annotations()

    result = run(repository, replace(REQUEST, allow_downgrade=True), guard=guarding(), log=log)

    assert result.changed
    assert repository.text(SHOP) == NEW
    message = repository.commits[repository.tip].message
    assert message.endswith("\nDowngrade-From: ghcr.io/acme/shop:v3\n")
    assert any(note.message.startswith("A downgrade, as asked for") for note in log.annotations)


def test_what_could_not_be_compared_is_said() -> None:
    """
    Whoever reads the run's page knows that the guard had nothing to go by.
    """
    log = Annotations()

    run(FakeGitOpsRepository({SHOP: OLD.replace("v1", "nightly", 1)}), log=log)

    assert "is not known, and it is promoted" in log.annotations[0].message


@pytest.mark.parametrize("pin", Pin)
def test_a_dry_run_shows_the_change_and_writes_nothing(pin: Pin) -> None:
    """
    What would be committed can be read before it is, also before the image has a digest.
    """
    repository = FakeGitOpsRepository({SHOP: OLD})
    log = LineLog()

    result = promote(
        replace(REQUEST, dry_run=True, pin=pin),
        replace(IMAGE, digest=None),
        repository=repository,
        guard=knowing_nothing(IMAGE),
        renderer=FakeKustomize(),
        clock=FakeClock(),
        log=log,
    )

    assert result.ending is Ending.PLANNED
    assert {result.diff, result.rendered_diff} <= set(log.lines)
    assert "-  newTag: v1\n" in result.diff
    assert result.rendered_diff
    assert repository.pushed == []
    assert repository.text(SHOP) == OLD


def test_a_server_that_fails_for_a_while_is_asked_again() -> None:
    """
    A bad gateway in the middle of a push does not make the job red.
    """
    repository = FakeGitOpsRepository({SHOP: OLD}, races=[_fail, _fail])

    result = run(repository)

    assert result.changed
    assert repository.pushed == [result.revision]


def test_a_server_that_stays_away_is_said_to_at_the_deadline() -> None:
    """
    The error is the server's, not that others were faster.
    """
    repository = FakeGitOpsRepository({SHOP: OLD}, races=[_fail] * 100)
    clock = FakeClock()

    with pytest.raises(GitOpsUnavailableError) as caught:
        run(repository, clock=clock)

    assert caught.value.message == "The server is down."
    assert repository.pushed == []
    assert clock.now <= 100.0 + REQUEST.deadline_seconds


def _fail(_: FakeGitOpsRepository) -> None:
    raise GitOpsUnavailableError("The server is down.", hint="Run the job again.")
