"""Stage 4: the GitOps branch asks for the new tag.

`promote` makes the edit and lands it, `guard` says whether what is deployed is newer.
"""

from gitops_action.stages.promote.guard import CommitLog, Guard, Images, SourceHistory
from gitops_action.stages.promote.message import commit_message
from gitops_action.stages.promote.promote import Clock, GitOpsRepository, promote
from gitops_action.stages.promote.request import Ending, PromoteRequest, PromoteResult

__all__ = [
    "Clock",
    "CommitLog",
    "Ending",
    "GitOpsRepository",
    "Guard",
    "Images",
    "PromoteRequest",
    "PromoteResult",
    "SourceHistory",
    "commit_message",
    "promote",
]
