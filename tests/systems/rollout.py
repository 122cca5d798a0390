"""One Application of a real Argo CD: its repository, its namespace, and who acts on them."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.systems.argocd import Installation
    from tests.systems.git_server import GitServer
    from tests.systems.kubernetes import Document, Kubernetes

PATH = "overlays/dev"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 1
  selector:
    matchLabels: {app: shop}
  template:
    metadata:
      labels: {app: shop}
    spec:
      containers:
        - name: shop
          image: shop
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: shop
spec:
  selector: {app: shop}
  ports:
    - port: 80
      targetPort: 8080
"""
_FIRST_SECONDS = 60.0
AUTOMATED: Document = {"automated": {"prune": True, "selfHeal": True}}


def kustomization(tag: str) -> str:
    """The file that a promotion edits."""
    return (
        "resources:\n  - deployment.yaml\n  - service.yaml\n"
        f'images:\n  - name: shop\n    newName: ghcr.io/acme/shop\n    newTag: "{tag}"\n'
    )


@dataclass(frozen=True)
class Moment:
    """A document of the Application and when it was written, on this process's clock."""

    seconds: float
    document: Document


@dataclass(kw_only=True)
class Rollout:
    """One Application, named as its namespace; `moments` are all its documents in order."""

    installation: Installation
    git: GitServer
    name: str
    repository: str
    moments: list[Moment] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.git.url(self.repository)

    @property
    def kubernetes(self) -> Kubernetes:
        return self.installation.kubernetes

    def push(self, files: Mapping[str, str]) -> str:
        """Commit as the promotion does; return the SHA."""
        return self.git.commit(self.repository, files)

    def bump(self, tag: str) -> str:
        """Push a new tag; return the commit's SHA."""
        return self.push({f"{PATH}/kustomization.yaml": kustomization(tag)})

    @property
    def document(self) -> Document:
        return self.kubernetes.get("Application", self.installation.namespace, self.name)

    def refresh(self) -> None:
        """Ask for a refresh as its administrator, and wait for its end."""
        token = self.installation.tokens["ci"]
        path = f"/api/v1/applications/{self.name}?refresh=normal"
        self.installation.ask("GET", path, token)

    def settle(self) -> None:
        """Wait until the head of the branch is deployed."""
        true, deadline = deployed(self.git.head(self.repository)), time.monotonic() + _FIRST_SECONDS
        while not true(self.document):
            assert time.monotonic() < deadline, self.document.get("status")
            # The first comparison may have been made before Argo CD knew the credentials.
            if "ComparisonError" in str(self.document):
                self.refresh()
            time.sleep(0.1)

    def await_that(self, true: Callable[[Document], bool], seconds: float = 30.0) -> float:
        """Wait until a document says so; return when it was written."""
        deadline = time.monotonic() + seconds
        while True:
            for moment in self.moments:
                if true(moment.document):
                    return moment.seconds
            if time.monotonic() > deadline:
                raise TimeoutError(f"never seen; now {self.document.get('status')}")
            time.sleep(0.02)

    def final_since(self, true: Callable[[Document], bool], until: float) -> float:
        """When the documents began to say so without interruption up to `until`."""
        since = None
        for moment in self.moments:
            if moment.seconds <= until:
                since = (since or moment.seconds) if true(moment.document) else None
        assert since is not None, "Argo CD itself never came to this"
        return since


def deployed(sha: str) -> Callable[[Document], bool]:
    """The truth: this commit is applied and healthy, and nothing is going on."""

    def true(document: Document) -> bool:
        status = document.get("status", {})
        return (
            status.get("sync", {}).get("status") == "Synced"
            and status["sync"].get("revision") == sha
            and status.get("health", {}).get("status") == "Healthy"
            and "operation" not in document
            and status.get("operationState", {}).get("phase") == "Succeeded"
        )

    return true


@contextmanager
def rollout(  # noqa: PLR0913  an Application has this many sides
    installation: Installation,
    git: GitServer,
    name: str,
    *,
    sync_policy: Document | None = None,
    sources: Sequence[Document] = (),
    files: Mapping[str, str] | None = None,
    beside: Rollout | None = None,
) -> Iterator[Rollout]:
    """Make an Application that is about to deploy tag `v0`.

    `sources` come after its own one; `beside` another Application it follows the same folder.
    """
    kubernetes = installation.kubernetes
    repository = beside.repository if beside else f"acme/{name}"
    if not beside:
        git.create(
            repository,
            {
                f"{PATH}/kustomization.yaml": kustomization("v0"),
                f"{PATH}/deployment.yaml": DEPLOYMENT,
                f"{PATH}/service.yaml": SERVICE,
                **(files or {}),
            },
        )
    one = Rollout(installation=installation, git=git, name=name, repository=repository)
    kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kubernetes.apply(_credentials(one), installation.namespace)
    ours: Document = {"repoURL": one.url, "path": PATH, "targetRevision": "main"}
    spec: dict[str, Any] = {
        "project": "default",
        "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
        **({"sources": [ours, *sources]} if sources else {"source": ours}),
    }
    if sync_policy is None or sync_policy:
        spec["syncPolicy"] = AUTOMATED if sync_policy is None else sync_policy
    kubernetes.apply(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name},
            "spec": spec,
        },
        installation.namespace,
    )
    stopped = threading.Event()
    recorder = threading.Thread(target=_record, args=(one, stopped))
    recorder.start()
    try:
        yield one
    finally:
        stopped.set()
        recorder.join()


def _credentials(one: Rollout) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"repository-{one.name}",
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {
            "type": "git",
            "url": one.url,
            "username": "x-access-token",
            "password": one.git.token,
        },
    }


def _record(one: Rollout, stopped: threading.Event) -> None:
    """Keep every document of the Application with its moment."""
    document = one.document
    one.moments.append(Moment(time.monotonic(), document))
    while not stopped.is_set():
        version = document["metadata"]["resourceVersion"]
        place = (one.installation.namespace, one.name)
        for change in one.kubernetes.changes("Application", *place, version, 1):
            if change["type"] == "ERROR":
                return
            document = change["object"]
            if change["type"] != "DELETED":
                one.moments.append(Moment(time.monotonic(), document))
