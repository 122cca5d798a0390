"""The kustomization as text: found, edited byte-exactly, proved."""

from __future__ import annotations

from gitops_action.kustomization.document import FILE_NAMES
from gitops_action.kustomization.edit import Edit, ImageChange, ImageRequest, set_image, set_images
from gitops_action.kustomization.graph import kustomizations_below
from gitops_action.kustomization.proof import only_images_differ
from gitops_action.kustomization.references import local_references
from gitops_action.kustomization.rendered import RenderedProof, Renderer, prove_rendered
from gitops_action.kustomization.sources import Snapshot
from gitops_action.kustomization.tree import FileEdit, Tree, locate, plan_edits

__all__ = [
    "FILE_NAMES",
    "Edit",
    "FileEdit",
    "ImageChange",
    "ImageRequest",
    "RenderedProof",
    "Renderer",
    "Snapshot",
    "Tree",
    "kustomizations_below",
    "local_references",
    "locate",
    "only_images_differ",
    "plan_edits",
    "prove_rendered",
    "set_image",
    "set_images",
]
