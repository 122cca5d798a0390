"""Stage 4: the GitOps branch asks for the new tag.

`landing` makes the edit and lands it at whatever head, `guard` says whether what is deployed is
newer.
"""

from gitops_action.stages.promote.echo import Repository as EchoRepository
from gitops_action.stages.promote.echo import find_echo
from gitops_action.stages.promote.guard import CommitLog, Guard, Images, SourceHistory
from gitops_action.stages.promote.landing import Clock, GitOpsRepository
from gitops_action.stages.promote.message import commit_message
from gitops_action.stages.promote.promote import promote
from gitops_action.stages.promote.proposal import GitHub
from gitops_action.stages.promote.request import REVERT, Ending, PromoteRequest, PromoteResult
from gitops_action.stages.promote.revert import before, revert

__all__ = [
    "REVERT",
    "Clock",
    "CommitLog",
    "EchoRepository",
    "Ending",
    "GitHub",
    "GitOpsRepository",
    "Guard",
    "Images",
    "PromoteRequest",
    "PromoteResult",
    "SourceHistory",
    "before",
    "commit_message",
    "find_echo",
    "promote",
    "revert",
]
