"""Inputs and contexts of a run as the runner would send them, with the defaults of action.yml."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from gitops_action.inputs import Inputs, RunContext, load_context, load_inputs
from gitops_action.model.source import Commit, CommitSha
from gitops_action.plan import Plan, make_plan

ROOT = Path(__file__).parents[2]
SHA = CommitSha("9d0f7e3" + "a" * 33)
HEAD = CommitSha("4be1c2a" + "b" * 33)
COMMIT = Commit(SHA, 1_700_000_000)
# What opens a BuildKit: the authority's certificate, the client's, and the client's key.
PEM = "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n"
PEM_KEY = "-----BEGIN PRIVATE KEY-----\ncanary-key\n-----END PRIVATE KEY-----\n"
EVERYTHING = {
    "image": "ghcr.io/acme/shop",
    "kustomizations": "overlays/dev",
    "github-token": "workflow-token",
    "argocd-server": "argocd.example.com",
    "argocd-token": "a.b.c",
    "argocd-applications": "shop",
}


def action() -> dict[str, Any]:
    """The metadata that GitHub reads."""
    metadata = YAML(typ="safe").load(ROOT / "action.yml")
    assert isinstance(metadata, dict)
    return metadata


def defaults() -> dict[str, str]:
    """The default of every input; expressions are empty outside a runner."""
    entries = action()["inputs"].items()
    return {name: "" if "${{" in one["default"] else one["default"] for name, one in entries}


def inputs_of(**given: str) -> Inputs:
    """Parse inputs, with `_` for `-` in their names."""
    env = {f"INPUT_{name.replace('_', '-').upper()}": value for name, value in given.items()}
    return load_inputs(env, defaults())


def everything(**given: str) -> Inputs:
    """All five stages, but for what is given."""
    return inputs_of(**({name.replace("-", "_"): v for name, v in EVERYTHING.items()} | given))


def context_of(**given: str | bool | Commit | None) -> RunContext:
    """A push to the default branch, but for what is given."""
    env = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REF_NAME": "main",
        "GITHUB_REF_TYPE": "branch",
        "GITHUB_ACTOR": "octocat",
        "GITHUB_RUN_ID": "42",
        "GITHUB_SHA": SHA.value,
    }
    payload = {"repository": {"default_branch": "main"}}
    context = load_context(env, payload=payload, commit=COMMIT)
    return replace(context, **given)  # type: ignore[arg-type]


def plan_of(**given: str) -> Plan:
    """The plan of all five stages on a push, but for what is given."""
    return make_plan(everything(**given), context_of())
