"""Stage 5: Argo CD reports the commit deployed.

`verdict` says what one document means, `wait` asks for documents until one says enough.
"""

from gitops_action.model.wait import ApplicationName, WaitFor
from gitops_action.stages.sync.lineage import Ancestry
from gitops_action.stages.sync.request import (
    ApplicationResult,
    ResourceStatus,
    SyncRequest,
    SyncResult,
)
from gitops_action.stages.sync.wait import ArgoCD, Clock, sync

__all__ = [
    "Ancestry",
    "ApplicationName",
    "ApplicationResult",
    "ArgoCD",
    "Clock",
    "ResourceStatus",
    "SyncRequest",
    "SyncResult",
    "WaitFor",
    "sync",
]
