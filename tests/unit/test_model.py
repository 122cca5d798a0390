"""The nouns that everything else is said with."""

from __future__ import annotations

from gitops_action.model.environment import allowed
from gitops_action.model.identity import GITHUB_ACTIONS
from gitops_action.model.secret import Secret


def test_a_child_sees_only_what_is_listed() -> None:
    """
    A token in the step's environment stays there.
    """
    step = {"PATH": "/bin", "INPUT_GITHUB-TOKEN": "canary", "HTTPS_PROXY": "p", "GOPROXY": "off"}

    assert allowed(step, "GOPROXY") == {"PATH": "/bin", "HTTPS_PROXY": "p", "GOPROXY": "off"}


def test_secrets_compare_without_showing() -> None:
    """
    Two secrets can be told apart, and neither can be read by accident.
    """
    assert {Secret("a"), Secret("a"), Secret("b")} == {Secret("a"), Secret("b")}
    assert Secret("a") != "a"
    assert f"{Secret('a')} {Secret('a')!r}" == "*** Secret('***')"
    assert not Secret()


def test_an_identity_reads_as_git_writes_it() -> None:
    """
    The commit shows GitHub's own bot.
    """
    assert str(GITHUB_ACTIONS) == (
        "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>"
    )
