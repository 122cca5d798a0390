"""Which kustomizations a folder is made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from gitops_action.errors import KustomizationError
from gitops_action.kustomization.links import join
from gitops_action.kustomization.references import local_references
from gitops_action.kustomization.tree import Tree, locate
from gitops_action.model.source import CommitSha


def kustomizations_below(
    tree: Tree, head: CommitSha, folder: PurePosixPath
) -> Iterator[PurePosixPath]:
    """Follow local references from a folder's kustomization, itself first, each file once.

    What is no kustomization (a manifest, a folder without one) is passed over; raises
    KustomizationError where one cannot be read.
    """
    seen: set[PurePosixPath] = set()
    waiting = [folder]
    while waiting:
        try:
            file = locate(tree, head, waiting.pop())
        except KustomizationError:
            continue
        if file in seen:
            continue
        seen.add(file)
        yield file
        text = (tree.read(head, file) or b"").decode(errors="replace")
        waiting += [
            inside
            for reference in local_references(text)
            if (inside := join(file.parent, reference)) is not None
        ]
