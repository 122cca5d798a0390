#!/usr/bin/python3 -I
"""The step: takes the environment away from everyone, wires the systems, and runs the plan.

Nothing imports this file. It is where mypy proves that the adapters fit the stages.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML

from gitops_action import pipeline
from gitops_action.adapters.argocd import ArgoCD
from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.docker import Docker
from gitops_action.adapters.git import (
    Git,
    GitOpsClone,
    History,
    is_clean,
    ssh_command,
    workspace_commit,
)
from gitops_action.adapters.github import GitHubApi, GitHubReports
from gitops_action.adapters.go import Go, can_isolate
from gitops_action.adapters.http import Http
from gitops_action.adapters.isolation import BUILD_USER
from gitops_action.adapters.ko import Ko
from gitops_action.adapters.kustomize import RENDER_USER, Kustomize
from gitops_action.adapters.process import Processes
from gitops_action.adapters.registry import Registry, write_credentials
from gitops_action.adapters.runner import Runner
from gitops_action.adapters.terminal import Terminal
from gitops_action.errors import ActionError, BugError, RunnerError
from gitops_action.inputs import Inputs, RunContext, load_context, load_inputs, secrets
from gitops_action.model.log import Annotation, Level
from gitops_action.model.secret import Secret
from gitops_action.outcome import Outcome, Result, last_line
from gitops_action.pipeline import Systems
from gitops_action.plan import Plan, gitops_token, make_plan, registry_credentials
from gitops_action.report import outputs
from gitops_action.summary import summary

ACTION = Path(__file__).with_name("action.yml")
# In the image, and only there, with programs that every user can run. The same path in every run,
# because Go's cache knows a test by its path.
VERIFY = Path("/verify")
KO_CACHE = VERIFY / "go-build-ko"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# What our own process keeps. `core` asks for the names of the runner's file commands.
_KEPT = ("PATH", "TMPDIR", "GITHUB_OUTPUT")
_NETWORK = tuple(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
_INSECURE = (
    "Argo CD's certificate is not checked: whoever stands in between gets the token and can say"
    " anything. `ca-certificates` takes the certificate of its authority."
)
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def main() -> int:
    """Run the step and return its exit status."""
    env = dict(os.environ)
    os.environ.clear()
    os.environ.update({name: env[name] for name in _KEPT if name in env})

    summary_file = env.get("GITHUB_STEP_SUMMARY")
    on_runner = env.get("GITHUB_ACTIONS") == "true"
    log = (Runner if on_runner else Terminal)(Path(summary_file) if summary_file else None)
    for secret in secrets(env):
        log.mask(secret)
        log.mask(_basic("x-access-token", secret))
    cancellation = Cancellation()
    received = _listen(cancellation)

    try:
        status = _finish(_run(env, log, cancellation), log)
    except Exception as error:  # noqa: BLE001  a bug: told in one line and a folded traceback
        with log.group("Traceback, for a report of this bug"):
            log.foreign(traceback.format_exc())
        bug = BugError(
            f"The action itself failed: {type(error).__name__}.",
            hint="Please report it with the log's traceback. What the log says was done is done.",
        )
        status = _finish(Outcome(plan=None, result=Result.FAILED, failure=bug), log)
    return 128 + received[0] if received else status


def _basic(username: str, password: Secret) -> Secret:
    """The form in which git and the registries' clients send a password."""
    return Secret(b64encode(f"{username}:{password.reveal()}".encode()).decode())


def _finish(outcome: Outcome, log: Runner | Terminal) -> int:
    """Report the outcome to whoever reads the log, the run's page and the outputs."""
    if outcome.failure is not None:
        _explain(outcome.failure, log)
    try:
        log.write_summary(summary(outcome))
        log.set_outputs(outputs(outcome))
    except ActionError as error:
        _explain(error, log)
        return 1
    log.say(last_line(outcome))
    return 0 if outcome.failure is None else 1


def _listen(cancellation: Cancellation) -> list[int]:
    """Let SIGINT and SIGTERM cancel the run; the list holds the first one received."""
    received: list[int] = []

    def cancel(number: int, _: FrameType | None) -> None:
        received.append(number)
        cancellation.cancel("the run was cancelled")

    # The first process of a container ignores what it has no handler for.
    signal.signal(signal.SIGINT, cancel)
    signal.signal(signal.SIGTERM, cancel)
    return received


