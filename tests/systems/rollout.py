"""One Application of a real Argo CD: its repository, its namespace, and who acts on them."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.systems.argocd import Installation
    from tests.systems.git_server import GitServer
    from tests.systems.kubernetes import Document, Kubernetes

PATH = "overlays/dev"
IMAGE = "ghcr.io/acme/shop"
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
# No port has this number: the API server refuses the Service, the Deployment is applied.
REFUSED = {f"{PATH}/service.yaml": SERVICE.replace("port: 80", "port: 70000")}


def kustomization(tag: str) -> str:
    """The file that a promotion edits."""
    return (
        "resources:\n  - deployment.yaml\n  - service.yaml\n"
        f'images:\n  - name: shop\n    newName: {IMAGE}\n    newTag: "{tag}"\n'
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


def operation(document: Document) -> Document:
    """The `status.operationState`, empty where there is none."""
    return dict(document.get("status", {}).get("operationState") or {})


def revision(document: Document) -> str:
    """The `status.sync.revision`, empty where there is none."""
    return str(document.get("status", {}).get("sync", {}).get("revision", ""))


def is_retrying(document: Document) -> bool:
    """Whether an operation failed, and Argo CD waits to try it again."""
    return "retryCount" in operation(document)


def deployed(sha: str) -> Callable[[Document], bool]:
    """The truth: this commit is applied and healthy, and nothing is going on."""

    def true(document: Document) -> bool:
        status = document.get("status", {})
        sync = status.get("sync", {})
        return (
            sync.get("status") == "Synced"
            and sha in (sync.get("revision"), *sync.get("revisions", ()))
            and status.get("health", {}).get("status") == "Healthy"
            and "operation" not in document
            and operation(document).get("phase") not in {"Running", "Terminating"}
            and not _failed_at(sha, operation(document))
        )

    return true


def _failed_at(sha: str, last: Document) -> bool:
    """Whether the last operation brought this commit, in vain."""
    asked = last.get("operation", {}).get("sync", {})
    return last.get("phase") != "Succeeded" and sha in (
        asked.get("revision"),
        *asked.get("revisions", ()),
    )


@contextmanager
def rollout(  # noqa: PLR0913  an Application has this many sides
    installation: Installation,
    git: GitServer,
    name: str,
    *,
    sync_policy: Document | None = None,
    second_source: bool = False,
    overrides: Sequence[str] = (),
    beside: Rollout | None = None,
) -> Iterator[Rollout]:
    """Make an Application that is about to deploy tag `1.0.0`.

    Its second source is another repository. `overrides` are images that it sets itself. `beside`
    another Application it follows the same folder.
    """
    kubernetes = installation.kubernetes
    repository = beside.repository if beside else f"acme/{name}"
    if not beside:
        git.create(
            repository,
            {
                f"{PATH}/kustomization.yaml": kustomization("1.0.0"),
                f"{PATH}/deployment.yaml": DEPLOYMENT,
                f"{PATH}/service.yaml": SERVICE,
            },
        )
    one = Rollout(installation=installation, git=git, name=name, repository=repository)
    kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kubernetes.apply(_credentials(one), installation.namespace)
    ours: Document = {"repoURL": one.url, "path": PATH, "targetRevision": "main"}
    if overrides:
        ours["kustomize"] = {"images": list(overrides)}
    spec: dict[str, Any] = {
        "project": "default",
        "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
        **({"sources": [_settings_of(one), ours]} if second_source else {"source": ours}),
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


def _settings_of(one: Rollout) -> Document:
    """Another repository, with a ConfigMap in it; gives the source."""
    repository = f"{one.repository}-settings"
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n"
    one.git.create(repository, {"settings/settings.yaml": f"{head}data:\n  colour: blue\n"})
    source = replace(one, name=f"{one.name}-settings", repository=repository)
    one.kubernetes.apply(_credentials(source), one.installation.namespace)
    return {"repoURL": source.url, "path": "settings", "targetRevision": "main"}


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
