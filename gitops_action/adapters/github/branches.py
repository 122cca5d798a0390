"""Branches through GraphQL: commits that GitHub signs, and moves by compare-and-swap."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from gitops_action.adapters.github.api import UnansweredError
from gitops_action.errors import ActionError, CancelledError, GitOpsAccessError, GitOpsError
from gitops_action.model.source import CommitSha

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePosixPath

    from gitops_action.adapters.github.api import Data, GitHubApi
    from gitops_action.model.change import Change

_READ, _WRITE = "contents: read", "contents: write"
_NOWHERE = "0" * 40
_HEAD = """
query($owner:String!,$name:String!,$ref:String!){repository(owner:$owner,name:$name){
  id viewerPermission
  ref(qualifiedName:$ref){target{oid ...on Commit{message parents(first:2){nodes{oid}}}}}
}}
"""
_TREE = """
query($owner:String!,$name:String!,$oid:GitObjectID!){repository(owner:$owner,name:$name){
  object(oid:$oid){...on Commit{tree{oid}}}
}}
"""
_COMMIT = """
mutation($input:CreateCommitOnBranchInput!){createCommitOnBranch(input:$input){commit{oid}}}
"""
_SWAP = "mutation($input:UpdateRefsInput!){updateRefs(input:$input){clientMutationId}}"
_WRITERS = {"ADMIN", "MAINTAIN", "WRITE"}


class Branches:
    """The branches of one repository."""

    def __init__(self, api: GitHubApi) -> None:
        self._api = api

    def head(self, branch: str) -> CommitSha | None:
        """The branch's newest commit; None where there is no such branch."""
        found = self._ask(branch)["ref"]
        return CommitSha(found["target"]["oid"]) if found else None

    def require_right(self) -> None:
        """Raise GitOpsAccessError where the token's owner may only read."""
        permission = self._ask("")["viewerPermission"]
        if permission is not None and permission not in _WRITERS:
            raise GitOpsAccessError(
                f"The token may only read {self._api.repository}.",
                hint="Give the job's token the right to write:\npermissions:\n  contents: write",
            )

    def commit(self, change: Change, branch: str) -> CommitSha | None:
        """Commit to the branch; None where it was no longer at the change's parent."""
        headline, _, body = change.message.partition("\n")
        additions = [
            {"path": str(path), "contents": base64.b64encode(content).decode()}
            for path, content in change.files.items()
        ]
        asked = {
            "branch": {
                "repositoryNameWithOwner": self._api.repository,
                "branchName": branch,
            },
            "expectedHeadOid": str(change.parent),
            "message": {"headline": headline, "body": body.strip("\n")},
            "fileChanges": {"additions": additions},
        }
        try:
            data = self._api.mutate(_COMMIT, {"input": asked}, permission=_WRITE)
        except UnansweredError as error:
            return self._landed(change, branch, error)
        made = data.values.get("createCommitOnBranch")
        if made:
            return CommitSha(made["commit"]["oid"])
        if any(one.kind == "STALE_DATA" for one in data.problems):
            return None
        if self.head(branch) is None:
            raise GitOpsError(
                f"The branch {branch} of {self._api.repository} was deleted meanwhile: nothing was "
                "committed.",
                hint="Name a branch in `gitops-branch` that stays.",
            )
        raise self._api.refused(data, _WRITE)

    def replace(
        self, change: Change, modes: Mapping[PurePosixPath, str], branch: str
    ) -> CommitSha | None:
        """Let the branch be the change's parent and one commit; None where it moved meanwhile.

        Made without `createCommitOnBranch`, for which the branch would have to be set back first:
        GitHub closes a pull request as soon as its branch has no commit of its own. GitHub signs
        this one where the token is an App's or a job's: https://docs.github.com/en/authentication/
        managing-commit-signature-verification/about-commit-signature-verification
        """
        before = self._ask(branch)
        found = before["ref"]
        commit = self._dangling(change, modes)
        head = CommitSha(found["target"]["oid"]) if found else None
        return commit if self._swap(branch, before["id"], head, commit) else None

    def _dangling(self, change: Change, modes: Mapping[PurePosixPath, str]) -> CommitSha:
        """Make a commit that is on no branch; doing so twice does no harm."""
        data = self._api.query(_TREE, {"oid": str(change.parent)}, permission=_READ)
        if data.problems:
            raise self._api.refused(data, _READ)
        base = data.values["repository"]["object"]["tree"]["oid"]
        entries = [
            {
                "path": str(path),
                "mode": modes.get(path, "100644"),
                "type": "blob",
                "content": content.decode(),
            }
            for path, content in change.files.items()
        ]
        tree = self._api.make("/git/trees", {"base_tree": base, "tree": entries}, permission=_WRITE)
        commit = self._api.make(
            "/git/commits",
            {"message": change.message, "tree": tree["sha"], "parents": [str(change.parent)]},
            permission=_WRITE,
        )
        return CommitSha(commit["sha"])

    def _swap(
        self, branch: str, repository_id: str, before: CommitSha | None, after: CommitSha
    ) -> bool:
        """Move the branch, or make it where `before` is None; False where it was elsewhere."""
        update = {
            "name": f"refs/heads/{branch}",
            "beforeOid": str(before or _NOWHERE),
            "afterOid": str(after),
            "force": True,
        }
        asked = {"repositoryId": repository_id, "refUpdates": [update]}
        try:
            data = self._api.mutate(_SWAP, {"input": asked}, permission=_WRITE)
            if not data.problems:
                return True
            problem = self._api.refused(data, _WRITE)
        except UnansweredError as error:
            problem = error.why
        # GitHub's refusal does not say that the branch was elsewhere:
        # https://github.com/orgs/community/discussions/213655
        now = self.head(branch)
        if now == before:
            raise problem
        return now == after

    def _landed(self, change: Change, branch: str, error: UnansweredError) -> CommitSha | None:
        """Find out whether a commit that got no answer is on the branch all the same.

        None where the branch is elsewhere: whoever starts over from its head finds out.
        """
        doubt = (
            f"The commit to {branch} got no answer, and it is not known whether it landed. "
            f"{error.why.message}"
        )
        hint = f"Look whether {branch} has this commit; running the job again is safe."
        try:
            target = self._ask(branch)["ref"]["target"]
        except CancelledError as cancelled:
            raise CancelledError(doubt, hint=hint) from cancelled
        except (ActionError, TypeError) as unknown:
            raise GitOpsError(doubt, hint=hint) from unknown
        parents = [one["oid"] for one in target["parents"]["nodes"]]
        ours = (
            parents == [str(change.parent)] and target["message"].strip() == change.message.strip()
        )
        return CommitSha(target["oid"]) if ours else None

    def _ask(self, branch: str) -> dict[str, Any]:
        data: Data = self._api.query(_HEAD, {"ref": f"refs/heads/{branch}"}, permission=_READ)
        if data.problems or not data.values.get("repository"):
            raise self._api.refused(data, _READ)
        found: dict[str, Any] = data.values["repository"]
        return found
