"""The Go toolchain, and what keeps the code under test away from everything else."""

from gitops_action.adapters.go.isolation import can_isolate
from gitops_action.adapters.go.toolchain import Go

__all__ = ["Go", "can_isolate"]
