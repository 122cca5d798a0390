"""The action's own image, built from the unchanged Dockerfile."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.systems.base_images import base_images
from tests.systems.engine import add_buildx, engine

_ROOT = Path(__file__).parents[2]
# Checkouts share an engine, and each is tested with its own image.
TAG = f"gitops-action:test-{hashlib.sha256(str(_ROOT).encode()).hexdigest()[:8]}"


def build_action_image(docker_host: str) -> str:
    """Build the image in the engine at `docker_host` and return its tag.

    The engine's layer cache makes every build but the first one fast. --network=host: packages are
    fetched while it is built, and the test engine's bridge leads nowhere.
    """
    base_images(docker_host)
    with tempfile.TemporaryDirectory() as config:
        add_buildx(Path(config))
        subprocess.run(
            [
                *("docker", "buildx", "build", "--network=host", "--provenance=false"),
                *("--progress=plain", "--tag", TAG, str(_ROOT)),
            ],
            check=True,
            stdout=sys.stderr,
            env={**os.environ, "DOCKER_HOST": docker_host, "DOCKER_CONFIG": config},
        )
    return TAG


if __name__ == "__main__":
    with engine() as address:
        build_action_image(address)
