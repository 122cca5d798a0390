"""What git's words and the server's mean, and what to do about it."""

from __future__ import annotations

import re

from gitops_action.adapters.git.command import Answer, disk_error
from gitops_action.errors import (
    ActionError,
    GitOpsAccessError,
    GitOpsError,
    GitOpsUnavailableError,
)

WRITE = (
    "Give the job's token the right to write, and the other repository's token where the GitOps "
    "repository is another one:\n"
    "permissions:\n"
    "  contents: write\n"
    "# in the step, for another repository\n"
    "with:\n"
    "  gitops-token: ${{ secrets.GITOPS_TOKEN }}"
)
_DEPLOY_KEY = (
    "Add the key's public half to the repository (Settings, Deploy keys) with `Allow write "
    "access`, and give the private half, without a passphrase:\n"
    "with:\n  gitops-ssh-key: ${{ secrets.GITOPS_SSH_KEY }}"
)
_KNOWN_HOSTS = (
    "Compare what `ssh-keyscan HOST` prints with what the server's owner says, and give it:\n"
    "with:\n  gitops-known-hosts: ${{ vars.GITOPS_KNOWN_HOSTS }}"
)
# 5xx and 429 pass by themselves; so does what the network does, or the name is wrong.
_PASSES = re.compile(
    r"Could(?: not|n't) (?:resolve|connect)|Failed to connect|[Cc]onnection (?:refused|reset|timed)"
    r"|timed out|Empty reply|hung up unexpectedly|early EOF|unexpected disconnect"
    r"|Operation too slow|returned error: (?:429|5\d\d)\b|Connection closed by|RPC failed"
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
        re.compile(r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED"),
        GitOpsError,
        "The host key of the GitOps repository {url} is not one of those that are known.",
        _KNOWN_HOSTS,
    ),
    (
        re.compile(r"marked as read only|denied to deploy key"),
        GitOpsAccessError,
        "The SSH key may read the GitOps repository {url}, and not write to it.",
        _DEPLOY_KEY,
    ),
    (
        re.compile(r"Permission denied \(|Too many authentication failures"),
        GitOpsAccessError,
        "The GitOps repository {url} refuses the SSH key.",
        _DEPLOY_KEY,
    ),
    (
        re.compile(r"archived"),
        GitOpsAccessError,
        "The GitOps repository {url} is archived: nobody can push to it.",
        "Name the repository that took its place in `gitops-repository`, or unarchive it.",
    ),
    (
        re.compile(r"SAML SSO|IP allow list"),
        GitOpsAccessError,
        "The organization of the GitOps repository {url} does not let this token in.",
        "Authorize the token for the organization's single sign-on, or the runner's address.",
    ),
    (
        re.compile(
            r"Authentication failed|could not read (?:Username|Password)|returned error: 401\b"
        ),
        GitOpsAccessError,
        "The GitOps repository {url} refuses the token: it is wrong, expired or revoked.",
        f"The job's own token lives as long as the job. {WRITE}",
    ),
    (
        re.compile(r"returned error: 403\b"),
        GitOpsAccessError,
        "The GitOps repository {url} does not let the token do this.",
        WRITE,
    ),
    (
        re.compile(r"returned error: 30\d\b"),
        GitOpsError,
        (
            "The GitOps repository {url} is elsewhere: the server redirects{moved}, and the token "
            "does not go along."
        ),
        "Give its present address in `gitops-repository`{moved_to}.",
    ),
    (
        re.compile(
            r"repository '[^']*' not found|returned error: 404\b|does not appear to be"
            r"|Repository not found"
        ),
        GitOpsAccessError,
        "The GitOps repository {url} does not exist, or the token may not see it.",
        f"Compare the input `gitops-repository`. {WRITE}",
    ),
    (
        _PASSES,
        GitOpsUnavailableError,
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
_REDIRECT = re.compile(r"returned error: 30\d\b")
_NO_TERMINAL = re.compile("terminal prompts disabled|askpass response")
_THEIRS = ("remote:", "ERROR:")  # GitHub's SSH servers say the second
_LONGEST = 1000


def is_redirect(answer: Answer) -> bool:
    """Whether the server has the repository elsewhere."""
    return bool(_REDIRECT.search(answer.stderr))


def passes(answer: Answer) -> bool:
    """Whether the server or the network failed, rather than said no."""
    return answer.killed or bool(_PASSES.search(answer.stderr))


def explain(answer: Answer, url: str, moved: str = "") -> ActionError:
    """Say why git could not talk to the server; `moved` is where a redirect leads.

    GitOpsUnavailableError where that may pass, GitOpsAccessError, GitOpsError or RunnerError.
    """
    if _FULL_DISK.search(answer.stderr):
        return disk_error("No space left on device")
    text = f" {words}" if (words := said(answer.stderr)) else ""
    if answer.killed:
        return GitOpsUnavailableError(
            f"The GitOps repository {url} did not answer in time.{text}",
            hint="Run the job again; look at the git server and at the runner's network.",
        )
    kind, message, hint = next(
        (kind, message, hint)
        for pattern, kind, message, hint in _REASONS
        if pattern.search(answer.stderr)
    )
    message = message.replace("{url}", url).replace("{moved}", f" to {moved}" if moved else "")
    return kind(message + text, hint=hint.replace("{moved_to}", f": `{moved}`" if moved else ""))


def said(text: str) -> str:
    """Keep what the server said, else git's last words."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # That nobody sits at a terminal tells a workflow's author nothing.
    lines = [line for line in lines if not _NO_TERMINAL.search(line)]
    theirs = [line.partition(":")[2].strip() for line in lines if line.startswith(_THEIRS)]
    last = [line.removeprefix("fatal:").strip() for line in lines if line.startswith("fatal:")]
    return " ".join(part for part in theirs or last[-1:] or lines[-1:] if part)[:_LONGEST]
