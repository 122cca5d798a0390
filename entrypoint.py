#!/usr/bin/env -S --block-signal=INT,TERM /usr/bin/python3 -I
"""The step: takes the environment away from everyone, makes the plan, and runs it.

Nothing imports this file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any

from ruamel.yaml import YAML

from gitops_action import pipeline
from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.git import is_clean, workspace_commit
from gitops_action.adapters.go import can_isolate
from gitops_action.adapters.runner import Runner
from gitops_action.adapters.terminal import Terminal
from gitops_action.errors import ActionError, BugError, RunnerError
from gitops_action.inputs import load_context, load_inputs, secrets
from gitops_action.model.log import Annotation, Level
from gitops_action.model.secret import Secret
from gitops_action.outcome import Outcome, Result, last_line
from gitops_action.place import Place, base_environment, private_folder
from gitops_action.plan import make_plan, registry_credentials
from gitops_action.report import outputs
from gitops_action.summary import summary
from gitops_action.wiring import wired

ACTION = Path(__file__).with_name("action.yml")
# What our own process keeps. `core` asks for the names of the runner's file commands.
_KEPT = ("PATH", "TMPDIR", "GITHUB_OUTPUT")
_INSECURE = (
    "Argo CD's certificate is not checked: whoever stands in between gets the token and can say"
    " anything. `ca-certificates` takes the certificate of its authority."
)


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
    signals = {signal.SIGINT, signal.SIGTERM}
    for number in signals:
        signal.signal(number, cancel)
    # In the image they have been kept back since the first instruction: one that came while Python
    # started would have ended the step with a traceback, and without outputs.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    return received


def _run(env: Mapping[str, str], log: Runner | Terminal, cancellation: Cancellation) -> Outcome:
    try:
        with private_folder() as private:
            return _run_in(private, env, log, cancellation)
    except ActionError as error:
        return Outcome(plan=None, result=Result.FAILED, failure=error)


def _run_in(
    private: Path, env: Mapping[str, str], log: Runner | Terminal, cancellation: Cancellation
) -> Outcome:
    workspace = Path(env.get("GITHUB_WORKSPACE", ".")).resolve()
    inputs = load_inputs(env, _defaults())
    if inputs.argocd_insecure:
        log.annotate(Annotation(Level.WARNING, _INSECURE, "argocd-insecure"))
    base = base_environment(env, private, inputs)
    repository = _repository(workspace, inputs.working_directory)
    if isinstance(log, Runner):
        log.repository = PurePosixPath(repository.relative_to(workspace))
    commit = workspace_commit(repository, base)
    clean = commit is not None and is_clean(repository, base)
    context = load_context(env, payload=_payload(env), commit=commit, clean=clean)
    if login := registry_credentials(inputs, context):
        log.mask(_basic(*login))
    plan = make_plan(inputs, context)
    if context.on_runner and plan.verify and not can_isolate():
        raise RunnerError(
            "The action does not run as root, so the tests could not be kept from its tokens.",
            hint="Use it by `uses:`, which runs its container as root.",
        )
    place = Place(workspace=workspace, private=private, env={**env, **base}, base=base)
    with wired(inputs, context, plan, place, cancellation) as systems:
        return pipeline.run(plan, systems=systems, log=log)


def _repository(workspace: Path, module: PurePosixPath) -> Path:
    """The repository's root: the workspace, or the folder that checkout was given as `path:`."""
    folders = (workspace / folder for folder in (*reversed(module.parents), module))
    return next((folder for folder in folders if (folder / ".git").exists()), workspace)


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


def _explain(error: ActionError, log: Runner | Terminal) -> None:
    log.annotate(Annotation(Level.ERROR, error.told, error.code, error.location))


if __name__ == "__main__":
    sys.exit(main())
