"""What a kustomization refers to inside its own repository."""

from __future__ import annotations

import re

from gitops_action.kustomization.document import parse
from gitops_action.kustomization.nodes import Node, Scalar, Sequence

_LISTS = ("resources", "components", "bases")
_REMOTE = re.compile(
    r"[a-z+]+://|git::|[^/@]+@[^/:]+:|(?:www\.)?github\.com[/:]|.*[?]ref=", re.IGNORECASE
)


def local_references(text: str) -> tuple[str, ...]:
    """List the local paths of `resources`, `components` and `bases`, as they are written.

    They are relative to the kustomization's folder, and name files or folders.

    Raises KustomizationError where the text is no kustomization.
    """
    root = parse(text.removeprefix("\ufeff")).root
    return tuple(
        item.value
        for key, value in root.pairs
        if isinstance(key, Scalar) and key.value.lower() in _LISTS
        for item in _items(value)
        if isinstance(item, Scalar) and item.value and not _REMOTE.match(item.value)
    )


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else ()
