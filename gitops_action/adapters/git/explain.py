"""What git's words and the server's mean, and what to do about it."""

from __future__ import annotations

import re

from gitops_action.adapters.git.command import Answer, disk_error
from gitops_action.errors import ActionError, GitOpsAccessError, GitOpsError, PushRefusedError

_WRITE = (
    "Give the job's token the right to write, and the other repository's token where the GitOps "
    "repository is another one:\n"
    "permissions:\n"
    "  contents: write\n"
    "# in the step, for another repository\n"
    "with:\n"
    "  gitops-token: ${{ secrets.GITOPS_TOKEN }}"
)
_UNREACHABLE = re.compile(
    r"Could(?: not|n't) (?:resolve|connect)|Failed to connect|Connection (?:refused|reset|timed)"
    r"|timed out|Empty reply|hung up unexpectedly|early EOF|unexpected disconnect"
    r"|Operation too slow|returned error: (?:429|5\d\d)\b|unable to access"
)
# The first that matches counts: git wraps most of them into "unable to access".
_REASONS: tuple[tuple[re.Pattern[str], type[ActionError], str, str], ...] = (
    (
        re.compile(r"SSL certificate|certificate verif|unable to get local issuer|SSL: no"),
        GitOpsError,
        "The certificate of the GitOps repository {url} is not trusted.",
        (
            "Give the certificate of its authority, as PEM, to the input `ca-certificates`:\n"
            "with:\n  ca-certificates: ${{ vars.CA_CERTIFICATES }}"
        ),
    ),
    (
        re.compile(
            r"Authentication failed|could not read (?:Username|Password)|returned error: 40[13]\b"
        ),
        GitOpsAccessError,
        "The GitOps repository {url} refuses the token.",
        _WRITE,
    ),
    (
        re.compile(r"returned error: 30\d\b"),
        GitOpsError,
        "The GitOps repository {url} is elsewhere: the server redirects, the token does not go.",
        "Give its present address, often with `.git` at the end, in `gitops-repository`.",
    ),
    (
        re.compile(r"repository '[^']*' not found|returned error: 404\b|does not appear to be"),
        GitOpsAccessError,
        "The GitOps repository {url} does not exist, or the token may not see it.",
        f"Compare the input `gitops-repository`. {_WRITE}",
    ),
    (
        _UNREACHABLE,
        GitOpsError,
        "The GitOps repository {url} cannot be reached.",
        "Run the job again; look at the git server, the proxy variables and the network.",
    ),
    (
        re.compile(""),
        GitOpsError,
        "git could not work with the GitOps repository {url}.",
        "Read what git said, and compare the inputs `gitops-repository` and `gitops-branch`.",
    ),
)
_FULL_DISK = re.compile(r"No space left on device|Disk quota exceeded")
_RACE = re.compile(
    r"\[rejected\]|cannot lock ref|failed to (?:update|lock) ref|incorrect old value"
    r"|reference already exists"
)
_REF_LINE = re.compile(r"^!\t[^\t]*\t(.*)$", re.MULTILINE)
_NO_TERMINAL = re.compile("terminal prompts disabled|askpass response")
_LONGEST = 1000


def is_lost_race(answer: Answer) -> bool:
    """Whether the branch was elsewhere when the push arrived."""
    found = _REF_LINE.search(answer.stdout.decode(errors="replace"))
    return bool(found and _RACE.search(found[1]))


def is_unanswered(answer: Answer) -> bool:
    """Whether the server may have done what it was asked, and only its answer was lost."""
    refused = _REF_LINE.search(answer.stdout.decode(errors="replace"))
    return answer.killed or (not refused and bool(_UNREACHABLE.search(answer.stderr)))


def explain(answer: Answer, url: str) -> ActionError:
    """Say why git could not talk to the server: GitOpsAccessError, GitOpsError or RunnerError."""
    if _FULL_DISK.search(answer.stderr):
        return disk_error("No space left on device")
    said = f" {said}" if (said := _said(answer.stderr)) else ""
    if answer.killed:
        return GitOpsError(
            f"The GitOps repository {url} did not answer in time.{said}",
            hint="Run the job again; look at the git server and at the runner's network.",
        )
    kind, message, hint = next(
        (kind, message, hint)
        for pattern, kind, message, hint in _REASONS
        if pattern.search(answer.stderr)
    )
    return kind(message.format(url=url) + said, hint=hint)


def explain_push(answer: Answer, url: str, branch: str) -> ActionError:
    """Say why a push was refused: PushRefusedError where a rule did it, else as `explain`."""
    refused = _REF_LINE.search(answer.stdout.decode(errors="replace"))
    if refused is None:
        return explain(answer, url)
    said = _said(answer.stderr) or refused[1]
    hint = (
        "Promote on a branch without this rule (`gitops-branch`), or give `gitops-token` the token "
        "of a GitHub App that may bypass it, which github-actions[bot] may not."
    )
    if "shallow update not allowed" in refused[1]:
        hint = "Let the server take pushes from shallow clones: `receive.shallowUpdate true`."
    elif "signatures" in said or "signed" in said:
        hint = f"The rule asks for signed commits, which this push cannot give. {hint}"
    return PushRefusedError(
        f"A rule of the GitOps repository refuses the commit on {branch}: {said}", hint=hint
    )


def _said(text: str) -> str:
    """Keep what the server said, else git's last words."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # That nobody sits at a terminal tells a workflow's author nothing.
    lines = [line for line in lines if not _NO_TERMINAL.search(line)]
    remote = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    last = [line.removeprefix("fatal:").strip() for line in lines if line.startswith("fatal:")]
    return " ".join(part for part in remote or last[-1:] or lines[-1:] if part)[:_LONGEST]
