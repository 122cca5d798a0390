"""What a branch asks for, commit by commit, beside the documents of `applications`."""

from __future__ import annotations

from pathlib import PurePosixPath

from gitops_action.kustomization import ImageRequest
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import Promoted
from tests.fakes.applications import NEWER, OLDER, OURS
from tests.fakes.waiting import LinearAncestry

FILE = "overlays/dev/kustomization.yaml"
NAME = "ghcr.io/acme/shop"
# Commits of the Go application: the one before ours, ours, and the one after it.
SOURCES = ("1" * 40, "2" * 40, "3" * 40)
IMAGE = f"{NAME}:{SOURCES[1]}"
OLD_IMAGE = f"{NAME}:{SOURCES[0]}"


def asks_for(tag: str, name: str = NAME) -> str:
    """A kustomization that asks for the tag; with another `name` from a mirror."""
    renamed = f"  newName: {name}\n" if name != NAME else ""
    return f"images:\n- name: {NAME}\n{renamed}  newTag: {tag!r}\n"


def branch(*, newer: str | None = "", name: str = NAME) -> LinearAncestry:
    """OLDER, OURS and NEWER, which asks for the tag `newer` (ours without it; None: no file)."""
    files = {OLDER: {FILE: asks_for(SOURCES[0], name)}, OURS: {FILE: asks_for(SOURCES[1], name)}}
    if newer is not None:
        files[NEWER] = {FILE: asks_for(newer or SOURCES[1], name)}
    return LinearAncestry([OLDER, OURS, NEWER], files)


def promoted(diff: str | None = "+++ b/overlays/dev Deployment/shop\n") -> Promoted:
    """Our commit, which changed what is in the rendered `diff`."""
    return Promoted(
        commit=CommitSha(OURS),
        files=(PurePosixPath(FILE),),
        image=ImageRequest(ImageReference(Repository(NAME), SOURCES[1])),
        rendered_diff=diff,
    )
