"""The words in which the sync stage says where a rollout stands, read from its source."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {"reason", "message", "text"}
SYNC = Path(__file__).parents[2] / "gitops_action" / "stages" / "sync"


def reasons() -> list[str]:
    """The longest fixed part of every reason, failure and notice, as `file: words`."""
    found = {}
    for file in sorted(SYNC.glob("*.py")):
        for text in _texts(ast.parse(file.read_text())):
            if parts := _fixed(text):
                found[max(parts, key=len)] = file.name
    return sorted(f"{name}: {words}" for words, name in found.items())


def _texts(tree: ast.Module) -> Iterator[ast.expr]:
    """What is given to an error or a Finding's `reason`, put into a variable, or returned."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name.endswith("Error"):
                yield first
            case ast.Call(func=ast.Name(id="Finding"), keywords=keywords):
                yield from (one.value for one in keywords if one.arg == "reason")
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in _NAMES:
                yield value
            case ast.AugAssign(target=ast.Name(id=name), value=value) if name in _NAMES:
                yield value
            case ast.Return(value=ast.JoinedStr() as value):
                yield value
            case _:
                pass


def _fixed(text: ast.expr) -> list[str]:
    """The constant parts that say something."""
    parts = [text] if isinstance(text, ast.Constant) else getattr(text, "values", [])
    words = (str(one.value).strip(" .:;,`") for one in parts if isinstance(one, ast.Constant))
    return [one for one in words if len(one) >= len("pinned to")]
