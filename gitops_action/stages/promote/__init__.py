"""Stage 4: the GitOps branch asks for the new tag.

`landing` makes the edit and lands it at whatever head, `guard` says whether what is deployed is
newer.
"""

from gitops_action.stages.promote.guard import CommitLog, Guard, Images, SourceHistory
from gitops_action.stages.promote.landing import Clock, GitOpsRepository
from gitops_action.stages.promote.message import commit_message
from gitops_action.stages.promote.promote import promote
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
