"""What the runner says of this run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_action.model.source import Commit


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What the runner says of this run; `commit` is the workspace's HEAD, None without one.

    `clean` says that the workspace's files are those of the commit.
    """

    event: str
    repository: str
    server_url: str
    api_url: str
    graphql_url: str
    ref: str
    ref_name: str
    ref_type: str
    default_branch: str
    actor: str
    run_url: str
    event_sha: str
    commit: Commit | None
    on_runner: bool
    run_number: str = ""
    prerelease: bool = False
    clean: bool = False


def load_context(
    env: Mapping[str, str],
    *,
    payload: Mapping[str, Any],
    commit: Commit | None,
    clean: bool = False,
) -> RunContext:
    """Read `GITHUB_*`; `payload` is the event's, `commit` the workspace's HEAD."""
    server = env.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    repository = env.get("GITHUB_REPOSITORY", "")
    attempt = env.get("GITHUB_RUN_ATTEMPT", "1")
    run = f"{server}/{repository}/actions/runs/{env.get('GITHUB_RUN_ID', '')}/attempts/{attempt}"
    return RunContext(
        event=env.get("GITHUB_EVENT_NAME", ""),
        repository=repository,
        server_url=server,
        api_url=env.get("GITHUB_API_URL", "https://api.github.com"),
        graphql_url=env.get("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql"),
        ref=env.get("GITHUB_REF", ""),
        ref_name=env.get("GITHUB_REF_NAME", ""),
        ref_type=env.get("GITHUB_REF_TYPE", "branch"),
        default_branch=str(payload.get("repository", {}).get("default_branch", "")),
        actor=env.get("GITHUB_ACTOR", ""),
        run_url=run if env.get("GITHUB_RUN_ID") else "",
        event_sha=env.get("GITHUB_SHA", ""),
        commit=commit,
        on_runner=env.get("GITHUB_ACTIONS") == "true",
        run_number=env.get("GITHUB_RUN_NUMBER", ""),
        prerelease=(payload.get("release") or {}).get("prerelease") is True,
        clean=clean,
    )
