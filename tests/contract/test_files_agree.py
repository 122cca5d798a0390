"""Files that say the same thing twice must say the same thing."""

from __future__ import annotations

import re

import pytest

from gitops_action import errors
from gitops_action.errors import ActionError
from gitops_action.inputs import input_names
from gitops_action.outcome import Outcome, Result
from gitops_action.report import outputs
from tests.contract import reasons, tables
from tests.fakes.runs import ROOT, action

README = (ROOT / "README.md").read_text()
REFERENCE = tables.REFERENCE.read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ActionError) and kind is not ActionError
]


def test_every_input_of_action_yml_is_read() -> None:
    """
    No input is offered that does nothing, and none works that is not offered.
    """
    assert sorted(action()["inputs"]) == sorted(input_names())


def test_input_names_reach_the_container_everywhere() -> None:
    """
    Names keep to what GitHub and other runners pass on alike.
    """
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in input_names())


def test_every_output_of_action_yml_is_set() -> None:
    """
    A later step finds every documented output, also where the run failed at once.
    """
    assert list(action()["outputs"]) == list(outputs(Outcome(plan=None, result=Result.FAILED)))


def test_the_tables_of_the_reference_are_made_from_action_yml() -> None:
    """
    The reference never lags behind: `make docs` writes its tables.
    """
    assert tables.render(REFERENCE) == REFERENCE


def test_the_readme_is_short() -> None:
    """
    A newcomer can read all of it.
    """
    assert len(README.splitlines()) <= 200


def test_the_readme_names_every_result() -> None:
    """
    No step ends in a word that nobody explained.
    """
    described = action()["outputs"]["result"]["description"]

    for result in Result:
        assert f"`{result}`" in README
        assert f"`{result}`" in described


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_commands_in_the_documents_exist(name: str) -> None:
    """
    What a document tells to type is there.
    """
    commands = re.findall(
        r"`make ([a-z-]+)`|^    make ([a-z-]+)", (ROOT / name).read_text(), re.MULTILINE
    )

    for command in {one or other for one, other in commands}:
        assert re.search(rf"^{command}:", MAKEFILE, re.MULTILINE), command


def test_actions_are_named_by_one_commit_each() -> None:
    """
    What is copied from a document is pinned, to the version that our own workflows use.
    """
    files = [
        ROOT / "README.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / ".github/workflows").glob("*.yml"),
        *(ROOT / "examples").rglob("*.yml"),
    ]
    lines = [
        line
        for file in files
        for line in re.findall(r"^ *-? *uses: (.+)$", file.read_text(), re.MULTILINE)
    ]
    foreign = {line for line in lines if not line.startswith(("./", "OWNER/gitops-action@"))}
    pins = [re.fullmatch(r"([\w./-]+)@([0-9a-f]{40}) # v[0-9.]+", line) for line in foreign]

    assert foreign
    assert all(pins)
    assert len({pin[1] for pin in pins if pin}) == len(pins)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_kind_of_failure_is_documented(kind: type[ActionError]) -> None:
    """
    The output `failure` can be looked up.
    """
    documented = re.findall(r"^## `([a-z-]+)`", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)

    assert kind.code in documented
    assert (kind.__doc__ or "").endswith(".")


def test_codes_of_failures_are_unique() -> None:
    """
    A workflow can tell the kinds of failure apart.
    """
    codes = [kind.code for kind in KINDS]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("program", ["CRANE", "KO", "KUSTOMIZE"])
def test_the_tests_use_the_programs_of_the_image(program: str) -> None:
    """
    What was tested is what is shipped.
    """
    found = re.search(rf"^{program} := .*/(\w+(?:/v\d+)?)@(v[0-9.]+)$", MAKEFILE, re.MULTILINE)

    assert found
    assert re.search(rf"/{found[1]}@{found[2]}\b", DOCKERFILE)


def test_the_image_starts_as_action_yml_says() -> None:
    """
    A workflow cannot replace what the container runs.
    """
    runs = action()["runs"]

    assert runs["image"] == "Dockerfile"
    assert runs["args"]
    assert f'ENTRYPOINT ["{runs["entrypoint"]}"]' in DOCKERFILE
    first = (ROOT / "entrypoint.py").read_text().partition("\n")[0]
    assert first == "#!/usr/bin/env -S --block-signal=INT,TERM /usr/bin/python3 -I"
    assert not re.search(r"^USER", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_dependencies_are_pinned_by_hash_and_name_no_index(name: str) -> None:
    """
    The same packages are installed everywhere, from wherever the machine gets its packages.
    """
    lines = (ROOT / name).read_text().splitlines()

    assert all(line.startswith(("    --hash=", "#")) or "==" in line for line in lines if line)
    assert not any("://" in line for line in lines)


@pytest.mark.parametrize("reason", reasons.reasons())
def test_every_reason_of_the_wait_is_explained(reason: str) -> None:
    """
    Whatever the wait says can be found, with what it means and what to do.
    """
    _, _, words = reason.partition(": ")
    table = (ROOT / "docs/reasons.md").read_text().replace("`", "")

    assert words.replace("`", "") in table
