"""What may keep an image from running although its entry asks for it, or the file from being read.

None of it stops the edit: only a rendering can tell, and only where it can be rendered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitops_action.kustomization.document import IMAGE_FIELDS
from gitops_action.kustomization.nodes import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from gitops_action.kustomization.document import Document

# sigs.k8s.io/kustomize/api/types, Kustomization; keys match without regard to case.
_KNOWN = frozenset(
    {
        *("apiversion", "kind", "metadata", "sortoptions", "resources", "bases"),
        *("nameprefix", "namesuffix", "namespace", "crds", "commonlabels", "labels"),
        *("commonannotations", "patchesstrategicmerge", "patchesjson6902", "patches"),
        *("configmapgenerator", "secretgenerator", "helmcharts"),
        *("helmchartinflationgenerator", "helmglobals", "generatoroptions", "vars"),
        *("images", "replacements", "replicas", "configurations", "generators"),
        *("transformers", "validators", "components", "openapi", "buildmetadata"),
    }
)
# A key begins where its characters cannot continue a path before it: no text is searched twice.
_KEY = r"""(?:^|(?<=[\s"',{]))["']?"""
_SCALAR = r"""["']?\s*:\s*["']?"""
_IMAGE_PATH = re.compile(rf"""{_KEY}path{_SCALAR}(/[^\s"',{{}}]*/image)(?=[\s"',}}]|$)""")
_VALUE = re.compile(rf"""{_KEY}value{_SCALAR}([^\s"',{{}}]+)""")
_IMAGE = re.compile(rf"""{_KEY}image{_SCALAR}([^\s"',{{}}]+)""")
_OPERATION = re.compile(r"""(?=["']?\bop["']?\s*:)""")


def warnings_about(document: Document, names: Container[str]) -> tuple[str, ...]:
    """Warn of unknown fields, and of what sets an image that no entry in `names` matches.

    Patches come before `images` in Kustomize, replacements after it.
    """
    return (*_unknown_fields(document), *_patches(document, names), *_replacements(document))


def _unknown_fields(document: Document) -> Iterator[str]:
    for name, field in document.fields.items():
        if name.lower() not in _KNOWN:
            yield (
                f"`{name}` on line {field.key.line} is no field of a kustomization: Kustomize "
                "refuses the file."
            )
    for entry in document.entries:
        for name, field in entry.fields.items():
            if name not in (*IMAGE_FIELDS, "<<"):
                yield (
                    f"`{name}` on line {field.key.line} is no field of an entry of `images`: "
                    "Kustomize refuses the file."
                )


def is_json_patch(text: str) -> bool:
    """Whether a patch is a list of operations, and no strategic merge."""
    return _OPERATION.search(text) is not None


def json_patches(text: str, names: Container[str]) -> Iterator[str]:
    """Say which images the operations of a JSON patch set, but those that `names` match."""
    for operation in _OPERATION.split(text):
        path, value = _IMAGE_PATH.search(operation), _VALUE.search(operation)
        image = value[1] if value else ""
        if path is None:
            yield from merge_patches(operation, names)  # a container as a whole, or all of them
        elif _name(image) not in names:
            yield f"sets `{path[1]}` {f'to `{image}`' if image else 'aside'}"


def merge_patches(text: str, names: Container[str]) -> Iterator[str]:
    """Say which images a strategic merge patch sets, but those that `names` match."""
    for image in _IMAGE.findall(text):
        if _name(image) not in names:
            yield f"sets an image to `{image}`"


def _patches(document: Document, names: Container[str]) -> Iterator[str]:
    for patch in (*items(document, "patches"), *items(document, "patchesjson6902")):
        node = value_of(patch, "patch")
        text = node.value if isinstance(node, Scalar) else ""
        for what in json_patches(text, names) if is_json_patch(text) else ():
            yield unreached(f"The patch on line {patch.line}", what)


def unreached(patch: str, what: str) -> str:
    """Say what becomes of the promotion where a patch does `what`."""
    return (
        f"{patch} {what}: where that is the promoted container, `images` does not reach it any "
        "more."
    )


def _replacements(document: Document) -> Iterator[str]:
    for replacement in items(document, "replacements"):
        targets = value_of(replacement, "targets")
        for target in targets.items if isinstance(targets, Sequence) else ():
            paths = value_of(target, "fieldPaths")
            for path in paths.items if isinstance(paths, Sequence) else ():
                if isinstance(path, Scalar) and path.value.endswith(".image"):
                    yield (
                        f"The replacement on line {path.line} writes `{path.value}` after "
                        "`images` has set it."
                    )


def items(document: Document, name: str) -> tuple[Node, ...]:
    """List what is in a field, whose name is given in lower case; nothing where it is no list."""
    for key, field in document.fields.items():
        if key.lower() == name and isinstance(field.value, Sequence):
            return field.value.items
    return ()


def value_of(node: Node, name: str) -> Node | None:
    """Find a key's value in a mapping, as Kustomize does without regard to case."""
    if isinstance(node, Mapping):
        for key, value in node.pairs:
            if isinstance(key, Scalar) and key.value.lower() == name.lower():
                return value
    return None


def _name(image: str) -> str:
    folder, slash, last = image.rpartition("/")
    return folder + slash + re.split("[:@]", last, maxsplit=1)[0]