def _run(env: Mapping[str, str], log: Runner | Terminal, cancellation: Cancellation) -> Outcome:
    try:
        with _private_folder() as private:
            return _run_in(private, env, log, cancellation)
    except ActionError as error:
        return Outcome(plan=None, result=Result.FAILED, failure=error)


def _run_in(
    private: Path, env: Mapping[str, str], log: Runner | Terminal, cancellation: Cancellation
) -> Outcome:
    workspace = Path(env.get("GITHUB_WORKSPACE", ".")).resolve()
    inputs = load_inputs(env, _defaults())
    base = _base_environment(env, private, inputs)
    commit = workspace_commit(workspace, base)
    clean = commit is not None and is_clean(workspace, base)
    context = load_context(env, payload=_payload(env), commit=commit, clean=clean)
    if login := registry_credentials(inputs, context):
        log.mask(_basic(*login))
    plan = make_plan(inputs, context)
    if context.on_runner and plan.verify and not can_isolate():
        raise RunnerError(
            "The action does not run as root, so the tests could not be kept from its tokens.",
            hint="Use it by `uses:`, which runs its container as root.",
        )
    if inputs.argocd_insecure:
        log.annotate(Annotation(Level.WARNING, _INSECURE, "argocd-insecure"))
    place = _Place(workspace=workspace, private=private, env={**env, **base}, base=base)
    with _systems(inputs, context, plan, place, cancellation) as systems:
        return pipeline.run(plan, systems=systems, log=log)


def _defaults() -> dict[str, str]:
    """The default of every input; an expression is for the runner to evaluate."""
    entries = YAML(typ="safe").load(ACTION)["inputs"].items()
    return {name: "" if "${{" in one["default"] else one["default"] for name, one in entries}


def _payload(env: Mapping[str, str]) -> dict[str, Any]:
    path = env.get("GITHUB_EVENT_PATH")
    if not path or not Path(path).is_file():
        return {}
    payload = json.loads(Path(path).read_bytes())
    return payload if isinstance(payload, dict) else {}


