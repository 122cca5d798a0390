"""A registry in the place of the public ones, with the base images that the engine has.

A buildkitd that has it as a mirror asks it first.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.systems.base_images import GO, STATIC, base_images
from tests.systems.engine import cache, locked
from tests.systems.registry import open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLATFORMS = ("linux/amd64", "linux/arm64")


@contextmanager
def mirror(docker_host: str) -> Iterator[str]:
    """Serve Go and the static base as the engine at `docker_host` has them; gives the address.

    What was pushed is kept: the first time takes about ten seconds.
    """
    base_images(docker_host)
    with open_registry(data=cache() / "mirror") as registry:
        # A mirror has an image under its path in the registry that it stands for.
        go, static = (
            f"{registry.address}/{path}" for path in (f"library/{GO}", STATIC.partition("/")[2])
        )
        with locked(cache() / "mirror.lock"):
            _push(docker_host, GO, go)
            _push(docker_host, STATIC, f"{static}-one")
            _add_platforms(f"{static}-one", static)
        yield registry.address


def _push(docker_host: str, name: str, mirrored: str) -> None:
    for argv in (("tag", name, mirrored), ("push", mirrored), ("rm", mirrored)):
        subprocess.run(
            ["docker", "image", *argv],
            check=True,
            env={**os.environ, "DOCKER_HOST": docker_host},
            capture_output=True,
        )


def _add_platforms(one: str, static: str) -> None:
    """Let the base be there for each platform: it holds no program."""
    names = [f"{static}-{platform.rpartition('/')[2]}" for platform in _PLATFORMS]
    for platform, name in zip(_PLATFORMS, names, strict=True):
        _crane("mutate", one, f"--set-platform={platform}", f"--tag={name}")
    _crane("index", "append", *(f"--manifest={name}" for name in names), f"--tag={static}")


def _crane(*argv: str) -> None:
    subprocess.run(["crane", *argv], check=True, capture_output=True)
