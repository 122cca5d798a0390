"""docs/reference.md, made from action.yml: `python tests/contract/tables.py --write`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference.md"
_TABLES = ("inputs", "outputs")


def render(text: str) -> str:
    """Put the tables between their markers anew."""
    action = YAML(typ="safe").load(ROOT / "action.yml")
    for table in _TABLES:
        rows = "\n".join(_rows(table, action[table]))
        before, start, rest = text.partition(f"<!-- {table} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        text = f"{before}{start}{rows}\n{end}{after}"
    return text


def _rows(table: str, entries: dict[str, dict[str, Any]]) -> list[str]:
    if table == "outputs":
        return [
            "| Output | Meaning |",
            "|---|---|",
            *(f"| `{name}` | {one['description']} |" for name, one in entries.items()),
        ]
    return [
        "| Input | Default | Meaning |",
        "|---|---|---|",
        *(
            f"| `{name}` | {_code(one['default'])} | {one['description']} |"
            for name, one in entries.items()
        ),
    ]


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    tables = render(REFERENCE.read_text())
    if "--write" in sys.argv:
        REFERENCE.write_text(tables)
    else:
        sys.stdout.write(tables)
