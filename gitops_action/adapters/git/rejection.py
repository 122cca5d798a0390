"""Why a push was rejected: a race, a server in trouble, or a rule with its way out."""

from __future__ import annotations

import re

from gitops_action.adapters.git.command import Answer
from gitops_action.adapters.git.explain import passes, said
from gitops_action.errors import (
    ActionError,
    GitOpsAccessError,
    GitOpsError,
    GitOpsUnavailableError,
    PushRefusedError,
    SignatureRequiredError,
)

# `!`, a tab, the refs, a tab, and for example `[remote rejected] (cannot lock ref ...)`.
_REF_LINE = re.compile(r"^!\t[^\t]*\t(.*)$", re.MULTILINE)
# git itself, then servers: https://github.com/akuity/kargo/issues/5286 has GitLab's words.
_RACE = re.compile(
    r"^\[rejected\]|cannot lock ref|failed to (?:update|lock) ref|incorrect old value"
    r"|reference already exists"
)
_TROUBLE = re.compile(r"[Ii]nternal (?:[Ss]erver )?[Ee]rror|abnormal exit")
_NO_REPORT = "failed to report status"
_RULE = "A rule of the GitOps repository refuses the commit on {branch}: {said}"
_BYPASS = (
    "give `gitops-token` the token of a GitHub App that may bypass the rule, which "
    "github-actions[bot] may not"
)
# The first that matches counts: a pull request is a way through most other rules as well.
_REASONS: tuple[tuple[re.Pattern[str], type[ActionError], str, str], ...] = (
    (
        re.compile(r"shallow update not allowed"),
        GitOpsError,
        "The server of the GitOps repository takes no push from a shallow clone.",
        (
            "Let its operator set `git config receive.shallowUpdate true`, or give\n"
            "with:\n  delivery: api"
        ),
    ),
    (
        re.compile(r"unpacker error|object directory|No space left|quota exceeded"),
        GitOpsError,
        "The server of the GitOps repository could not store the commit: {said}",
        "Tell its operator: the disk, or the owner of the repository's files.",
    ),
    (
        re.compile(r"without `?workflows?`? (?:permission|scope)"),
        GitOpsAccessError,
        "The token may not change workflow files of the GitOps repository: {said}",
        (
            "Keep kustomizations outside `.github/workflows`, or give `gitops-token` a token with "
            "that permission."
        ),
    ),
    (
        re.compile(r"through a pull request|[Rr]equired status check|code scanning|merge queue"),
        PushRefusedError,
        _RULE,
        f"Let the change be reviewed:\nwith:\n  delivery: pull-request\n# or {_BYPASS}",
    ),
    (
        re.compile(
            r"signature|signed commit|must be signed(?! off)|unsigned|not signed|GPG", re.IGNORECASE
        ),
        SignatureRequiredError,
        _RULE,
        (
            "Let GitHub sign the commit:\nwith:\n  delivery: api\n# or, with a key of your own:\n"
            "  signing-key: ${{ secrets.SIGNING_KEY }}"
        ),
    ),
    (
        re.compile(r"GH006|GH013|protected branch|rule violations"),
        PushRefusedError,
        _RULE,
        f"Deliver by a pull request:\nwith:\n  delivery: pull-request\n# or {_BYPASS}",
    ),
    (
        re.compile(""),
        PushRefusedError,
        _RULE,
        (
            "Change what the rule asks for (`commit-message`, `commit-author`), promote on a "
            f"branch without it (`gitops-branch`), or {_BYPASS}."
        ),
    ),
)


def is_lost_race(answer: Answer) -> bool:
    """Whether the branch was elsewhere when the push arrived."""
    return bool(_RACE.search(_reason(answer)))


def is_unanswered(answer: Answer) -> bool:
    """Whether the server may have done what it was asked, and only its answer was lost."""
    reason = _reason(answer)
    return _NO_REPORT in reason or (not reason and passes(answer))


def explain_rejection(answer: Answer, url: str, branch: str) -> ActionError | None:
    """Say why the server took the push and refused the commit; None where it was not so."""
    reason = _reason(answer)
    if not reason:
        return None
    if _TROUBLE.search(reason):
        return GitOpsUnavailableError(
            f"The server of the GitOps repository {url} is in trouble: {reason}",
            hint="Run the job again, and look at the state of the git server.",
        )
    words = said(answer.stderr) if "remote:" in answer.stderr else reason
    kind, message, hint = next(
        (kind, message, hint)
        for pattern, kind, message, hint in _REASONS
        if pattern.search(f"{reason} {words}")
    )
    return kind(message.replace("{branch}", branch).replace("{said}", words), hint=hint)


def _reason(answer: Answer) -> str:
    found = _REF_LINE.search(answer.stdout.decode(errors="replace"))
    return found[1] if found else ""
