"""What kubelets and controllers would do to Deployments, where there are none."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tests.systems.kubernetes import Document, Kubernetes

_LOOK_SECONDS = 0.1


class DeploymentController:
    """Rolls out every Deployment of a namespace after `seconds`, as long as the block lasts.

    `broken` image tags never become available: their progress deadline is past at once.
    """

    def __init__(self, kubernetes: Kubernetes, namespace: str, *, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.broken: set[str] = set()
        self._kubernetes = kubernetes
        self._namespace = namespace
        self._seen: dict[tuple[str, int], float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._control)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _control(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            for deployment in self._kubernetes.list("Deployment", self._namespace):
                self._advance(deployment)

    def _advance(self, deployment: Document) -> None:
        name, generation = deployment["metadata"]["name"], deployment["metadata"]["generation"]
        if deployment.get("status", {}).get("observedGeneration") == generation:
            return
        since = self._seen.setdefault((name, generation), time.monotonic())
        if time.monotonic() - since < self.seconds:
            return
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        replicas = deployment["spec"]["replicas"]
        broken = image.rpartition(":")[2] in self.broken
        status = _past_deadline(replicas) if broken else _available(replicas)
        self._run(deployment, f"{name}-{generation}", image)
        change = {"status": {"observedGeneration": generation, **status}}
        self._kubernetes.patch("Deployment", self._namespace, name, change, "status")

        if not broken:
            self._end_others(f"{name}-{generation}")

    def _run(self, deployment: Document, name: str, image: str) -> None:
        """Make a pod, of which Argo CD reads the image that runs."""
        owner = {key: deployment["metadata"][key] for key in ("name", "uid")}
        owner |= {"apiVersion": "apps/v1", "kind": "Deployment"}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "shop", "image": image}]},
        }
        self._kubernetes.apply(pod, self._namespace)

    def _end_others(self, kept: str) -> None:
        for pod in self._kubernetes.list("Pod", self._namespace):
            if pod["metadata"]["name"] != kept:
                self._kubernetes.delete("Pod", self._namespace, pod["metadata"]["name"])


def _available(replicas: int) -> Document:
    return {
        **dict.fromkeys(
            ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas
        ),
        "unavailableReplicas": None,
        "conditions": [
            {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ],
    }


def _past_deadline(replicas: int) -> Document:
    return {
        "replicas": replicas + 1,
        "updatedReplicas": 1,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
        "unavailableReplicas": 1,
        "conditions": [
            {
                "type": "Progressing",
                "status": "False",
                "reason": "ProgressDeadlineExceeded",
                "message": 'ReplicaSet "shop-1" has timed out progressing.',
            },
        ],
    }
