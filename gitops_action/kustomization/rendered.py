"""The rendered proof: what is rendered asks for the image, and is otherwise as before."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Protocol

from gitops_action.errors import EntryError, KustomizationError, ProofError, RenderError
from gitops_action.kustomization.comparison import (
    Comparison,
    compare,
    image_names,
    mentions,
    runs,
)
from gitops_action.kustomization.document import Entry, parse
from gitops_action.kustomization.edit import Edit
from gitops_action.kustomization.links import Links, follow, join
from gitops_action.kustomization.patches import patch_warnings
from gitops_action.kustomization.sources import Gathered, Snapshot, gather
from gitops_action.kustomization.tree import FileEdit
from gitops_action.model.rendering import Rendering, Sources
from gitops_action.model.source import CommitSha

_LONGEST_LIST = 20


class Renderer(Protocol):
    def render(self, sources: Sources, folder: PurePosixPath) -> Rendering:
        """Render a folder; what goes wrong is part of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedProof:
    """What the edits change in what is rendered.

    `diff` is a unified diff; `unproved` says of each kustomization that could not be rendered why;
    `warnings` are about patches that may keep an image from running.
    """

    diff: str = ""
    unproved: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def prove_rendered(
    edits: Sequence[FileEdit],
    *,
    tree: Snapshot,
    head: CommitSha,
    renderer: Renderer,
    required: bool,
) -> RenderedProof:
    """Render the folder of each edit before and after it, and compare.

    Raises EntryError where no workload asks for an image, ProofError where anything else changes
    or the edit breaks the rendering, and RenderError where `required` and something could not be
    rendered.
    """
    folders = dict.fromkeys(folder for edit in edits for folder in edit.folders)
    run = _Run(gather(tree, head, folders), edits, renderer)
    run.render()
    for edit in edits:
        run.require_images(edit)
    if required and run.unproved:
        raise RenderError(
            f"{' '.join(run.unproved)} `rendered-proof` is `required`: nothing was committed.",
            hint="Let it be rendered with `kustomize build` alone, or set "
            "`rendered-proof: when-possible`.",
        )
    return RenderedProof(
        diff="".join(run.diffs),
        unproved=tuple(run.unproved),
        notices=tuple(run.notices),
        warnings=tuple(dict.fromkeys(run.warnings(tree, head))),
    )


