"""How a text is refused: what is wrong with it, on which line, and what to do."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import NoReturn

from gitops_action.errors import KustomizationError
from gitops_action.model.source import Location


def refuse(message: str, *, hint: str, line: int) -> NoReturn:
    """Raise KustomizationError; whoever knows the file puts its path in front."""
    raise KustomizationError(message, hint=hint, location=Location(PurePosixPath(), line))


def invalid(problem: str, line: int) -> KustomizationError:
    """What is no YAML, in the words of Kustomize's parser."""
    hint = "Mend the line; `kustomize build` shows the same error."
    if "unexpected ':'" in problem:
        hint = "Put the text with the colon in quotes."
    if "tab character" in problem or "cannot start any token" in problem:
        hint = "Replace tabulators by spaces, and put text that begins with %, @ or ` in quotes."
    return KustomizationError(
        f"The kustomization is not valid YAML: {problem}.",
        hint=hint,
        location=Location(PurePosixPath(), line),
    )
