"""Who is newer, over real git, while the server of the source repository is in trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.git import Git, History
from gitops_action.errors import GitOpsUnavailableError
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.pin import Pin
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha
from gitops_action.stages.promote import Ending, Guard, PromoteRequest, find_echo
from tests.fakes.guard import FakeCommitLog, FakeImages
from tests.systems.git_server import GitServer
from tests.systems.promoter import FILE, NAME, PATH, TEXT, UNREACHABLE, Place, run

SOURCE = "acme/shop"


def _history(folder: Path, server: GitServer, url: str = "") -> History:
    folder.mkdir()
    return History(
        Git(
            url=url or server.url(SOURCE),
            token=Secret(server.token),
            directory=folder,
            cancellation=Cancellation(),
            env={"PATH": "/usr/bin:/bin"},
        )
    )


def test_a_server_in_trouble_lets_no_older_commit_win(place: Place, tmp_path: Path) -> None:
    """
    An older commit overwrote a newer one when the source's server failed for one question.
    """
    with GitServer(tmp_path / "source") as server:
        older = CommitSha(server.create(SOURCE, {"main.go": ""}))
        newer = server.commit(SOURCE, {"main.go": "package main\n"})
        place.server.commit(NAME, {FILE: TEXT.replace("v1", newer)})
        image = ImageReference(Repository("ghcr.io/acme/shop"), str(older))
        history = _history(tmp_path / "history", server)
        guard = Guard(image, older, history=history, images=FakeImages(), commits=FakeCommitLog())
        server.failures = [503]

        result = run(place.clone(), tag=str(older), guard=guard)

    assert result.ending is Ending.SUPERSEDED
    assert newer in place.server.git(NAME, "show", f"main:{FILE}")


def test_no_answer_is_not_the_same_as_no_such_commit(place: Place, tmp_path: Path) -> None:
    """
    What the server does not have stays unknown; what it did not answer may be asked again.
    """
    with GitServer(tmp_path / "source") as server:
        commit = CommitSha(server.create(SOURCE, {"main.go": ""}))
        known = _history(tmp_path / "known", server)
        closed = _history(tmp_path / "closed", server, UNREACHABLE)
        gone = CommitSha("1" * 40)

        assert known.contains(gone, commit) is None
        assert known.contains(commit, gone) is None
        with pytest.raises(GitOpsUnavailableError):
            closed.contains(gone, commit)
        assert place.clone(url=UNREACHABLE).contains(gone, commit) is None


def test_a_run_that_a_revert_has_started_builds_nothing(place: Place) -> None:
    """
    From the commits alone: which code failed, and that it is the code of this run.
    """
    server, clone = place.server, place.clone()

    def commit(files: dict[str, str], message: str = "by hand") -> CommitSha:
        return CommitSha(server.commit(NAME, files, message=message))

    def asking(tag: CommitSha) -> dict[str, str]:
        return {FILE: TEXT.replace("v1", str(tag))}

    def echoes(ours: CommitSha) -> bool:
        image = ImageReference(Repository("ghcr.io/acme/shop"), str(ours))
        guard = Guard(
            image, ours, history=clone.history, images=FakeImages(), commits=clone.history
        )
        request = PromoteRequest(
            branch="main",
            kustomizations=(PATH,),
            entry="",
            pin=Pin.TAG,
            subject="",
            trailers={},
            deadline_seconds=1.0,
            source=ours,
        )
        return find_echo(request, image, repository=clone, guard=guard) is not None

    good = commit({"main.go": "package main\n"})
    commit(asking(good))
    bad = commit({"main.go": "package bad\n"})
    image = "Image: ghcr.io/acme/shop"
    promoted = commit(asking(bad), f"Promote\n\nSource-Commit: {bad}\n{image}:{bad}\n")
    assert echoes(promoted)
    trailers = f"Reverts: {promoted}\nSource-Commit: {good}\n{image}:{good}\n"
    reverted = commit(asking(good), f"Revert\n\n{trailers}")
    assert echoes(reverted)
    assert echoes(promoted)
    other = commit({"other/kustomization.yaml": "resources: [a]\n"})
    mended = commit({"main.go": "package main // better\n"})

    assert not echoes(bad)
    assert not echoes(other)
    assert not echoes(mended)
