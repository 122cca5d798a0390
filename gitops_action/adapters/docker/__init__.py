"""The door to what builds Dockerfiles: the runner's engine, or a BuildKit elsewhere."""

from gitops_action.adapters.docker.engine import Docker
from gitops_action.adapters.docker.remote import BuildKit

__all__ = ["BuildKit", "Docker"]
