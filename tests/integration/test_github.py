"""GitHub's API as the GitOps repository: one verified commit, without a clone."""

from __future__ import annotations

import random
import threading
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.github import GitHubRepository
from gitops_action.errors import (
    CancelledError,
    GitOpsAccessError,
    GitOpsError,
    KustomizationError,
    PushRefusedError,
)
from gitops_action.model.change import Change
from gitops_action.model.identity import GITHUB_ACTIONS
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.pin import Pin
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import PromoteRequest, PromoteResult, promote
from tests.fakes.github_state import REVIEW_NEEDED, RULESET, Scripted, Token
from tests.fakes.guard import knowing_nothing
from tests.fakes.kustomize import FakeKustomize
from tests.systems.github import NAME, GitHubPlace, failure, github_place

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "apps/shop/kustomization.yaml"
PATH = PurePosixPath(FILE)
TEXT = """\
resources:
- deployment.yaml
- ../base
images:
- name: shop
  newName: ghcr.io/acme/shop
  newTag: "1"
"""
FILES = {
    FILE: TEXT,
    "apps/shop/deployment.yaml": "kind: Deployment\n",
    "apps/base/kustomization.yaml": "resources: []\n",
    "README.md": "# GitOps\n",
}
LOST = {"message": "Server Error"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[GitHubPlace]:
    with github_place(tmp_path, FILES) as place:
        yield place


@pytest.fixture
def repository(place: GitHubPlace) -> GitHubRepository:
    return GitHubRepository(place.api())


def edit(parent: CommitSha, text: str = "edited\n", path: str = FILE) -> Change:
    return Change(
        parent=parent,
        files={PurePosixPath(path): text.encode()},
        message="Promote shop to 2\n\nSource-Run: 1\n",
        author=GITHUB_ACTIONS,
    )


def run(repository: GitHubRepository, name: str = "shop", path: str = "") -> PromoteResult:
    image = ImageReference(Repository(f"ghcr.io/acme/{name}"), "2")
    return promote(
        PromoteRequest(
            branch="main",
            kustomizations=(PurePosixPath(path or f"apps/{name}"),),
            entry="",
            pin=Pin.TAG,
            subject=f"Promote {name} to 2",
            trailers={"Source-Run": "1"},
            deadline_seconds=60.0,
        ),
        image,
        repository=repository,
        guard=knowing_nothing(image),
        renderer=FakeKustomize(),
        clock=Cancellation(),
        log=HeldLog(),
        chance=random.Random(name).random,
    )


def test_a_promotion_is_one_verified_commit_with_one_changed_line(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    `delivery: api` changes one line in one commit, which GitHub signs.
    """
    before = place.head()

    result = run(repository)

    assert place.git.git(NAME, "diff", "--numstat", str(before), "main") == f"1\t1\t{FILE}"
    assert result.revision == place.head()
    assert str(result.revision) in place.github.git(NAME).signed
    assert place.git.git(NAME, "log", "-1", "--format=%P %an %B") == (
        f"{before} github-actions[bot] Promote shop to 2\n\n"
        "Source-Run: 1\nImage: ghcr.io/acme/shop:2"
    )


def test_a_second_run_changes_nothing(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    What the branch already asks for is not committed again.
    """
    first = run(repository)

    second = run(repository)

    assert not second.changed
    assert second.revision == first.revision == place.head()


def test_a_promotion_costs_a_handful_of_requests(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A job's token has a thousand requests an hour: a promotion takes few of them.
    """
    run(repository)

    assert len(place.github.requests) <= 8


def test_a_lost_race_is_no_error(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    Somebody else's commit in between is kept, and the edit is made on it.
    """
    place.about.races.append(lambda: place.commit({"README.md": "# Theirs\n"}))

    result = run(repository)

    assert result.changed
    assert place.git.read(NAME, "README.md") == b"# Theirs\n"
    assert b'newTag: "2"' in place.git.read(NAME, FILE)


def test_promoters_at_once_all_land(place: GitHubPlace) -> None:
    """
    Jobs that promote different applications at once all succeed, one commit each.
    """
    names = [f"app{number}" for number in range(6)]
    place.commit({f"apps/{name}/kustomization.yaml": TEXT.replace("shop", name) for name in names})
    before = place.head()
    threads = [
        threading.Thread(target=run, args=(GitHubRepository(place.api()), name)) for name in names
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert place.git.git(NAME, "rev-list", "--count", f"{before}..main") == "6"
    for name in names:
        assert b'newTag: "2"' in place.git.read(NAME, f"apps/{name}/kustomization.yaml")


def test_a_branch_that_moved_is_left_alone(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit on an older head does not land.
    """
    old = repository.head("main")
    place.commit({"README.md": "# Theirs\n"})
    head = place.head()

    landed = repository.land(edit(old), "main")

    assert landed is None
    assert place.head() == head


def test_an_answer_that_was_lost_is_found_again(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that landed while GitHub answered 502 is not made twice, and is said to be ours.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    place.github.scripted.append(Scripted(502, LOST, after=True))

    landed = repository.land(edit(head), "main")

    assert landed == place.head()
    assert place.git.git(NAME, "rev-list", "--count", f"{head}..main") == "1"


def test_a_commit_that_did_not_arrive_is_made_again(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A 502 before anything was done costs a second attempt, and nothing else.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    place.github.scripted.append(Scripted(502, LOST))

    landed = repository.land(edit(head), "main")

    assert landed == place.head()
    assert place.git.git(NAME, "rev-list", "--count", f"{head}..main") == "1"


def test_a_commit_that_landed_late_is_known(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that arrives after its answer was given up, and before the second attempt, is ours.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    late = edit(head)
    git = place.github.git(NAME)

    def arrives() -> None:
        sha = git.write(str(head), {FILE: b"edited\n"}, late.message)
        git.move("refs/heads/main", str(head), sha)

    place.github.scripted.append(Scripted(502, LOST))
    place.about.races.append(arrives)

    landed = repository.land(late, "main")

    assert landed == place.head()
    assert place.git.git(NAME, "rev-list", "--count", f"{head}..main") == "1"


def test_somebody_elses_commit_is_not_taken_for_ours(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that got no answer and is not on the branch is a lost race where another one is.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    place.about.races.append(lambda: place.commit({"README.md": "# Theirs\n"}))
    place.github.scripted.append(Scripted(502, LOST, after=True))

    landed = repository.land(edit(head), "main")

    assert landed is None


def test_a_cancellation_lets_a_commit_finish(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that was sent when the run was cancelled is awaited, and told.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    place.about.races.append(lambda: place.cancellation.cancel("the run was cancelled"))

    landed = repository.land(edit(head), "main")

    assert landed == place.head()


def test_a_cancelled_commit_without_an_answer_is_said_to_be_in_doubt(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    Where nobody knows whether the commit landed, the error says so.
    """
    head = repository.head("main")
    repository.read(head, PATH)
    place.about.races.append(lambda: place.cancellation.cancel("the run was cancelled"))
    place.github.scripted.append(Scripted(502, LOST, after=True))

    error = failure(lambda: repository.land(edit(head), "main"))

    assert isinstance(error, CancelledError)
    assert "not known whether it landed" in error.message


@pytest.mark.parametrize("rule", [REVIEW_NEEDED, RULESET], ids=["protection", "ruleset"])
def test_a_rule_is_quoted_and_not_fought(
    place: GitHubPlace, repository: GitHubRepository, rule: tuple[str, str]
) -> None:
    """
    A rule of the branch ends the promotion at once, with the ways out.
    """
    place.about.rules["main"] = rule

    error = failure(lambda: run(repository))

    assert isinstance(error, PushRefusedError)
    assert " ".join(rule[1].split()) in error.message + "."
    assert "delivery: pull-request" in error.hint


def test_a_token_that_may_only_read_is_told_what_it_lacks(place: GitHubPlace) -> None:
    """
    The message names the right to add, as the workflow's YAML has it.
    """
    place.github.tokens["reader"] = Token({"contents": "read"})
    repository = GitHubRepository(place.api(token="reader"))

    error = failure(lambda: run(repository))
    early = failure(lambda: repository.check_push("main"))

    assert isinstance(error, GitOpsAccessError)
    assert "Resource not accessible by integration" in error.message
    assert "permissions:\n  contents: write" in error.hint
    assert isinstance(early, GitOpsAccessError)


def test_a_token_that_may_write_passes_the_question(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    Asking for the right to push writes nothing.
    """
    before = place.head()

    repository.check_push("main")

    assert place.head() == before


def test_executable_files_are_refused(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    A commit through the API would take the executable bit away, so it is not made.
    """
    place.git.commit(NAME, {FILE: TEXT}, modes={FILE: "100755"})
    before = place.head()

    error = failure(lambda: run(repository))

    assert isinstance(error, KustomizationError)
    assert "executable" in error.message
    assert f"git update-index --chmod=-x {FILE}" in error.hint
    assert place.head() == before


def test_symbolic_links_are_never_written(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    A commit through the API would turn a link into a file, so it is not made.
    """
    place.git.commit(NAME, {"link.yaml": "README.md"}, modes={"link.yaml": "120000"})

    error = failure(lambda: repository.land(edit(place.head(), path="link.yaml"), "main"))

    assert isinstance(error, KustomizationError)
    assert "link.yaml is a symbolic link" in error.message


def test_a_linked_kustomization_is_edited_where_it_is(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A path through a symbolic link leads to the file that is changed; the link stays.
    """
    place.git.commit(NAME, {"apps/alias": "shop"}, modes={"apps/alias": "120000"})

    result = run(repository, path="apps/alias")

    assert result.files == (PATH,)
    assert place.git.read(NAME, "apps/alias") == b"shop"


def test_files_that_the_api_does_not_take_are_refused(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A commit that is too large for the API is refused before it is sent.
    """
    head = place.head()
    large = Change(
        parent=head, files={PATH: b"x" * 25_000_001}, message="Large\n", author=GITHUB_ACTIONS
    )

    error = failure(lambda: repository.land(large, "main"))

    assert isinstance(error, KustomizationError)
    assert "25 MB" in error.message
    assert "delivery: push" in error.hint


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfa: 1\r\n", b"caf\xe9\n", b"a\0b", b"x" * 600_000, b""],
    ids=["byte-order-mark", "latin-1", "binary", "longer-than-graphql-gives", "empty"],
)
def test_reads_bytes_as_they_are(
    place: GitHubPlace, repository: GitHubRepository, content: bytes
) -> None:
    """
    What is read is what git has, whatever GitHub makes of it as text.
    """
    place.commit({"any": content})

    assert repository.read(place.head(), PurePosixPath("any")) == content


def test_reads_files_and_folders_of_a_commit(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    Files, folders and links of a commit read as a clone would give them.
    """
    odd = "apps/o dd: ü"
    modes = {"link": "120000", "run.sh": "100755"}
    place.git.commit(NAME, {odd: "x", "link": "apps/shop", "run.sh": "y"}, modes=modes)
    head = repository.head("main")

    assert repository.list(head, PurePosixPath()) == ("README.md", "apps/", "link", "run.sh")
    assert repository.list(head, PurePosixPath("apps/nothing/here")) == ()
    assert repository.list(head, PATH) == ()
    assert repository.read(head, PurePosixPath(odd)) == b"x"
    assert repository.read(head, PurePosixPath("apps")) is None
    assert repository.read(head, PurePosixPath("nothing")) is None
    assert repository.link(head, PurePosixPath("link/deployment.yaml")) == (
        PurePosixPath("link"),
        "apps/shop",
    )
    assert repository.link(head, PATH) is None
    assert repository.modes(head, ["run.sh", "apps/shop"]).items() >= {
        ("run.sh", "100755"),
        ("link", "120000"),
        (FILE, "100644"),
    }
    assert repository.contents(head, [FILE, "link"]) == {FILE: TEXT.encode(), "link": b"apps/shop"}


def test_follows_no_submodule(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    A path that leads into a submodule is refused with the place where it is.
    """
    head = place.head()
    entry = f"160000 commit {head}\tvendor\n".encode()
    tree = place.git.git(NAME, "mktree", stdin=entry)
    commit = place.git.git(
        *(NAME, "-c", "user.name=x", "-c", "user.email=x@example.com"),
        *("commit-tree", "-p", str(head), "-m", "vendor", tree),
    )

    error = failure(lambda: repository.read(CommitSha(commit), PurePosixPath("vendor/a")))

    assert isinstance(error, KustomizationError)
    assert "vendor is a submodule" in error.message


def test_a_missing_branch_is_told(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    A branch that is not there, or odd, ends in one message that names it.
    """
    for name in ("none", "a..b", "with space"):
        error = failure(lambda name=name: repository.head(name))  # type: ignore[misc]

        assert isinstance(error, GitOpsError)
        assert f"no branch `{name}`" in error.message
    assert repository.head(repository.default_branch()) == place.head()


def test_a_branch_that_was_deleted_meanwhile_is_told(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A branch that goes away in the middle does not come to life again.
    """
    place.about.races.append(lambda: place.git.git(NAME, "update-ref", "-d", "refs/heads/main"))

    error = failure(lambda: run(repository))

    assert "deleted meanwhile" in error.message
    assert place.git.head(NAME) == ""


def test_reads_files_of_any_commit(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    An older commit's file is read, and a commit that is gone is told from a file that is not there.
    """
    old = place.head()
    place.commit({FILE: "new\n"})

    assert repository.file(old, PATH) == TEXT.encode()
    assert repository.file(old, PurePosixPath("nothing/here")) is None
    error = failure(lambda: repository.file(CommitSha("a" * 40), PATH))
    assert "does not have the commit" in error.message


def test_answers_what_the_guard_asks(place: GitHubPlace, repository: GitHubRepository) -> None:
    """
    Ancestry, trailers and changed files come from the same repository as the commit.
    """
    before = place.head()

    revision = run(repository).revision

    assert repository.contains(before, revision) is True
    assert repository.changed_paths(before, revision) == frozenset({PATH})
    assert [one["Source-Run"] for one in repository.trailers(revision, "Image: ghcr.io/acme")] == [
        "1"
    ]


def test_a_token_that_ends_in_the_middle_is_told(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A token that expires between two attempts ends the promotion with what to do about it.
    """

    def race() -> None:
        place.commit({"README.md": "# Theirs\n"})
        place.github.tokens.clear()

    place.about.races.append(race)

    error = failure(lambda: run(repository))

    assert isinstance(error, GitOpsAccessError)
    assert "Bad credentials" in error.message


def test_a_branch_that_was_set_back_is_promoted_where_it_is_now(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    A force push in between is a lost race: what was taken back does not come to life again.
    """
    kept = place.head()
    place.commit({"taken-back": "x"})
    place.about.races.append(
        lambda: place.git.git(NAME, "update-ref", "refs/heads/main", str(kept))
    )

    result = run(repository)

    assert place.git.git(NAME, "log", "--format=%H", "main").split() == [
        str(result.revision),
        str(kept),
    ]


def test_a_message_is_text_and_nothing_else(
    place: GitHubPlace, repository: GitHubRepository
) -> None:
    """
    Line breaks, quotes and workflow commands in a message arrive as they are.
    """
    message = 'Say "hi"\n\n::error::no %0A ${{ x }}\n\nA: b\n'
    asked = Change(
        parent=place.head(), files={PATH: b"x\n"}, message=message, author=GITHUB_ACTIONS
    )

    repository.land(asked, "main")

    assert place.git.git(NAME, "log", "-1", "--format=%B") == message.rstrip("\n")
