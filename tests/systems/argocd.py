"""The real Argo CD as plain processes on loopback, over a real kube-apiserver."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from tests.systems.kubernetes import TOKEN, Kubernetes, path_of, start_kubernetes
from tests.systems.processes import certificate, free_port, listens, path_with

if TYPE_CHECKING:
    from tests.systems.processes import Processes

# The folder that `make argocd` builds, and what `tests/argocd/serve.py` started.
PROGRAMS = "GITOPS_ACTION_ARGOCD_PROGRAMS"
STARTED = "GITOPS_ACTION_ARGOCD"
VERSION = "GITOPS_ACTION_ARGOCD_VERSION"
_START_SECONDS = 90.0
_RIGHTS = """\
p, ci, applications, get, default/*, allow
p, ci, applications, sync, default/*, allow
p, reader, applications, get, default/*, allow
p, leaver, applications, get, default/*, allow
"""
ACCOUNTS = ("ci", "reader", "nobody", "leaver")


@dataclass(frozen=True, kw_only=True)
class Installation:
    """One Argo CD in one namespace; addresses are `host:port`, `url` is its API server's."""

    folder: str
    programs: str
    namespace: str
    kubernetes: Kubernetes
    redis: str
    repo_server: str = ""
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    def started(cls) -> Installation:
        """The one that the environment names; raises KeyError outside `tests/argocd/serve.py`."""
        values = json.loads(os.environ[STARTED])
        return cls(**{**values, "kubernetes": Kubernetes(**values["kubernetes"])})

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of Argo CD's processes, but for their role."""
        folder = Path(self.folder)
        return {
            "HOME": self.folder,
            "PATH": path_with(Path(self.programs)),
            "KUBECONFIG": str(folder / f"{self.namespace}.kubeconfig"),
            # https://kubernetes.default.svc means the cluster of the kubeconfig.
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_TLS_DATA_PATH": str(folder / "tls"),
            "ARGOCD_SSH_DATA_PATH": str(folder / "ssh"),
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_ASK_PASS_SOCK": str(folder / "ask-pass.sock"),
            "ARGOCD_SYNC_WAVE_DELAY": "0",
            "TMPDIR": self.folder,
        }

    def dumped(self) -> str:
        return json.dumps(asdict(self))

    def start(self, processes: Processes, role: str, *options: str) -> None:
        """Start one of Argo CD's processes, named by its role and this namespace."""
        processes.start(
            f"{self.namespace}-{role}",
            [f"{self.programs}/argocd", *options, "--redis", self.redis],
            {**self.environment, "ARGOCD_BINARY_NAME": f"argocd-{role}"},
        )

    def start_controller(self, processes: Processes) -> None:
        port = free_port()
        options = ("--repo-server", self.repo_server, "--metrics-port", str(port))
        self.start(processes, "application-controller", *options)
        name = f"{self.namespace}-application-controller"
        processes.await_that(name, lambda: listens(port), _START_SECONDS)

    def start_server(self, processes: Processes, port: int, *, tls: bool = False) -> str:
        """Start the API server at this port; return its URL once it answers."""
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        options = ["--port", str(port), "--metrics-port", str(free_port())]
        options += ["--repo-server", self.repo_server, "--address", "127.0.0.1"]
        self.start(processes, "server", *options, *([] if tls else ["--insecure"]))

        def answers() -> bool:
            # Whose certificate it is, is the tests' question.
            return listens(port) and (
                tls or requests.get(f"{url}/api/v1/session/userinfo", timeout=10).ok
            )

        processes.await_that(f"{self.namespace}-server", answers, _START_SECONDS)
        return url

    def ask(self, method: str, path: str, token: str = "", **more: Any) -> Any:  # noqa: ANN401  JSON
        """One question to the API that must be answered well."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = requests.request(method, self.url + path, headers=headers, timeout=30, **more)
        assert answer.ok, answer.text
        return answer.json()

    def admin(self) -> str:
        """A token of the administrator."""
        secret = self.kubernetes.get("Secret", self.namespace, "argocd-initial-admin-secret")
        password = base64.b64decode(secret["data"]["password"]).decode()
        login = {"username": "admin", "password": password}
        return str(self.ask("POST", "/api/v1/session", json=login)["token"])

    def token(self, account: str) -> str:
        """A new token of one of ACCOUNTS."""
        path = f"/api/v1/account/{account}/token"
        return str(self.ask("POST", path, self.admin(), json={"expiresIn": 86400})["token"])

    def revoke(self, account: str) -> None:
        """Revoke every token of an account."""
        admin, path = self.admin(), f"/api/v1/account/{account}"
        for token in self.ask("GET", path, admin)["tokens"]:
            self.ask("DELETE", f"{path}/token/{token['id']}", admin)


def install(processes: Processes, programs: Path, namespace: str = "argocd") -> Installation:
    """Start Kubernetes, redis, and all of Argo CD."""
    kubernetes = start_kubernetes(processes, programs)
    redis = free_port()
    processes.start(
        "redis",
        [
            *("redis-server", "--port", str(redis), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", str(processes.folder)),
        ],
    )
    for file in sorted((programs / "manifests").glob("*-crd.yaml")):
        kubernetes.apply(file.read_text())
    projects = path_of("AppProject", namespace)
    # A definition is served a moment after it was taken.
    processes.await_that(
        "kube-apiserver", lambda: kubernetes.request("GET", projects).ok, _START_SECONDS
    )
    bare = Installation(
        folder=str(processes.folder),
        programs=str(programs),
        namespace=namespace,
        kubernetes=kubernetes,
        redis=f"127.0.0.1:{redis}",
    )
    return populate(processes, bare)


def populate(processes: Processes, bare: Installation) -> Installation:
    """Fill the namespace of an installation and start its processes, but a repo-server it has."""
    configure(bare)
    repo_server = bare.repo_server or _start_repo_server(processes, bare)
    port = free_port()
    whole = replace(bare, repo_server=repo_server, url=f"http://127.0.0.1:{port}")
    whole.start_server(processes, port)
    whole.start_controller(processes)
    # Made here, once: Argo CD keeps them all in one Secret, and writers in a race lose.
    return replace(whole, tokens={name: whole.token(name) for name in ("ci", "reader", "nobody")})


def _start_repo_server(processes: Processes, bare: Installation) -> str:
    port = free_port()
    options = ("--port", str(port), "--metrics-port", str(free_port()), "--address", "127.0.0.1")
    bare.start(processes, "repo-server", *options)
    name = f"{bare.namespace}-repo-server"
    processes.await_that(name, lambda: listens(port), _START_SECONDS)
    return f"127.0.0.1:{port}"


def configure(installation: Installation) -> None:
    """Make the namespace, Argo CD's settings, its accounts and its certificate for TLS."""
    kubernetes, namespace = installation.kubernetes, installation.namespace
    folder = Path(installation.folder)
    for name in ("tls", "ssh"):
        (folder / name).mkdir(exist_ok=True)
    (folder / f"{namespace}.kubeconfig").write_text(json.dumps(_kubeconfig(installation)))
    kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for file in sorted(Path(installation.programs, "manifests").glob("argocd-*.yaml")):
        kubernetes.apply(file.read_text(), namespace)
    accounts = {f"accounts.{name}": "apiKey, login" for name in ACCOUNTS}
    kubernetes.patch("ConfigMap", namespace, "argocd-cm", {"data": accounts})
    rights = {"policy.csv": _RIGHTS, "policy.default": ""}
    kubernetes.patch("ConfigMap", namespace, "argocd-rbac-cm", {"data": rights})
    pem, key = certificate(folder, "argocd")
    kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {
                "name": "argocd-server-tls",
                "labels": {"app.kubernetes.io/part-of": "argocd"},
            },
            "stringData": {"tls.crt": pem.read_text(), "tls.key": key.read_text()},
        },
        namespace,
    )


def _kubeconfig(installation: Installation) -> dict[str, Any]:
    cluster = {
        "server": installation.kubernetes.address,
        "certificate-authority": installation.kubernetes.ca,
    }
    context = {"cluster": "tests", "user": "tests", "namespace": installation.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "contexts": [{"name": "tests", "context": context}],
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "tests", "user": {"token": TOKEN}}],
    }
