"""Argo CD's API, as far as a wait needs it."""

from gitops_action.adapters.argocd.client import ArgoCD

__all__ = ["ArgoCD"]
