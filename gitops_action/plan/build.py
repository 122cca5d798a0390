"""What is built, and where the same image may be already."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath

from gitops_action.inputs import Inputs, RunContext
from gitops_action.model.image import ImageReference
from gitops_action.model.source import Commit
from gitops_action.stages.build import BuildRequest
from gitops_action.tags import Tags

_REVISION = "org.opencontainers.image.revision"


def build_request(  # noqa: PLR0913  all that the request is made of
    inputs: Inputs,
    context: RunContext,
    commit: Commit,
    image: ImageReference | None,
    tags: Tags,
    *,
    publishes: bool,
) -> BuildRequest:
    """Decide the build; `publishes` says that the run may use the registry."""
    folder = inputs.working_directory if inputs.context is None else inputs.context
    return BuildRequest(
        builder=inputs.builder,
        module=inputs.working_directory,
        context=folder,
        dockerfile=folder / inputs.dockerfile,
        main_package=inputs.main_package,
        base_image=inputs.base_image,
        labels=_labels(inputs, context, commit, image),
        created=commit.time,
        target=inputs.target,
        arguments=inputs.build_args,
        secrets=inputs.build_secrets,
        platforms=inputs.platforms,
        attestations=inputs.attestations,
        cache=inputs.build_cache if publishes and not inputs.dry_run else "none",
        cached=_cached(inputs, tags),
        remote=bool(inputs.buildkit_address),
        clean=context.clean,
        published=_published(inputs, commit, tags) if publishes else (),
    )


def _cached(inputs: Inputs, tags: Tags) -> tuple[ImageReference, ...]:
    """Where layers are: beside the image, or in the images that the moving tags name."""
    if inputs.repository is None:
        return ()
    names = ("buildcache",) if inputs.build_cache == "registry" else sorted(tags.moving)
    return tuple(ImageReference(inputs.repository, name) for name in names)


def _published(inputs: Inputs, commit: Commit, tags: Tags) -> tuple[ImageReference, ...]:
    """Where this commit's image may be: a run for a branch may have built what a version names."""
    if inputs.rebuild or inputs.repository is None:
        return ()
    named = dict.fromkeys([*tags.fixed, commit.sha.value, commit.sha.short])
    return tuple(ImageReference(inputs.repository, tag) for tag in named)


def _labels(
    inputs: Inputs, context: RunContext, commit: Commit, image: ImageReference | None
) -> dict[str, str]:
    """Labels that are the same for the same commit, so that they leave the digest alone."""
    source = f"{context.server_url}/{context.repository}" if context.repository else ""
    labels = {
        "created": datetime.fromtimestamp(commit.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revision": commit.sha.value,
        "source": source,
        "title": PurePosixPath(image.repository.name).name if image else "",
    }
    ours = {f"org.opencontainers.image.{key}": value for key, value in labels.items() if value}
    # What is newer is told by the revision: it is no one else's to say.
    return {**ours, **inputs.labels, _REVISION: commit.sha.value}
