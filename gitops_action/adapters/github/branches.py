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
  ref(qualifiedName:$ref){target{oid ...on Commit{message tree{oid} parents(first:2){nodes{oid}}}}}
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
        data, doubtful = None, False
        patience = self._api.patience()
        while data is None:
            try:
                data = self._api.change(_COMMIT, {"input": asked}, permission=_WRITE)
            except UnansweredError as error:
                doubtful = True
                at_parent, landed = self._landed(change, branch, error)
                if not at_parent:
                    return landed
                # Again, at no risk: only one of both can find the branch where it must be.
                patience.wait(None, error.why)
        made = data.values.get("createCommitOnBranch")
        if made:
            return CommitSha(made["commit"]["oid"])
        if any(one.kind == "STALE_DATA" for one in data.problems):
            return self._landed(change, branch, None)[1] if doubtful else None
        if self.head(branch) is None:
            raise GitOpsError(
                f"The branch {branch} of {self._api.repository} was deleted meanwhile: nothing was "
                "committed.",
                hint="Name a branch in `gitops-branch` that stays.",
            )
        raise self._api.refused(data, _WRITE)

    def replace(
        self,
        change: Change,
        modes: Mapping[PurePosixPath, str],
        branch: str,
        before: CommitSha | None,
    ) -> CommitSha | None:
        """Let the branch be the change's parent and one commit; None where it is not at `before`.

        A branch that is so already is left as it is, with the checks that ran on it.

        Made without `createCommitOnBranch`, for which the branch would have to be set back first:
        GitHub closes a pull request as soon as its branch has no commit of its own. GitHub signs
        this one where the token is an App's or a job's: https://docs.github.com/en/authentication/
        managing-commit-signature-verification/about-commit-signature-verification
        """
        asked = self._ask(branch)
        target = asked["ref"]["target"] if asked["ref"] else None
        head = CommitSha(target["oid"]) if target else None
        if before not in {None, head}:
            return None
        tree = self._tree(change, modes)
        if target and (target["tree"]["oid"], _parents(target)) == (tree, [str(change.parent)]):
            return head
        made = self._api.make(
            "/git/commits",
            {"message": change.message, "tree": tree, "parents": [str(change.parent)]},
            permission=_WRITE,
        )
        commit = CommitSha(made["sha"])
        return commit if self._swap(branch, asked["id"], head, commit) else None

    def _tree(self, change: Change, modes: Mapping[PurePosixPath, str]) -> str:
        """Make the tree that differs from the parent's in the change's files."""
        data = self._api.ask(_TREE, {"oid": str(change.parent)}, permission=_READ)
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
        return str(tree["sha"])

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
            data = self._api.change(_SWAP, {"input": asked}, permission=_WRITE)
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

    def _landed(
        self, change: Change, branch: str, error: UnansweredError | None
    ) -> tuple[bool, CommitSha | None]:
        """Look whether the branch is still at the change's parent, or else at our commit."""
        try:
            target = self._ask(branch)["ref"]["target"]
        except (ActionError, TypeError) as unknown:
            kind = CancelledError if isinstance(unknown, CancelledError) else GitOpsError
            raise kind(
                f"The commit to {branch} got no answer, and it is not known whether it landed."
                + (f" {error.why.message}" if error else ""),
                hint=f"Look whether {branch} has this commit; running the job again is safe.",
            ) from unknown
        parents = [one["oid"] for one in target["parents"]["nodes"]]
        ours = (
            parents == [str(change.parent)] and target["message"].split() == change.message.split()
        )
        found = CommitSha(target["oid"])
        return found == change.parent, found if ours else None

    def _ask(self, branch: str) -> dict[str, Any]:
        data: Data = self._api.ask(_HEAD, {"ref": f"refs/heads/{branch}"}, permission=_READ)
        if data.problems or not data.values.get("repository"):
            raise self._api.refused(data, _READ)
        found: dict[str, Any] = data.values["repository"]
        return found


def _parents(commit: dict[str, Any]) -> list[str]:
    return [one["oid"] for one in commit["parents"]["nodes"]]