@dataclass(slots=True)
class _Run:
    gathered: Gathered
    edits: Sequence[FileEdit]
    renderer: Renderer
    diffs: list[str] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    rendered: dict[PurePosixPath, tuple[str, Comparison]] = field(default_factory=dict)
    failed: set[PurePosixPath] = field(default_factory=set)

    def render(self) -> None:
        before = self.gathered.sources
        edited = {edit.path: edit.edit.text.encode() for edit in self.edits}
        after = replace(before, files={**before.files, **edited})
        for edit in self.edits:
            for folder in () if _is_component(edit) else edit.folders:
                self._render(edit, folder, before, after)

    def _render(
        self, edit: FileEdit, folder: PurePosixPath, before: Sources, after: Sources
    ) -> None:
        old = self.renderer.render(before, folder)
        new = self.renderer.render(after, folder) if edit.edit.changed or not old.failure else old
        if old.failure or (new.failure and new.here):
            self.failed.add(folder)
            self.unproved.append(_why(folder, old if old.failure else new))
            return
        if new.failure:
            raise ProofError(
                f"With the edit {folder} could not be rendered any more, and nothing was "
                f"committed: {new.failure}.",
                hint="Set the tag by hand once, and look at what `kustomize build` says.",
            )
        if new.unrestricted:
            self.notices.append(
                f"{folder} reads files outside its own folder: it was rendered with "
                "LoadRestrictionsNone, which Argo CD needs in its `kustomize.buildOptions` too."
            )
        compared = compare(old.text, new.text, expected=self._expected(folder), folder=str(folder))
        self.diffs.append(compared.diff)
        self.notices += [f"{folder}: {place} follows the image." for place in compared.derived]
        self.rendered[folder] = (new.text, compared)

    def _expected(self, folder: PurePosixPath) -> set[str]:
        """The references of every edited kustomization that this folder is made of."""
        below = self.gathered.uses[folder]
        return {
            reference
            for edit in self.edits
            if edit.path in below
            for _, reference in _asked_for(edit.edit)
        }

    def require_images(self, edit: FileEdit) -> None:
        """Raise EntryError where what was rendered does not ask for the edit's images."""
        for folder in edit.folders:
            self._require_images(edit, folder)

    def _require_images(self, edit: FileEdit, folder: PurePosixPath) -> None:
        users = [folder]
        if folder not in self.failed and not self._renders_something(folder):
            users = [
                user
                for user in dict.fromkeys(place for other in self.edits for place in other.folders)
                if user != folder and edit.path in self.gathered.uses[user]
            ]
            if not users:
                self.unproved.append(
                    f"{folder} could not be rendered here, because it renders nothing by itself "
                    "and no other of the `kustomizations` uses it."
                )
        shown = [self.rendered[user] for user in users if user in self.rendered]
        if len(shown) < len(users) or not shown:
            return
        for entry, reference in _asked_for(edit.edit):
            if not any(_asks(*one, reference, changed=edit.edit.changed) for one in shown):
                raise _unmatched(folder, entry, [text for text, _ in shown])

    def warnings(self, tree: Links, head: CommitSha) -> Iterator[str]:
        for edit in self.edits:
            for folder in edit.folders:
                for warning in patch_warnings(
                    edit.edit.text,
                    {change.entry for change in edit.edit.images},
                    read=partial(self._read, tree, head, folder),
                    rendered=folder in self.rendered,
                ):
                    yield f"{edit.path}: {warning}"

    def _read(self, tree: Links, head: CommitSha, folder: PurePosixPath, reference: str) -> str:
        path = join(folder, reference)
        with contextlib.suppress(KustomizationError):
            path = path and follow(tree, head, path)
        content = self.gathered.sources.files.get(path, b"") if path else b""
        return content.decode(errors="replace")

    def _renders_something(self, folder: PurePosixPath) -> bool:
        return folder in self.rendered and bool(self.rendered[folder][0].strip())


def _is_component(edit: FileEdit) -> bool:
    kind = parse(edit.edit.text.removeprefix("\ufeff")).fields.get("kind")
    return kind is not None and kind.text == "Component"


def _asks(text: str, compared: Comparison, reference: str, *, changed: bool) -> bool:
    if reference in compared.references or runs(text, reference):
        return True
    # Nothing is known of fields that Kustomize was told of when they had the reference before.
    return not changed and mentions(text, reference)


def _asked_for(edit: Edit) -> Iterator[tuple[str, str]]:
    """The name of each edited entry, and the reference that the containers get by it."""
    entries = parse(edit.text.removeprefix("\ufeff")).entries
    edited = {change.entry for change in edit.images}
    for place, entry in enumerate(entries):
        if (name := entry.text("name")) in edited:
            yield name, _reference(entry, entries[place + 1 :])


def _reference(entry: Entry, later: Sequence[Entry]) -> str:
    """Compose the reference as Kustomize does: an entry further down may rename it once more."""
    name = entry.text("newName") or entry.text("name")
    for other in later:
        if other.text("name") == name and not (other.text("newTag") or other.text("digest")):
            name = other.text("newName") or name
    tag, digest = entry.text("newTag"), entry.text("digest")
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _why(folder: PurePosixPath, rendering: Rendering) -> str:
    if rendering.here:
        return f"{folder} could not be rendered here, because {rendering.failure}."
    return f"{folder} was already broken before the edit: {rendering.failure}."


def _unmatched(folder: PurePosixPath, entry: str, texts: list[str]) -> EntryError:
    names = sorted({name for text in texts for name in image_names(text)})
    listed = ", ".join(f"`{name}`" for name in names[:_LONGEST_LIST]) or "none at all"
    near = difflib.get_close_matches(entry, names, 1) or [
        name for name in names if name.rpartition("/")[2] == entry.rpartition("/")[2]
    ]
    return EntryError(
        f"No container that {folder} renders uses the image `{entry}`, so that its entry in "
        f"`images` changes nothing. The images there are: {listed}. Nothing was committed.",
        hint=(f"Did you mean `{near[0]}`? " if near else "")
        + "Set `kustomize-name` to the image's name as the manifests write it"
        + (f": `kustomize-name: {near[0]}`." if near else "."),
    )
