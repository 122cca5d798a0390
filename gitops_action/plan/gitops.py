"""Where the GitOps repository is, and what the commit in it says."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from gitops_action.inputs import Inputs, RunContext
from gitops_action.model.image import ImageReference
from gitops_action.model.secret import Secret

_NAME = r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+"
_LONGEST_SLUG = 100
# The branches of pull requests lie below it.
PROPOSALS = "gitops-action"


def is_this_repository(inputs: Inputs, context: RunContext) -> bool:
    """Whether the GitOps repository is that of the run, however its address is written."""
    if not inputs.gitops_repository:
        return True
    parts = urlsplit(gitops_url(inputs, context, [])[0])
    # https://docs.github.com/en/authentication/troubleshooting-ssh/using-ssh-over-the-https-port
    host = (parts.hostname or "").removeprefix("ssh.")
    path = parts.path.strip("/").removesuffix(".git").lower()
    return (host, path) == (urlsplit(context.server_url).hostname, context.repository.lower())


def is_push_to(branch: str, inputs: Inputs, context: RunContext) -> bool:
    """Whether a push to the GitOps branch has started the run."""
    return (
        is_this_repository(inputs, context)
        and context.event == "push"
        and (context.ref_type, context.ref_name) == ("branch", branch)
    )


def gitops_name(inputs: Inputs, context: RunContext) -> str:
    """The `owner/name` of the GitOps repository on the run's own server; empty for another."""
    given = inputs.gitops_repository or context.repository
    name = given.removeprefix(f"{context.server_url}/").removesuffix(".git")
    return name if re.fullmatch(_NAME, name) else ""


def proposal_branch(branch: str, inputs: Inputs) -> str:
    """The branch of the pull request: one for each application and target."""
    image = inputs.repository.name if inputs.repository else ""
    places = " ".join(str(path) for path in inputs.kustomizations)
    words = f"{image.rpartition('/')[2]} {places}"
    slug = re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-")[:_LONGEST_SLUG]
    # What people can read is the same for `a/b` and `a-b`, and for two images of one last name.
    whole = f"{image}\n{inputs.kustomize_name}\n{places}"
    return f"{PROPOSALS}/{branch}/{slug}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def gitops_url(inputs: Inputs, context: RunContext, problems: list[str]) -> tuple[str, str]:
    """The URL of the GitOps repository, and of its commits' pages where they are known."""
    given = inputs.gitops_repository or context.repository
    if re.fullmatch(_NAME, given):
        page = f"{context.server_url}/{given}/commit/"
        if inputs.gitops_ssh_key:
            return f"ssh://git@{urlsplit(context.server_url).hostname}/{given}.git", page
        return f"{context.server_url}/{given}.git", page
    # `git@host:path`, as git and GitHub's pages write it.
    short = re.fullmatch(r"([A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+):(?!//)/?(.+)", given)
    url = f"ssh://{short[1]}/{short[2]}" if short else given
    parts = urlsplit(url)
    if url and (
        parts.scheme not in {"http", "https", "file", "ssh"}
        or parts.password
        or (parts.username and parts.scheme != "ssh")
    ):
        problems.append(
            "`gitops-repository` must be `owner/name` or a URL (http, https, ssh) without "
            "credentials"
        )
    elif (parts.scheme == "ssh") != bool(inputs.gitops_ssh_key):
        problems.append(
            "`gitops-ssh-key` is empty, and the SSH address in `gitops-repository` needs it"
            if parts.scheme == "ssh"
            else "`gitops-ssh-key` is for an SSH address in `gitops-repository`"
        )
    return url, ""


def gitops_token(inputs: Inputs, context: RunContext, url: str) -> Secret:
    """The token for the GitOps repository; the workflow's own goes to its own server only."""
    # With the scheme: `http://github.com` would send it for everybody to read.
    own = urlsplit(url)[:2] == urlsplit(context.server_url)[:2]
    return inputs.gitops_token or (inputs.github_token if own else Secret())


def source_url(context: RunContext) -> str:
    """The URL of the repository of the run, empty where there is none."""
    return f"{context.server_url}/{context.repository}.git" if context.repository else ""


def gitops_branch(inputs: Inputs, context: RunContext) -> str:
    if inputs.gitops_branch:
        return inputs.gitops_branch
    if not is_this_repository(inputs, context):
        return ""
    return context.ref_name if context.ref_type == "branch" else context.default_branch


def subject(template: str, image: ImageReference | None) -> str:
    name = PurePosixPath(image.repository.name).name if image else ""
    tag = image.tag or str(image.digest) if image else ""
    return template.replace("{name}", name).replace("{tag}", tag)


def source_trailers(context: RunContext) -> dict[str, str]:
    trailers = {"Source-Repository": context.repository, "Source-Run": context.run_url}
    return {key: value for key, value in trailers.items() if value}
