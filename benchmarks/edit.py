"""Time an edit against `kustomize edit set image` and a ruamel.yaml round trip, in one run."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from gitops_action.errors import ActionError  # noqa: E402  the checkout, not what is installed
from gitops_action.kustomization import set_image  # noqa: E402
from gitops_action.model.image import ImageReference, Repository  # noqa: E402

SHARED = Path(os.environ.get("GITOPS_ACTION_SHARED") or ROOT.parent / "shared" / "data")
REPOSITORY = "ghcr.io/acme/shop"
TAG = "0123456"
ENTRY = "bench"


def main() -> None:
    """Print the times per file, and how many times longer the others take."""
    with tempfile.TemporaryDirectory() as folder:
        ways = {"ours": ours, "ruamel": ruamel, "kustomize": kustomize_in(Path(folder))}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for text in files():
            # One file after the other in each way, so that a busy machine slows all of them.
            measured = {name: best(way, text) for name, way in ways.items()}
            if all(measured.values()):
                for name, seconds in measured.items():
                    times[name].append(seconds or 0.0)
    print(f"{len(times['ours'])} files, milliseconds per edit")
    for name, taken in times.items():
        ratio = statistics.median(
            other / own for other, own in zip(taken, times["ours"], strict=True)
        )
        print(
            f"{name:10} median {statistics.median(taken) * 1000:7.2f}  "
            f"longest {max(taken) * 1000:7.2f}  ratio {ratio:5.1f}"
        )


def files() -> list[str]:
    """The corpus of real files, or the fixtures where it is absent."""
    folder = SHARED / "corpus"
    if folder.is_dir():
        index = json.loads((folder / "index.json").read_text())
        return [(folder / item["file"]).read_bytes().decode() for item in index]
    print("The corpus is not here: measuring with the fixtures.")
    fixtures = ROOT / "tests" / "fixtures" / "kustomizations"
    return [file.read_text() for file in sorted(fixtures.glob("*/before.yaml"))]


def best(way: Callable[[str], bool], text: str) -> float | None:
    """The shortest of three times in seconds; None where the file is refused."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        if not way(text):
            return None
        taken.append(time.perf_counter() - started)
    return min(taken)


def ours(text: str) -> bool:
    """Edit and prove."""
    image = ImageReference(Repository(REPOSITORY), TAG)
    try:
        return set_image(text, image=image, entry=ENTRY).changed
    except ActionError:
        return False


def ruamel(text: str) -> bool:
    """Load, change, dump: what most scripts do. It proves nothing."""
    yaml = YAML()
    yaml.preserve_quotes = True
    document = yaml.load(text)
    entry = {"name": ENTRY, "newName": REPOSITORY, "newTag": TAG}
    document.setdefault("images", []).append(entry)
    yaml.dump(document, io.StringIO())
    return True


def kustomize_in(folder: Path) -> Callable[[str], bool]:
    """Run `kustomize edit set image` in a folder of its own."""
    file = folder / "kustomization.yaml"

    def kustomize(text: str) -> bool:
        file.write_text(text)
        done = subprocess.run(  # noqa: S603  our own words
            ["kustomize", "edit", "set", "image", f"{ENTRY}={REPOSITORY}:{TAG}"],  # noqa: S607
            cwd=folder,
            check=False,
            capture_output=True,
        )
        return done.returncode == 0

    return kustomize


if __name__ == "__main__":
    main()
