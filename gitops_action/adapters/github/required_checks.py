"""Required checks that will not start by themselves, found out before somebody waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gitops_action.adapters.github.api import quoted
from gitops_action.adapters.github.explain import RECIPE
from gitops_action.errors import GitOpsAccessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_action.adapters.github.api import GitHubApi
    from gitops_action.model.pull_request import PullRequest

_READ = "contents: read"
# The App behind every workflow's checks: https://api.github.com/apps/github-actions
_ACTIONS = 15368
_CHECKS = """
query($owner:String!,$name:String!,$number:Int!){repository(owner:$owner,name:$name){
  pullRequest(number:$number){statusCheckRollup{contexts(first:100){nodes{
    ...on StatusContext{context} ...on CheckRun{name}
  }}}}
}}
"""


class RequiredChecks:
    """What the rules of the base branch ask of a pull request."""

    def __init__(self, api: GitHubApi) -> None:
        self._api = api

    def obstacle(self, pull: PullRequest) -> str:
        """What keeps the pull request from ever being merged, and what to do; empty for nothing.

        A job's own token starts no workflows by what it does, so that a check that a workflow
        reports stays "Expected" for ever, or waits for somebody's approval:
        https://docs.github.com/en/actions/concepts/security/github_token

        Raises GitOpsAccessError, GitOpsUnavailableError, GitOpsError and CancelledError.
        """
        if not pull.by_job_token:
            return ""
        missing = set(self._required(pull.base))
        if missing:
            missing -= self._started(pull)
        if not missing:
            return ""
        names = ", ".join(f"`{name}`" for name in sorted(missing))
        return (
            f"{pull.url} cannot be merged yet: {pull.base} requires {names}, and GitHub starts no "
            "workflow for what a job's own token does. Somebody with the right to write can let "
            'them run on the pull request\'s page ("Approve workflows to run", or close and '
            f"reopen it). For good: let the token of a GitHub App open it:\n{RECIPE}"
        )

    def _started(self, pull: PullRequest) -> set[str]:
        try:
            data = self._api.ask(_CHECKS, {"number": pull.number}, permission="checks: read")
        except GitOpsAccessError:
            return set()  # a right that only this would need: then all of them are told
        found = (data.values.get("repository") or {}).get("pullRequest") or {}
        rollup = found.get("statusCheckRollup") or {"contexts": {"nodes": []}}
        nodes = rollup["contexts"]["nodes"]
        return {str(one.get("context") or one.get("name")) for one in nodes}

    def _required(self, branch: str) -> Iterator[str]:
        """The checks that workflows report, or whoever likes to."""
        rules = self._api.get(f"/rules/branches/{quoted(branch)}", permission=_READ)
        for rule in rules if isinstance(rules, list) else ():
            parameters = rule.get("parameters") or {}
            if rule.get("type") == "required_status_checks":
                yield from _names(parameters.get("required_status_checks"), "integration_id")
        about = self._api.get(f"/branches/{quoted(branch)}", permission=_READ)
        protection = about.get("protection") or {} if isinstance(about, dict) else {}
        classic = protection.get("required_status_checks") or {}
        yield from _names(classic.get("checks"), "app_id")


def _names(checks: list[Mapping[str, Any]] | None, app: str) -> Iterator[str]:
    for check in checks or ():
        if check.get(app) in {None, -1, _ACTIONS}:
            yield str(check["context"])
