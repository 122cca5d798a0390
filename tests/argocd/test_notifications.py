"""The configuration of docs/wait-via.md, read by Argo CD's own notifications code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from tests.systems.argocd import Installation

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "argocd"
YAML_BLOCK = re.compile(r"```yaml\n(apiVersion.*?)```", re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The ConfigMap and the Secret of the docs, each in its file."""
    block = YAML_BLOCK.search((ROOT / "docs" / "wait-via.md").read_text())
    assert block
    for document in YAML(typ="safe").load_all(block[1]):
        (tmp_path / f"{document['kind']}.json").write_text(json.dumps(document))
    return tmp_path


def _notifications(folder: Path, installation: Installation, *arguments: str) -> str:
    return subprocess.run(
        [
            f"{installation.programs}/argocd",
            *("admin", "notifications", *arguments),
            *("--config-map", f"{folder}/ConfigMap.json", "--secret", f"{folder}/Secret.json"),
        ],
        env=installation.environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def _recorded(folder: Path, name: str, number: int) -> str:
    """The file of a recorded Application."""
    transcript = json.loads((FIXTURES / "3.6.1" / f"{name}.json").read_text())
    body: dict[str, Any] = transcript["documents"][number]["body"]
    named = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **body}
    path = folder / "application.json"
    path.write_text(json.dumps(named))
    return str(path)


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        pytest.param("bump-to-healthy", 2, [False, False, False], id="about to sync"),
        pytest.param("bump-to-healthy", 3, [False, False, False], id="out of sync, still healthy"),
        pytest.param("bump-to-healthy", 5, [False, False, False], id="synced, not yet done"),
        pytest.param("bump-to-healthy", 7, [True, False, False], id="deployed"),
        pytest.param("commit-outside-the-path", 2, [True, False, False], id="nothing to do"),
        pytest.param("degraded-then-reverted", 8, [False, True, False], id="degraded"),
    ],
)
def test_the_documented_triggers_speak_when_they_should(
    folder: Path, installation: Installation, name: str, number: int, expected: list[bool]
) -> None:
    """
    A status is posted once a commit is deployed, or has failed, and not before.
    """
    table = _notifications(
        folder, installation, "trigger", "run", "gitops", _recorded(folder, name, number)
    )

    assert [line.split()[-1] == "true" for line in table.splitlines()[1:]] == expected


@pytest.mark.parametrize(
    ("template", "state"),
    [("gitops-deployed", "success"), ("gitops-degraded", "failure"), ("gitops-failed", "failure")],
)
def test_the_documented_templates_post_a_commit_status(
    folder: Path, installation: Installation, template: str, state: str
) -> None:
    """
    What is sent is what GitHub takes, on the commit that Argo CD was at.
    """
    application = _recorded(folder, "bump-to-healthy", 7)
    shown = _notifications(
        folder, installation, "template", "notify", template, application, "--recipient", "console"
    )

    webhook = YAML(typ="safe").load(shown)["webhook"]["gitops"]
    body = json.loads(webhook["body"])
    assert webhook["method"] == "POST"
    assert re.fullmatch(r"/repos/acme/gitops/statuses/618994f[0-9a-f]{33}", webhook["path"])
    assert (body["state"], body["context"]) == (state, "argocd/hello-gitops")
    assert body["target_url"] == "https://argocd.example.com/applications/hello-gitops"
