"""Kustomizations drawn at random: text that no dumper would write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

Fields = dict[str, str]

NAMES = ["shop", "ghcr.io/acme/shop", "redis", "r.io:5000/a", "on-call"]
VALUES = ["v1", "1.0", "on", "0123456", "a-b_c.d", "1e3"]
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True) | st.sampled_from(VALUES)
COMMENTS = st.sampled_from(["", "", "", " # why", '   # {"$imagepolicy": "a:b"}'])
MARGINS = st.sampled_from(["", "", "\n", "# own line\n", "   \n", "    # deep\n"])
OTHERS = [
    "resources:\n- a.yaml\n-   b.yaml\n",
    "resources:\n    - ../base   # the base\n",
    "namespace:   'shop'\n",
    "patches:\n- patch: |-\n    # no comment\n    - op: add\n\n      path: /a\n",
    "labels: [ {pairs: {a: 'b', c: \"d\"}} ]\n",
    "configMapGenerator:\n  - name: x\n    literals:\n    - A=1\n\n    - B=2 \n",
    "commonLabels: {a: &anchor b, c: *anchor}\n",
]


@dataclass(frozen=True)
class Drawn:
    """A text, and the fields of each entry of its `images`."""

    text: str
    entries: list[Fields]


FIELDS = ("newName", "newTag", "digest", "tagSuffix")


@st.composite
def entries(draw: st.DrawFn, keys: Sequence[str] = FIELDS) -> list[Fields]:
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
    listed = []
    for name in names:
        fields = {"name": name}
        for key in keys:
            if draw(st.booleans()):
                fields[key] = draw(st.sampled_from(VALUES))
        listed.append(dict(draw(st.permutations(list(fields.items())))))
    return listed


def scalar(draw: st.DrawFn, value: str) -> str:
    quoted = [f"'{value}'", f'"{value}"']
    plain = [value] * 2 if value in {*NAMES, "v1", "a-b_c.d"} else []
    return draw(st.sampled_from([*plain, *quoted]))


def block(draw: st.DrawFn, listed: list[Fields]) -> str:
    indent = " " * draw(st.sampled_from([0, 0, 2, 4]))
    gap = " " * draw(st.sampled_from([1, 1, 2, 3]))
    text = "images:" + draw(COMMENTS) + "\n"
    for fields in listed:
        if draw(st.integers(0, 5)) == 0:
            pairs = ", ".join(f"{key}: {scalar(draw, value)}" for key, value in fields.items())
            text += f"{indent}-{gap}{{{pairs}}}\n"
            continue
        start = f"{indent}-{gap}"
        for key, value in fields.items():
            space = " " * draw(st.sampled_from([1, 1, 1, 3]))
            text += f"{start}{key}:{space}{scalar(draw, value)}{draw(COMMENTS)}\n"
            start = " " * len(start)
            if draw(st.integers(0, 4)) == 0:
                text += draw(MARGINS)
    return text


def flow(draw: st.DrawFn, listed: list[Fields]) -> str:
    entries = [
        "{" + ", ".join(f"{key}: {scalar(draw, value)}" for key, value in fields.items()) + "}"
        for fields in listed
    ]
    if draw(st.booleans()):
        return "images: [" + ", ".join(entries) + "]\n"
    return "images: [\n  " + ",\n  ".join(entries) + "\n]\n"


@st.composite
def kustomizations(
    draw: st.DrawFn, others: Sequence[str] = tuple(OTHERS), keys: Sequence[str] = FIELDS
) -> Drawn:
    """Draw a text; `keys` are those that entries may have beside their names."""
    listed = draw(entries(keys))
    parts = draw(st.lists(st.sampled_from(others), max_size=3, unique_by=lambda text: text[:6]))
    if listed:
        parts.insert(
            draw(st.integers(0, len(parts))),
            flow(draw, listed) if draw(st.integers(0, 4)) == 0 else block(draw, listed),
        )
    parts = ["kind: Kustomization\n", *parts]
    text = draw(st.sampled_from(["", "---\n", "# head\n\n"]))
    text += "".join(part + draw(MARGINS) for part in parts)
    text += draw(st.sampled_from(["", "", "...\n", "---\nkind: Other\n"]))
    if draw(st.integers(0, 4)) == 0:
        text = text.rstrip("\n")
    if draw(st.integers(0, 4)) == 0:
        text = text.replace("\n", "\r\n")
    return Drawn(draw(st.sampled_from(["", "", "\ufeff"])) + text, listed)
