"""Where the GitOps repository is, and what the commit in it says."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from gitops_action.inputs import Inputs, RunContext
from gitops_action.model.image import ImageReference


def is_this_repository(inputs: Inputs, context: RunContext) -> bool:
    return inputs.gitops_repository in {"", context.repository}


def is_push_to(branch: str, inputs: Inputs, context: RunContext) -> bool:
    """Whether a push to the GitOps branch has started the run."""
    return (
        is_this_repository(inputs, context)
        and context.event == "push"
        and (context.ref_type, context.ref_name) == ("branch", branch)
    )


def gitops_url(inputs: Inputs, context: RunContext, problems: list[str]) -> tuple[str, str]:
    """The URL of the GitOps repository, and of its commits' pages where they are known."""
    given = inputs.gitops_repository or context.repository
    if re.fullmatch(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+", given):
        return f"{context.server_url}/{given}.git", f"{context.server_url}/{given}/commit/"
    parts = urlsplit(given)
    if given and (
        parts.scheme not in {"http", "https", "file"} or parts.username or parts.password
    ):
        problems.append(
            "`gitops-repository` must be `owner/name` or a URL (http, https) without credentials"
        )
    return given, ""


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
