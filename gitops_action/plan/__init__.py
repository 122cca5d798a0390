"""Every name, tag, path, message and deadline of the run, decided before anything is touched."""

from gitops_action.plan.gitops import gitops_token
from gitops_action.plan.run import Plan, make_plan, registry_credentials

__all__ = ["Plan", "gitops_token", "make_plan", "registry_credentials"]
