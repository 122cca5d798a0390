"""The Go toolchain, and what keeps the code under test away from everything else."""

from gitops_action.adapters.go.toolchain import Go
from gitops_action.adapters.isolation import can_isolate

__all__ = ["Go", "can_isolate"]
