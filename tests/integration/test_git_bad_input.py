"""What a GitOps repository, a workspace and an environment may hold that is not as it should be."""

from __future__ import annotations

import subprocess
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from gitops_action.errors import GitOpsAccessError, KustomizationError
from tests.systems.promoter import FILE, NAME, TEXT, UNREACHABLE, Place, failure, run

if TYPE_CHECKING:
    from pathlib import Path

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    f"oid sha256:{'4' * 64}\n"
    "size 12345\n"
)  # fmt: skip


def test_a_token_for_another_repository_is_told_so(place: Place) -> None:
    """
    GitHub says `not found` to a token that may not see the repository; the message says both.
    """
    place.server.create("acme/private", {FILE: TEXT})
    place.server.hidden.add("acme/private")

    error = failure(lambda: run(place.clone(url=place.server.url("acme/private"))))

    assert isinstance(error, GitOpsAccessError)
    assert "does not exist, or the token may not see it" in error.message
    assert "gitops-token" in error.hint


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("apps", "apps"),
        ("apps/shop/kustomization.yaml/deeper", "kustomization.yaml/deeper"),
        ("module/kustomization.yaml", "module is a submodule"),
        ("module", "module is a submodule"),
        ("none.yaml", "none.yaml"),
    ],
)
def test_a_path_that_is_no_kustomization_is_named(place: Place, file: str, words: str) -> None:
    """
    A folder without a kustomization, a file in between and a submodule each end in one message.
    """
    sha = place.server.head(NAME)
    place.server.git(
        *(NAME, "fast-import", "--quiet", "--date-format=now"),
        stdin=f"commit refs/heads/main\ncommitter A <a@b> now\ndata 1\nx\nfrom {sha}\n"
        f"M 160000 {sha} module\n".encode(),
    )

    error = failure(lambda: run(place.clone(), file=file))

    assert isinstance(error, KustomizationError)
    assert words in error.message
    assert place.server.git(NAME, "log", "--format=%s", "-1", "main") == "x"


def test_a_folder_stands_for_its_kustomization(place: Place) -> None:
    """
    The folder may be named instead of the file.
    """
    result = run(place.clone(), file="apps/shop")

    assert result.files == (PurePosixPath(FILE),)


def test_a_submodule_and_large_files_elsewhere_do_not_matter(place: Place) -> None:
    """
    What lies beside the kustomization is neither fetched nor changed.
    """
    place.server.commit(
        NAME, {"logo.png": POINTER, ".gitattributes": "*.png filter=lfs diff=lfs -text\n"}
    )
    sha = place.server.head(NAME)
    place.server.git(
        *(NAME, "fast-import", "--quiet", "--date-format=now"),
        stdin=f"commit refs/heads/main\ncommitter A <a@b> now\ndata 1\nx\nfrom {sha}\n"
        f"M 160000 {sha} module\n".encode(),
    )

    run(place.clone())

    assert place.server.git(NAME, "diff", "--name-only", "main~1", "main") == FILE
    assert place.server.read(NAME, "logo.png").decode() == POINTER
    assert place.server.git(NAME, "ls-tree", "main", "module").split()[:3] == [
        "160000",
        "commit",
        sha,
    ]


def test_a_kustomization_that_large_file_storage_has_is_no_kustomization(place: Place) -> None:
    """
    A pointer is not edited as if it were the file.
    """
    place.server.commit(NAME, {FILE: POINTER})

    error = failure(lambda: run(place.clone()))

    assert FILE in error.message
    assert place.server.read(NAME, FILE).decode() == POINTER


@pytest.mark.parametrize("branch", ["release/1.0_ü#'$(touch)'", "-dash", "a&b;c"])
def test_a_branch_may_have_any_name_that_git_allows(place: Place, branch: str) -> None:
    """
    No name of a branch is taken for an option, a shell's word or a pattern.
    """
    place.server.git(NAME, "update-ref", f"refs/heads/{branch}", "main")
    before = place.server.head(NAME)

    result = run(place.clone(), branch=branch)

    assert place.server.head(NAME, branch) == str(result.revision)
    assert place.server.head(NAME) == before


@pytest.mark.parametrize("branch", ["release 1", "a..b", "main^", "refs/heads/main:x"])
def test_a_name_that_no_branch_can_have_ends_in_one_message(place: Place, branch: str) -> None:
    """
    The inputs refuse such names; the clone does not act on them either.
    """
    before = place.server.head(NAME)

    error = failure(lambda: run(place.clone(), branch=branch))

    assert error.hint
    assert "\n" not in error.message
    assert place.server.head(NAME) == before


def test_a_message_with_commands_in_it_stays_one_line(place: Place) -> None:
    """
    What an author writes into the commit message adds no trailer, and no command to the log.
    """
    run(place.clone(), subject="Promote\n\n::error::stop\nImage: forged\n")

    git = place.server.git
    assert git(NAME, "log", "-1", "--format=%s", "main") == ("Promote ::error::stop Image: forged")
    assert git(NAME, "log", "-1", "--format=%(trailers:key=Image)", "main").strip() == (
        "Image: ghcr.io/acme/shop:v2"
    )


def test_a_server_that_prints_commands_is_quoted_in_one_line(place: Place) -> None:
    """
    A hook of the server cannot write to the log of the run.
    """
    place.server.refuse_pushes(NAME, "no\n::add-mask::x\n::error::forged\n")

    error = failure(lambda: run(place.clone()))

    assert "no ::add-mask::x ::error::forged" in error.message
    assert "\n" not in error.message


def test_what_is_planted_in_the_workspace_does_nothing(place: Place) -> None:
    """
    Hooks and settings of the checked-out repository neither run nor redirect; it is not touched.
    """
    workspace = place.folder / "workspace"
    subprocess.run(["git", "clone", "-q", place.server.path(NAME), workspace], check=True)
    ran = place.folder / "ran"
    for name in ("pre-push", "reference-transaction", "post-commit", "pre-commit"):
        hook = workspace / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
        hook.chmod(0o755)
    for key, value in {
        f"url.{UNREACHABLE}.insteadOf": place.server.url(NAME),
        f"url.{UNREACHABLE}.pushInsteadOf": place.server.url(NAME),
        "core.fsmonitor": f"touch {ran}",
        "core.sshCommand": f"touch {ran}",
        "http.proxy": "http://127.0.0.1:1",
    }.items():
        subprocess.run(["git", "-C", workspace, "config", key, value], check=True)
    before = _content(workspace)
    hostile = {
        "GIT_DIR": str(workspace / ".git"),
        "GIT_WORK_TREE": str(workspace),
        "GIT_INDEX_FILE": str(workspace / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(workspace / ".git" / "objects"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{UNREACHABLE}.insteadOf",
        "GIT_CONFIG_VALUE_0": place.server.url(NAME),
        "GIT_SSH_COMMAND": f"touch {ran}",
        "GIT_PROXY_COMMAND": f"touch {ran}",
        "GIT_EXTERNAL_DIFF": f"touch {ran}",
        "GIT_EXEC_PATH": str(workspace),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(workspace / ".git" / "objects"),
        "GIT_NAMESPACE": "elsewhere",
        "GIT_TRACE": str(place.folder / "trace"),
    }

    result = run(place.clone(env=hostile))

    assert str(result.revision) == place.server.head(NAME)
    assert not ran.exists()
    assert not (place.folder / "trace").exists()
    assert _content(workspace) == before


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
