"""What git servers say that no server of ours says, and what the user is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.git.command import Answer
from gitops_action.adapters.git.explain import explain
from gitops_action.adapters.git.rejection import explain_rejection, is_lost_race
from gitops_action.errors import (
    ActionError,
    GitOpsAccessError,
    GitOpsError,
    GitOpsUnavailableError,
    PushRefusedError,
    RunnerError,
)

if TYPE_CHECKING:
    pass

from tests.systems.promoter import UNREACHABLE


@pytest.mark.parametrize(
    ("reason", "stderr", "kind", "words"),
    [
        ("shallow update not allowed", "", GitOpsError, "receive.shallowUpdate true"),
        ("Internal Server Error", "", GitOpsUnavailableError, "is in trouble"),
        ("unpacker error", "", GitOpsError, "could not store the commit"),
        (
            (
                "refusing to allow a GitHub App to create or update workflow "
                "`.github/workflows/x.yml` without `workflows` permission"
            ),
            "",
            GitOpsAccessError,
            "may not change workflow files",
        ),
        (
            "pre-receive hook declined",
            (
                "remote: error: GH006: Protected branch update failed for refs/heads/main.\n"
                'remote: error: Required status check "test" is expected.\n'
            ),
            PushRefusedError,
            'Required status check "test" is expected.',
        ),
        ("push declined due to repository rule violations", "", PushRefusedError, "bypass"),
    ],
    ids=["shallow", "trouble", "disk", "workflows", "status-check", "ruleset"],
)
def test_explains_rejections_that_this_server_never_makes(
    reason: str, stderr: str, kind: type[ActionError], words: str
) -> None:
    """
    What other servers say in the line of the branch has a message of its own.
    """
    line = f"!\ta:refs/heads/main\t[remote rejected] ({reason})\n"
    answer = Answer(exit_code=1, stdout=line.encode(), stderr=stderr, killed=False)

    error = explain_rejection(answer, UNREACHABLE, "main")

    assert type(error) is kind
    assert words in f"{error.message} {error.hint}"
    assert not is_lost_race(answer)


@pytest.mark.parametrize(
    "reason",
    [
        "[rejected] (fetch first)",
        "[rejected] (stale info)",
        "[remote rejected] (cannot lock ref 'refs/heads/main': is at 1 but expected 2)",
        "[remote rejected] (incorrect old value provided)",
        "[remote rejected] (failed to update ref)",
    ],
)
def test_knows_a_lost_race_in_every_servers_words(reason: str) -> None:
    """
    GitHub, GitLab and git itself say differently that somebody else was first.
    """
    answer = Answer(exit_code=1, stdout=f"!\ta:b\t{reason}\n".encode(), stderr="", killed=False)

    assert is_lost_race(answer)


@pytest.mark.parametrize(
    ("stderr", "kind", "words"),
    [
        ("fatal: write error: No space left on device\n", RunnerError, "No space left"),
        ("fatal: something new\n", GitOpsError, "git could not work with the GitOps"),
        (
            (
                "ERROR: The key you are authenticating with has been marked as read only.\n"
                "fatal: Could not read from remote repository.\n"
            ),
            GitOpsAccessError,
            "Allow write access",
        ),
    ],
    ids=["full-disk", "unknown", "deploy-key"],
)
def test_explains_what_this_server_never_says(
    stderr: str, kind: type[ActionError], words: str
) -> None:
    """
    A full disk, another kind of server and a new error each have a message of their own.
    """
    answer = Answer(exit_code=1, stdout=b"", stderr=stderr, killed=False)

    error = explain(answer, UNREACHABLE)

    assert type(error) is kind
    assert words in f"{error.message} {error.hint}"
