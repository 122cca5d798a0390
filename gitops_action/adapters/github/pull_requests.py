"""Pull requests: one for each pair of branches, updated in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_action.adapters.github.api import UnansweredError
from gitops_action.errors import GitOpsAccessError
from gitops_action.model.pull_request import PullRequest, PullRequestState
from gitops_action.model.source import CommitSha

if TYPE_CHECKING:
    from gitops_action.adapters.github.api import Data, GitHubApi
    from gitops_action.model.pull_request import Proposal

_READ, _WRITE = "pull-requests: read", "pull-requests: write"
_PULL = (
    "id number url state isCrossRepository baseRefName headRefOid mergeCommit{oid}"
    " autoMergeRequest{mergeMethod} author{__typename login}"
)
_FIND = f"""
query($owner:String!,$name:String!,$head:String!,$base:String!){{
  repository(owner:$owner,name:$name){{
    id
    pullRequests(headRefName:$head,baseRefName:$base,states:[OPEN],first:20){{nodes{{{_PULL}}}}}
  }}
}}
"""
_ASK = f"""
query($owner:String!,$name:String!,$number:Int!){{repository(owner:$owner,name:$name){{
  viewerDefaultMergeMethod pullRequest(number:$number){{{_PULL}}}
}}}}
"""
_OPEN = f"""
mutation($input:CreatePullRequestInput!){{createPullRequest(input:$input){{pullRequest{{{_PULL}}}}}}}
"""
_EDIT = f"""
mutation($input:UpdatePullRequestInput!){{updatePullRequest(input:$input){{pullRequest{{{_PULL}}}}}}}
"""
_LATER = """
mutation($input:EnablePullRequestAutoMergeInput!){
  enablePullRequestAutoMerge(input:$input){clientMutationId}
}
"""
_NOW = """
mutation($input:MergePullRequestInput!){mergePullRequest(input:$input){clientMutationId}}
"""
# Nothing is left to wait for: https://github.com/peter-evans/enable-pull-request-automerge/issues/343
_READY = ("clean status", "unstable status")
# The author of what a job's own token makes; anybody else is a user, or a bot of another name.
_JOB = {"__typename": "Bot", "login": "github-actions"}
_NOT_ALLOWED = "Auto merge is not allowed"


class PullRequests:
    """The pull requests of one repository.

    Methods raise GitOpsAccessError, GitOpsUnavailableError, GitOpsError and CancelledError.
    """

    def __init__(self, api: GitHubApi) -> None:
        self._api = api

    def propose(self, proposal: Proposal) -> PullRequest:
        """Open the pull request, or let the open one read as proposed."""
        found = self._found(proposal)
        open_now = _ours(found)
        pull = self._edit(open_now, proposal) if open_now else self._open(found["id"], proposal)
        if proposal.labels:
            self._api.make(
                f"/issues/{pull.number}/labels",
                {"labels": list(proposal.labels)},
                permission=_WRITE,
            )
        return pull

    def find(self, branch: str, base: str) -> PullRequest | None:
        """The open pull request from one branch of this repository to another."""
        data = self._api.ask(_FIND, {"head": branch, "base": base}, permission=_READ)
        return _ours(self._repository(data))

    def read(self, number: int) -> PullRequest:
        """The pull request as it is now."""
        return _pull(self._asked(number)["pullRequest"])

    def merge_when_ready(self, pull: PullRequest) -> None:
        """Let GitHub merge it as soon as its requirements are met, which may be now.

        Raises PushRefusedError where a rule is in the way, GitOpsAccessError where the repository
        does not allow it.
        """
        asked = self._asked(pull.number)
        now = _pull(asked["pullRequest"])
        if now.merges_itself or now.state is not PullRequestState.OPEN:
            return
        wanted = {
            "pullRequestId": now.id,
            "expectedHeadOid": str(pull.head),
            "mergeMethod": asked["viewerDefaultMergeMethod"],
        }
        data = self._api.ask(_LATER, {"input": wanted}, permission=_WRITE)
        if any(ready in one.message for one in data.problems for ready in _READY):
            data = self._api.ask(_NOW, {"input": wanted}, permission=_WRITE)
        if any(_NOT_ALLOWED in one.message for one in data.problems):
            raise GitOpsAccessError(
                f"The repository {self._api.repository} does not allow auto-merge: {pull.url} "
                "waits for somebody to merge it.",
                hint='Tick "Allow auto-merge" in the repository\'s Settings, General, '
                '"Pull Requests", or leave out `pull-request-auto-merge`.',
            )
        if data.problems and self.read(pull.number).state is PullRequestState.OPEN:
            raise self._api.refused(data, f"contents: write\n  {_WRITE}")

    def _found(self, proposal: Proposal) -> dict[str, Any]:
        asked = {"head": proposal.branch, "base": proposal.base}
        return self._repository(self._api.ask(_FIND, asked, permission=_WRITE))

    def _open(self, repository_id: str, proposal: Proposal) -> PullRequest:
        asked = {
            "repositoryId": repository_id,
            "headRefName": proposal.branch,
            "baseRefName": proposal.base,
            "title": proposal.title,
            "body": proposal.body,
        }
        try:
            data = self._api.change(_OPEN, {"input": asked}, permission=_WRITE)
            if not data.problems:
                return _pull(data.values["createPullRequest"]["pullRequest"])
            why = self._api.refused(data, _WRITE)
        except UnansweredError as error:
            why = error.why
        # Another run may have opened it a moment ago, or we did and heard nothing.
        there = _ours(self._found(proposal))
        if there is None:
            raise why
        return self._edit(there, proposal)

    def _edit(self, pull: PullRequest, proposal: Proposal) -> PullRequest:
        asked = {"pullRequestId": pull.id, "title": proposal.title, "body": proposal.body}
        data = self._api.ask(_EDIT, {"input": asked}, permission=_WRITE)
        if data.problems:
            raise self._api.refused(data, _WRITE)
        return _pull(data.values["updatePullRequest"]["pullRequest"])

    def _asked(self, number: int) -> dict[str, Any]:
        return self._repository(self._api.ask(_ASK, {"number": number}, permission=_READ))

    def _repository(self, data: Data) -> dict[str, Any]:
        if data.problems or not data.values.get("repository"):
            raise self._api.refused(data, _READ)
        found: dict[str, Any] = data.values["repository"]
        return found


def _ours(found: dict[str, Any]) -> PullRequest | None:
    """The one that does not come from a fork, whose branch may have the same name."""
    nodes = [one for one in found["pullRequests"]["nodes"] if not one["isCrossRepository"]]
    return _pull(nodes[0]) if nodes else None


def _pull(found: dict[str, Any]) -> PullRequest:
    merged = found["mergeCommit"] if found["state"] == "MERGED" else None
    return PullRequest(
        id=found["id"],
        number=found["number"],
        url=found["url"],
        state=PullRequestState[found["state"]],
        base=found["baseRefName"],
        head=CommitSha(found["headRefOid"]),
        merge_commit=CommitSha(merged["oid"]) if merged else None,
        merges_itself=bool(found["autoMergeRequest"]),
        by_job_token=found["author"] == _JOB,
    )
