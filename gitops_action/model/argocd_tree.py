"""The live resources of an Application, with those that they own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One live resource; `parents` are the `uid`s of its owners.

    `reason` is a pod's (`CrashLoopBackOff`, `ImagePullBackOff`), `images` are what it runs.
    """

    group: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    parents: tuple[str, ...] = ()
    health: str = ""
    message: str = ""
    reason: str = ""
    restarts: int = 0
    images: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def parse_tree(document: object) -> tuple[Node, ...]:
    """Parse the JSON of a resource tree; what is missing in it is empty."""
    return tuple(_node(one) for one in _items(_mapping(document).get("nodes")))


def parse_log(body: bytes) -> tuple[str, ...]:
    """Parse what the API sends of a pod's log: a JSON object a line, the last one without text."""
    lines = []
    for line in body.splitlines():
        try:
            entry = _mapping(_mapping(json.loads(line)).get("result"))
        except ValueError:
            continue
        if _text(entry, "content"):
            lines.append(_text(entry, "content"))
    return tuple(lines)


def _node(node: Mapping[str, object]) -> Node:
    health = _mapping(node.get("health"))
    info = {_text(one, "name"): _text(one, "value") for one in _items(node.get("info"))}
    restarts = info.get("Restart Count", "")
    images = node.get("images")
    return Node(
        group=_text(node, "group"),
        kind=_text(node, "kind"),
        namespace=_text(node, "namespace"),
        name=_text(node, "name"),
        uid=_text(node, "uid"),
        parents=tuple(_text(parent, "uid") for parent in _items(node.get("parentRefs"))),
        health=_text(health, "status"),
        message=_text(health, "message"),
        reason=info.get("Status Reason", ""),
        restarts=int(restarts) if restarts.isdecimal() else 0,
        images=tuple(str(image) for image in images) if isinstance(images, list) else (),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> list[Mapping[str, object]]:
    return [_mapping(item) for item in value] if isinstance(value, list) else []


def _text(mapping: Mapping[str, object], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
