"""A real kube-apiserver with its etcd, and nothing behind it: no controllers, no nodes."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from tests.systems.processes import certificate, free_port, listens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.systems.processes import Processes

Document = dict[str, Any]

TOKEN = "admin-of-the-tests"
_START_SECONDS = 90.0
_GROUPS = {
    "Application": "/apis/argoproj.io/v1alpha1",
    "AppProject": "/apis/argoproj.io/v1alpha1",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1",
    "Deployment": "/apis/apps/v1",
    "ReplicaSet": "/apis/apps/v1",
}
_CLUSTER_WIDE = {"CustomResourceDefinition", "Namespace"}


@dataclass(frozen=True)
class Kubernetes:
    """The API at `address`, whose certificate is in the file `ca`, as its administrator."""

    address: str
    ca: str

    def request(self, method: str, path: str, **more: Any) -> requests.Response:  # noqa: ANN401
        return requests.request(
            method,
            self.address + path,
            headers={"Authorization": f"Bearer {TOKEN}", **more.pop("headers", {})},
            verify=self.ca,
            timeout=30,
            **more,
        )

    def get(self, kind: str, namespace: str, name: str) -> Document:
        answer = self.request("GET", path_of(kind, namespace, name))
        answer.raise_for_status()
        return dict(answer.json())

    def list(self, kind: str, namespace: str) -> list[Document]:
        answer = self.request("GET", path_of(kind, namespace))
        answer.raise_for_status()
        return list(answer.json()["items"])

    def apply(self, document: Document | str, namespace: str = "") -> None:
        """Apply server-side what must be there; text is YAML, of which only the head is read."""
        text = document if isinstance(document, str) else json.dumps(document)
        kind, name = _identity(text) if isinstance(document, str) else _names(document)
        answer = self.request(
            "PATCH",
            path_of(kind, namespace, name),
            params={"fieldManager": "tests", "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            data=text.encode(),
        )
        assert answer.ok, answer.text

    def patch(self, kind: str, namespace: str, name: str, change: Document, sub: str = "") -> None:
        """Merge `change` into an object, or into its subresource `sub`."""
        answer = self.request(
            "PATCH",
            path_of(kind, namespace, name) + (f"/{sub}" if sub else ""),
            headers={"Content-Type": "application/merge-patch+json"},
            data=json.dumps(change),
        )
        assert answer.ok, answer.text

    def delete(self, kind: str, namespace: str, name: str) -> None:
        options = {"gracePeriodSeconds": "0"}  # no kubelet would end a pod
        answer = self.request("DELETE", path_of(kind, namespace, name), params=options)
        assert answer.ok, answer.text

    def changes(
        self, kind: str, namespace: str, name: str, version: str, seconds: int
    ) -> Iterator[Document]:
        """Each later state of one object as it happens, for some seconds."""
        with self.request(
            "GET",
            path_of(kind, namespace),
            params={
                "watch": "1",
                "fieldSelector": f"metadata.name={name}",
                "resourceVersion": version,
                "timeoutSeconds": str(seconds),
            },
            stream=True,
        ) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines(chunk_size=None):
                yield json.loads(line)


def path_of(kind: str, namespace: str, name: str = "") -> str:
    group = _GROUPS.get(kind, "/api/v1")
    within = "" if kind in _CLUSTER_WIDE else f"/namespaces/{namespace}"
    plural = f"{kind.lower()}s"
    return f"{group}{within}/{plural}" + (f"/{name}" if name else "")


def _names(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def _identity(text: str) -> tuple[str, str]:
    """Kind and name as they stand in a manifest's own lines."""
    lines = text.splitlines()
    kind = next(line for line in lines if line.startswith("kind: "))
    name = next(line for line in lines if line.startswith("  name: "))
    return kind.removeprefix("kind: "), name.removeprefix("  name: ")


def start_kubernetes(processes: Processes, programs: Path) -> Kubernetes:
    """Start etcd and kube-apiserver with their data below the processes' folder."""
    folder = processes.folder
    client, peer = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    processes.start(
        "etcd",
        [
            *(str(programs / "etcd"), "--data-dir", str(folder / "etcd-data")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"default={peer}", "--unsafe-no-fsync"),
        ],
    )
    pem, key = certificate(folder, "kubernetes")
    signing, public = folder / "accounts.key", folder / "accounts.pub"
    subprocess.run(
        ["openssl", "genrsa", "-out", str(signing), "2048"], check=True, capture_output=True
    )
    command = ["openssl", "rsa", "-in", str(signing), "-pubout", "-out", str(public)]
    subprocess.run(command, check=True, capture_output=True)
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{TOKEN},admin,admin,"system:masters"\n')
    port = free_port()
    processes.start(
        "kube-apiserver",
        [
            *(str(programs / "kube-apiserver"), f"--etcd-servers={client}"),
            *(f"--cert-dir={folder}", f"--tls-cert-file={pem}", f"--tls-private-key-file={key}"),
            *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={port}"),
            "--service-cluster-ip-range=10.96.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={signing}",
            f"--token-auth-file={tokens}",
            "--endpoint-reconciler-type=none",
            "--authorization-mode=AlwaysAllow",
            "--disable-admission-plugins=ServiceAccount",
        ],
    )
    kubernetes = Kubernetes(f"https://127.0.0.1:{port}", str(pem))
    processes.await_that(
        "kube-apiserver",
        lambda: listens(port) and kubernetes.request("GET", "/readyz").ok,
        _START_SECONDS,
    )
    return kubernetes
