"""The door to the runner's Docker engine: builds with BuildKit, keeps, pushes and removes."""

from gitops_action.adapters.docker.engine import Docker

__all__ = ["Docker"]
