"""A commit object, signed where there is a key: plumbing, which runs no hook."""

from __future__ import annotations

from pathlib import Path

from gitops_action.adapters.git.command import Git
from gitops_action.errors import GitOpsError, InputError
from gitops_action.model.change import Change
from gitops_action.model.source import CommitSha


def make_commit(
    git: Git, place: Path, *, tree: str, change: Change, signing_key: Path | None
) -> CommitSha:
    """Make a commit that is on no branch yet; its author is its committer.

    Raises InputError where the key cannot sign.
    """
    identity = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", change.author.name), ("EMAIL", change.author.email))
    }
    signing = (
        ("-c", "gpg.format=ssh", "-c", f"user.signingKey={signing_key}") if signing_key else ()
    )
    answer = git.run(
        *signing,
        *("commit-tree", *(("-S",) if signing_key else ()), "-p", str(change.parent)),
        *("-F", "-", tree),
        cwd=place,
        stdin=change.message.encode(),
        env=identity,
    )
    if answer.succeeded:
        return CommitSha(answer.text)
    if signing_key:
        raise InputError(
            f"The commit could not be signed with `signing-key`: {answer.stderr.strip()}",
            hint="Give the private half of an SSH key that has no passphrase, with all its lines:\n"
            "with:\n  signing-key: ${{ secrets.SIGNING_KEY }}",
        )
    raise GitOpsError(
        f"git could not make the commit: {answer.stderr.strip()}",
        hint="Look at the runner's disk space, and run the job again.",
    )
