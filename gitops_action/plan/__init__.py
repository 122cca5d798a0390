"""Every name, tag, path, message and deadline of the run, decided before anything is touched."""

from gitops_action.plan.run import Plan, make_plan, registry_credentials

__all__ = ["Plan", "make_plan", "registry_credentials"]
