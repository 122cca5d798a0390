"""What a repository says about its commits: statuses, deployments, and which contains which."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from gitops_action.model.deployment import CommitReport
from gitops_action.model.source import CommitSha

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_action.adapters.github.api import GitHubApi

_PAGE = 100
_PAGES = 5
_FEW = 10
_MOST_FILES = 300
_HISTORY = """
query($owner:String!,$name:String!,$oid:GitObjectID!,$after:String){
  repository(owner:$owner,name:$name){object(oid:$oid){...on Commit{
    history(first:100,after:$after){nodes{message} pageInfo{hasNextPage endCursor}}
  }}}
}
"""
_CONTAINED = {"ahead": True, "identical": True, "behind": False, "diverged": False}


class GitHubReports:
    """Reads that may be repeated: what has not changed costs nothing of the rate limit.

    Methods raise GitOpsAccessError, GitOpsUnavailableError (GitHub cannot answer now), GitOpsError
    and CancelledError.
    """

    def __init__(self, api: GitHubApi) -> None:
        self._api = api
        self._contained: dict[tuple[CommitSha, CommitSha], bool] = {}

    def status(self, sha: CommitSha, context: str) -> CommitReport | None:
        """The newest commit status of a context; None where there is none yet."""
        page = 1
        while True:
            params = {"per_page": str(_PAGE), "page": str(page)}
            found = self._api.get(f"/commits/{sha}/status", params, permission="statuses: read")
            statuses = found.get("statuses", []) if isinstance(found, dict) else []
            for one in statuses:
                if one["context"] == context:
                    return _report(sha, one)
            if len(statuses) < _PAGE:
                return None
            page += 1

    def deployments(self, environment: str, sha: CommitSha | None = None) -> tuple[CommitSha, ...]:
        """The commits that were last deployed to an environment, newest first, each once."""
        return tuple(
            dict.fromkeys(CommitSha(one["sha"]) for one in self._deployed(environment, sha))
        )

    def deployment(self, environment: str, sha: CommitSha | None = None) -> CommitReport | None:
        """The newest status of an environment's newest deployment, or of the newest of `sha`.

        None where there is no deployment yet; a report with an empty state where it has no status.
        """
        for one in self._deployed(environment, sha):
            found = self._api.get(
                f"/deployments/{one['id']}/statuses",
                {"per_page": "1"},
                permission="deployments: read",
            )
            statuses: list[Any] = found if isinstance(found, list) else []
            newest = statuses[0] if statuses else {"state": "", "created_at": one["created_at"]}
            return _report(CommitSha(one["sha"]), newest)
        return None

    def commits(
        self, branch: str, path: PurePosixPath | None = None, count: int = 50
    ) -> tuple[CommitSha, ...]:
        """The newest commits of a branch, newest first; with `path` those that touched it.

        `branch` may be a commit SHA; nothing where there is no such branch.
        """
        params = {"sha": branch, "per_page": str(count)} | ({"path": str(path)} if path else {})
        found = self._api.get("/commits", params, permission="contents: read")
        return tuple(CommitSha(one["sha"]) for one in found) if isinstance(found, list) else ()

    def contains(self, ancestor: CommitSha, revision: CommitSha) -> bool | None:
        """Whether `revision` is `ancestor` or a descendant of it; None where that is not known."""
        if ancestor == revision:
            return True
        if (ancestor, revision) not in self._contained:
            # From the second page on the answer has no files.
            found = self._api.get(
                f"/compare/{ancestor}...{revision}",
                {"per_page": "1", "page": "2"},
                permission="contents: read",
            )
            if not isinstance(found, dict) or found.get("status") not in _CONTAINED:
                return None
            self._contained[ancestor, revision] = _CONTAINED[found["status"]]
        return self._contained[ancestor, revision]

    def changed_paths(self, base: CommitSha, head: CommitSha) -> frozenset[PurePosixPath] | None:
        """The files that differ between two commits; None where that is not known.

        GitHub tells at most 300 of them, and only of a commit and its ancestor.
        """
        found = self._api.get(f"/compare/{base}...{head}", permission="contents: read")
        if not isinstance(found, dict) or not _CONTAINED.get(found["status"]):
            return None
        files = found.get("files") or []
        if len(files) >= _MOST_FILES:
            return None
        names = {name for one in files for name in (one["filename"], one.get("previous_filename"))}
        return frozenset(PurePosixPath(name) for name in names if name)

    def trailers(self, head: CommitSha, text: str) -> tuple[Mapping[str, str], ...]:
        """The trailers of commits up to `head` whose message has `text`: newest first, a few.

        Only the newest 500 commits are looked at; nothing where `head` is not known.
        """
        after: str | None = None
        for _ in range(_PAGES):
            data = self._api.ask(
                _HISTORY, {"oid": str(head), "after": after}, permission="contents: read"
            )
            if data.problems:
                raise self._api.refused(data, "contents: read")
            commit = data.values["repository"]["object"] or {}
            if "history" not in commit:
                return ()
            history = commit["history"]
            found = [one["message"] for one in history["nodes"] if text in one["message"]]
            if found or not history["pageInfo"]["hasNextPage"]:
                return tuple(_trailers(message) for message in found[:_FEW])
            after = history["pageInfo"]["endCursor"]
        return ()

    def default_branch(self) -> str:
        """The branch that `HEAD` stands for."""
        found = self._api.get("", permission="contents: read")
        return str(found["default_branch"]) if isinstance(found, dict) else ""

    def _deployed(self, environment: str, sha: CommitSha | None) -> list[Any]:
        params = {"environment": environment, "per_page": "30"} | ({"sha": str(sha)} if sha else {})
        found = self._api.get("/deployments", params, permission="deployments: read")
        return found if isinstance(found, list) else []


def _trailers(message: str) -> dict[str, str]:
    """Those of the last paragraph, as `git interpret-trailers` has it."""
    last = message.strip().rpartition("\n\n")[2]
    return dict(line.split(": ", 1) for line in last.splitlines() if ": " in line)


def _report(sha: CommitSha, found: dict[str, Any]) -> CommitReport:
    return CommitReport(
        sha=sha,
        state=str(found["state"]),
        description=str(found.get("description") or ""),
        url=str(found.get("target_url") or found.get("log_url") or ""),
        time=str(found.get("created_at") or ""),
    )