def _base_environment(env: Mapping[str, str], private: Path, inputs: Inputs) -> dict[str, str]:
    """What every child may know: where programs are, a home of its own, and the way out."""
    home = private / "home"
    home.mkdir()
    base = {name: env[name] for name in (*_NETWORK, *_CERTIFICATES) if env.get(name)}
    base |= {
        "PATH": env.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(private),
        "LANG": "C.UTF-8",
    }
    if inputs.ca_certificates:
        system = Path(env.get("SSL_CERT_FILE") or SYSTEM_CERTIFICATES)
        trusted = private / "ca-certificates.pem"
        known = system.read_text() if system.is_file() else ""
        trusted.write_text(f"{known}\n{inputs.ca_certificates}\n")
        base["SSL_CERT_FILE"] = str(trusted)
    if "SSL_CERT_FILE" in base:
        base["GIT_SSL_CAINFO"] = base["SSL_CERT_FILE"]
    return base


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the run happens.

    `base` is what every child may see; `env` is the whole environment of the step, of which an
    adapter hands on the names that it lists.
    """

    workspace: Path
    private: Path
    env: Mapping[str, str]
    base: Mapping[str, str]

    def folder(self, name: str) -> Path:
        """Make a folder that only we can enter."""
        folder = self.private / name
        folder.mkdir(mode=0o700)
        return folder


@contextmanager
def _systems(
    inputs: Inputs, context: RunContext, plan: Plan, place: _Place, cancellation: Cancellation
) -> Iterator[Systems]:
    processes = Processes(cancellation)
    username, password = registry_credentials(inputs, context) or ("", Secret())
    credentials = place.private / "credentials"
    if inputs.repository:
        write_credentials(credentials, inputs.repository.registry, username, password)
    authorities = Path(place.base.get("SSL_CERT_FILE", SYSTEM_CERTIFICATES))
    ca_file = authorities if authorities.is_file() else None
    argocd_http = Http(
        cancellation, ca_file=ca_file, verify=not inputs.argocd_insecure, proxies=place.base
    )
    github = GitHubApi(
        Http(cancellation, ca_file=ca_file, proxies=place.base),
        cancellation,
        repository=urlsplit(plan.gitops_url).path.strip("/").removesuffix(".git"),
        token=inputs.gitops_token or inputs.github_token,
        rest=place.env.get("GITHUB_API_URL") or "https://api.github.com",
    )
    with (
        _verify_folder() as verify,
        _folder_of(BUILD_USER) as (builds, builder),
        _folder_of(RENDER_USER) as (renderings, renderer),
    ):
        gitops = _gitops(inputs, context, plan, place, cancellation)
        source = Git(
            url=plan.source_url,
            token=inputs.github_token,
            directory=place.folder("source"),
            cancellation=cancellation,
            env=place.base,
        )
        yield Systems(
            go=Go(
                processes,
                workspace=place.workspace,
                private=verify,
                env=place.env,
                isolated=can_isolate(),
                kept=_kept_caches(place.env),
                modules_token=inputs.modules_token,
            ),
            docker=Docker(
                processes,
                env=place.env,
                workspace=place.workspace,
                private=place.folder("docker"),
                credentials=credentials,
            ),
            ko=Ko(
                processes,
                env=place.env,
                workspace=place.workspace,
                private=builds,
                credentials=credentials,
                user=builder,
                cache=KO_CACHE if builder is not None and KO_CACHE.is_dir() else None,
            ),
            registry=Registry(
                processes, env=place.env, private=place.private, credentials=credentials
            ),
            gitops=gitops,
            commits=gitops.history,
            source=History(source) if plan.elsewhere else gitops.history,
            kustomize=Kustomize(
                processes,
                place=renderings,
                path=place.base["PATH"],
                user=renderer,
            ),
            argocd=ArgoCD(
                argocd_http, inputs.argocd_server, inputs.argocd_token, inputs.argocd_headers
            ),
            reports=GitHubReports(github),
            cancellation=cancellation,
            chance=random.SystemRandom().random,
        )


def _gitops(
    inputs: Inputs, context: RunContext, plan: Plan, place: _Place, cancellation: Cancellation
) -> GitOpsClone:
    folder = place.folder("gitops")
    key = inputs.gitops_ssh_key
    return GitOpsClone(
        Git(
            url=plan.gitops_url,
            token=gitops_token(inputs, context, plan.gitops_url),
            ssh=ssh_command(folder, key, inputs.gitops_known_hosts) if key else "",
            directory=folder,
            cancellation=cancellation,
            env=place.base,
        ),
        signing_key=inputs.signing_key,
    )


def _in_image() -> bool:
    return os.geteuid() == 0 and VERIFY.is_dir()


def _kept_caches(env: Mapping[str, str]) -> Path | None:
    """Where `actions/cache` can find what the next job may need; nowhere outside a runner."""
    temporary = env.get("RUNNER_TEMP")
    return Path(temporary, "gitops-action") if temporary and _in_image() else None


@contextmanager
def _verify_folder() -> Iterator[Path]:
    """A folder that the user of the tests can pass through; ours in the image, else a new one."""
    if _in_image():
        yield VERIFY
        return
    folder = Path(tempfile.mkdtemp(prefix="gitops-action-verify-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _folder_of(user: int) -> Iterator[tuple[Path, int | None]]:
    """A folder for what runs as another user in the image, and as the caller (None) elsewhere."""
    isolated = _in_image()
    folder = Path(tempfile.mkdtemp(prefix="gitops-action-", dir=VERIFY if isolated else None))
    try:
        yield folder, user if isolated else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder that only we can enter: credentials and clones are gone with it."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="gitops-action-"))
    except OSError as error:
        raise RunnerError(
            f"No temporary folder could be made: {error.strerror}.",
            hint="Look at the runner's disk space.",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _explain(error: ActionError, log: Runner | Terminal) -> None:
    log.annotate(Annotation(Level.ERROR, error.told, error.code, error.location))


if __name__ == "__main__":
    sys.exit(main())
