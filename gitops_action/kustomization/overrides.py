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
_IMAGE_PATH = re.compile(r"""["']?\bpath["']?\s*:\s*["']?(/[^\s"',}]*/image)(?=[\s"',}]|$)""")
_VALUE = re.compile(r"""["']?\bvalue["']?\s*:\s*["']?([^\s"',}]+)""")
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


def _patches(document: Document, names: Container[str]) -> Iterator[str]:
    for patch in (*_items(document, "patches"), *_items(document, "patchesjson6902")):
        text = _value(patch, "patch")
        for operation in _OPERATION.split(text.value if isinstance(text, Scalar) else ""):
            path, value = _IMAGE_PATH.search(operation), _VALUE.search(operation)
            image = value[1] if value else ""
            if path and _name(image) not in names:
                to = f"to `{image}`" if image else "aside"
                yield (
                    f"The patch on line {patch.line} sets `{path[1]}` {to}: where that is the "
                    "promoted container, `images` does not reach it any more."
                )


def _replacements(document: Document) -> Iterator[str]:
    for replacement in _items(document, "replacements"):
        targets = _value(replacement, "targets")
        for target in targets.items if isinstance(targets, Sequence) else ():
            paths = _value(target, "fieldPaths")
            for path in paths.items if isinstance(paths, Sequence) else ():
                if isinstance(path, Scalar) and path.value.endswith(".image"):
                    yield (
                        f"The replacement on line {path.line} writes `{path.value}` after "
                        "`images` has set it."
                    )


def _items(document: Document, name: str) -> tuple[Node, ...]:
    for key, field in document.fields.items():
        if key.lower() == name and isinstance(field.value, Sequence):
            return field.value.items
    return ()


def _value(node: Node, name: str) -> Node | None:
    if isinstance(node, Mapping):
        for key, value in node.pairs:
            if isinstance(key, Scalar) and key.value == name:
                return value
    return None


def _name(image: str) -> str:
    folder, slash, last = image.rpartition("/")
    return folder + slash + re.split("[:@]", last, maxsplit=1)[0]
