"""What is known to help where a resource stays Progressing or Degraded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_action.model.argocd import Resource

# What each kind waits for; see https://argo-cd.readthedocs.io/en/stable/operator-manual/health/.
_WAITS_FOR = {
    "Ingress": "an address that its controller writes into `status.loadBalancer.ingress`. Some"
    " never do: let the controller publish it (Traefik: `providers.kubernetesIngress."
    "ingressEndpoint.publishedService`; ingress-nginx: `--publish-service`), or give Argo CD a"
    " health check of your own (`resource.customizations.health.networking.k8s.io_Ingress` in"
    " argocd-cm)",
    "Service": "a load balancer's address: the cluster needs a controller for Services of"
    " `type: LoadBalancer`",
    "PersistentVolumeClaim": "a volume: with `volumeBindingMode: WaitForFirstConsumer` for a pod"
    " that uses it, else for the storage class",
    "Deployment": "pods that are ready; it says so itself only after `progressDeadlineSeconds`,"
    " 10 minutes by default",
    "StatefulSet": "pods that are ready, one after the other",
    "DaemonSet": "a ready pod on every node",
    "Job": "its pod to end",
    "HorizontalPodAutoscaler": "metrics: look whether metrics-server answers",
    "Certificate": "its issuer: look at its CertificateRequest, Order and Challenge",
    "Rollout": "its own steps: a pause without an end is Suspended",
}


def advice(resources: Sequence[Resource]) -> str:
    """What the first of `resources` that is known waits for, as a sentence; else `""`."""
    for resource in resources:
        if resource.health == "Progressing" and resource.kind in _WAITS_FOR:
            article = "An" if resource.kind[0] in "AEIOU" else "A"
            return f"{article} {resource.kind} waits for {_WAITS_FOR[resource.kind]}."
    return ""
