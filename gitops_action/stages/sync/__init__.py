"""Stage 5: Argo CD reports the commit deployed.

`verdict` says what one document means, `wait` asks for documents until one says enough; `reported`
asks GitHub instead, where others report on the commit.
"""

from gitops_action.model.wait import ApplicationName, SyncMode, WaitFor
from gitops_action.stages.sync.reported import ReportedRequest, Reports, wait_for_report
from gitops_action.stages.sync.request import (
    ApplicationResult,
    Promoted,
    ResourceStatus,
    SyncRequest,
    SyncResult,
)
from gitops_action.stages.sync.wait import ArgoCD, Clock, History, sync

__all__ = [
    "ApplicationName",
    "ApplicationResult",
    "ArgoCD",
    "Clock",
    "History",
    "Promoted",
    "ReportedRequest",
    "Reports",
    "ResourceStatus",
    "SyncMode",
    "SyncRequest",
    "SyncResult",
    "WaitFor",
    "sync",
    "wait_for_report",
]
