"""A registry in Docker Hub's place, with a stand-in for what builds run from there."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.model.build import BuildRequest
from tests.systems.registry import open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

# What it compiles says for which platform, and is as new as the build. As BuildKit's scanner it
# lists the files of the image: docs/attestations/sbom-protocol.md in github.com/moby/buildkit.
_TOOL = """package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if os.Getenv("TARGETARCH") == "never" {
		time.Sleep(time.Minute)
	}
	if told := os.Getenv("BUILDKIT_SCAN_DESTINATION"); told != "" {
		scan(os.Getenv("BUILDKIT_SCAN_SOURCE"), told)
		return
	}
	os.Mkdir("/out", 0o755)
	os.WriteFile("/out/app", []byte(os.Getenv("TARGETARCH")), 0o755)
}

func scan(source, told string) {
	files := []map[string]string{}
	filepath.WalkDir(source, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, map[string]string{"fileName": path[len(source):]})
		}
		return err
	})
	bill, _ := json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v0.1",
		"predicateType": "https://spdx.dev/Document",
		"predicate":     map[string]any{"spdxVersion": "SPDX-2.3", "files": files},
	})
	os.WriteFile(filepath.Join(told, filepath.Base(source)+".spdx.json"), bill, 0o644)
}
"""
_IMAGES = ("library/tool:1", "docker/buildkit-syft-scanner:stable-1")
# What differs in CASE was not built before.
DOCKERFILE = """FROM --platform=$BUILDPLATFORM tool:1 AS build
ARG TARGETARCH CASE
RUN ["/tool"]
FROM scratch
COPY --from=build /out /
COPY . /
"""
CREATED = 1_700_000_000
PLATFORMS = ("linux/amd64", "linux/arm64")
REQUEST = BuildRequest(
    builder="docker",
    module=PurePosixPath(),
    context=PurePosixPath(),
    dockerfile=PurePosixPath("Dockerfile"),
    main_package="",
    base_image="",
    labels={"org.opencontainers.image.revision": "9d0f7e3", "note": "a, b=c"},
    created=CREATED,
    platforms=PLATFORMS,
)


@contextmanager
def docker_hub() -> Iterator[str]:
    """Run it; gives its address, `127.0.0.1:port`."""
    with open_registry() as running, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "main.go").write_text(_TOOL)
        go = {**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"}
        build = ["go", "build", "-o", str(folder / "tool"), str(folder / "main.go")]
        subprocess.run(build, check=True, env=go)
        with tarfile.open(folder / "layer.tar", "w") as layer:
            layer.add(folder / "tool", "tool")
        for image in _IMAGES:
            tag = f"{running.address}/{image}"
            for argv in (
                ["append", "--oci-empty-base", "-f", str(folder / "layer.tar")],
                ["mutate", tag, "--entrypoint=/tool", "--set-platform=linux/amd64"],
            ):
                subprocess.run(["crane", *argv, "-t", tag], check=True, capture_output=True)
        yield running.address
