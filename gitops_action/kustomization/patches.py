"""Patches in files of their own, and merges, that may keep an image from running.

The edit sees one text only, and warns of the operations in it; these need the files beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from gitops_action.kustomization.document import Document, parse
from gitops_action.kustomization.nodes import Scalar
from gitops_action.kustomization.overrides import (
    is_json_patch,
    items,
    json_patches,
    merge_patches,
    unreached,
    value_of,
)


def patch_warnings(
    text: str, names: Container[str], *, read: Callable[[str], str], rendered: bool
) -> Iterator[str]:
    """Warn of a kustomization's patches that set an image which no `names` match.

    `read` gives the text of a file by the path in the kustomization, empty where it is not there.
    A merge that sets another container's image is usual: where the rendering is known to run the
    promoted image (`rendered`), merges are passed over.
    """
    for written, content in _patches(parse(text.removeprefix("\ufeff"))):
        file = "" if content else read(written.value)
        patch = f"The patch `{written.value}` on line" if file else "The patch on line"
        for what in _found(content or file, names, in_file=bool(file), rendered=rendered):
            yield unreached(f"{patch} {written.line}", what)


def _found(text: str, names: Container[str], *, in_file: bool, rendered: bool) -> Iterator[str]:
    if not is_json_patch(text):
        yield from () if rendered else dict.fromkeys(merge_patches(text, names))
    elif in_file:  # the edit has warned of the others
        yield from dict.fromkeys(json_patches(text, names))


def _patches(document: Document) -> Iterator[tuple[Scalar, str]]:
    """The scalar that is, or names, each patch, and the patch itself where it stands there."""
    for patch in (*items(document, "patches"), *items(document, "patchesjson6902")):
        inline, path = value_of(patch, "patch"), value_of(patch, "path")
        if isinstance(inline, Scalar):
            yield inline, inline.value
        elif isinstance(path, Scalar):
            yield path, ""
    for merge in items(document, "patchesstrategicmerge"):
        if isinstance(merge, Scalar):
            yield merge, merge.value if "\n" in merge.value.strip() else ""
