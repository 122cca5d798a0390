"""The SBOMs that ko leaves beside a layout, and what brings one into a registry: a referrer.

https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gitops_action.errors import BuildError
from gitops_action.model.image import Digest

# What Trivy looks for, and takes as the type of the one layer as well.
_SPDX = "application/spdx+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class Sbom:
    """A `document`, and the descriptor of the image that it is about: media type, digest, size."""

    document: str
    subject: Mapping[str, object]


def read_sboms(layout: Path, folder: Path, read: Callable[[Path], str]) -> list[Sbom]:
    """Find the SBOM of each platform's image in `folder`; raises BuildError.

    An index has one as well, which lists no module: a scanner that found it would call the image
    clean, and without it looks into the image. So it is left out.
    """
    documents = [read(file) for file in folder.glob("*.spdx.json")]
    try:
        named = {json.loads(document)["name"]: document for document in documents}
        [top] = json.loads(read(layout / "index.json"))["manifests"]
        algorithm, _, value = str(Digest(top["digest"])).partition(":")
        images = json.loads(read(layout / "blobs" / algorithm / value)).get("manifests", [top])
        return [
            Sbom(
                named[f"sbom-{image['digest']}"],
                {key: image[key] for key in ("mediaType", "digest", "size")},
            )
            for image in images
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BuildError(
            "The SBOM that ko has made is not there any more, or is of another image.",
            hint="See that nothing which `.ko.yaml` starts writes where ko does, or leave the "
            "input `attestations` out.",
        ) from error


def write_referrer(sbom: Sbom, folder: Path) -> Digest:
    """Write a layout with the manifest that attaches the SBOM to its image; gives its digest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def write(text: str, kind: str) -> dict[str, object]:
        blob = text.encode()
        value = hashlib.sha256(blob).hexdigest()
        (blobs / value).write_bytes(blob)
        return {"mediaType": kind, "digest": f"sha256:{value}", "size": len(blob)}

    title = {"annotations": {"org.opencontainers.image.title": "sbom.spdx.json"}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": _SPDX,
        "config": write("{}", _EMPTY),
        "layers": [write(sbom.document, _SPDX) | title],
        "subject": sbom.subject,
        # Each push is another manifest: crane passes one by that is there, also where an earlier
        # push ended before it was listed among the image's referrers, and it is never found.
        "annotations": {"org.opencontainers.image.created": datetime.now(UTC).isoformat()},
    }
    top = write(json.dumps(manifest), _MANIFEST)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    return Digest(str(top["digest"]))
