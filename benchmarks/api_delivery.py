"""Count what `delivery: api` asks of GitHub, over the length of history and the number of files.

The fake GitHub stands on a real repository: its requests and bytes are those that GitHub would
see, its seconds are those of git on this machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from gitops_action.adapters.github import GitHubRepository  # noqa: E402  the checkout
from gitops_action.kustomization import ImageRequest, plan_edits, prove_rendered  # noqa: E402
from gitops_action.model.change import Change  # noqa: E402
from gitops_action.model.identity import GITHUB_ACTIONS  # noqa: E402
from gitops_action.model.image import ImageReference, Repository  # noqa: E402
from gitops_action.model.pin import Pin  # noqa: E402
from tests.fakes.kustomize import FakeKustomize  # noqa: E402
from tests.systems.github import NAME, GitHubPlace, github_place  # noqa: E402

FOLDER = "apps/a000/overlays/production"
FILES = {
    f"{FOLDER}/kustomization.yaml": (
        "resources:\n- ../../base\npatches:\n- path: replicas.yaml\n"
        'images:\n- name: shop\n  newTag: "0"\n'
    ),
    f"{FOLDER}/replicas.yaml": "kind: Deployment\n",
    "apps/a000/base/kustomization.yaml": "resources:\n- deployment.yaml\n- service.yaml\n",
    "apps/a000/base/deployment.yaml": "kind: Deployment\n",
    "apps/a000/base/service.yaml": "kind: Service\n",
}
RUNS = 9
IN_A_FOLDER = 100


def main() -> None:
    """Print one row for each size: requests, kilobytes and seconds of one promotion."""
    print(f"medians of {RUNS} promotions of one overlay and its base")
    print(f"{'commits':>8} {'files':>8} {'requests':>9} {'kB':>8} {'seconds':>8}")
    for commits, files in ((10, 100), (10_000, 100), (10, 1_000), (10, 10_000), (10, 100_000)):
        with tempfile.TemporaryDirectory() as folder, github_place(Path(folder), FILES) as place:
            grow(place, commits, files)
            rows = [measured(place, str(run + 1)) for run in range(RUNS)]
        requests, sent, seconds = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{commits:8} {files:8} {requests:9.0f} {sent / 1000:8.1f} {seconds:8.3f}")


def grow(place: GitHubPlace, commits: int, files: int) -> None:
    """Add files, a hundred in each folder below `apps`, and commits of one file."""
    names = (f"apps/a{n // IN_A_FOLDER:03}/f{n % IN_A_FOLDER:03}.yaml" for n in range(files))
    place.commit(dict.fromkeys(names, "kind: ConfigMap\n"))
    parts = [b"reset refs/heads/main\nfrom refs/heads/main^0\n\n"]
    for number in range(commits):
        text = str(number).encode()
        parts.append(
            b"commit refs/heads/main\ncommitter x <x@example.com> now\ndata 1\nx\n"
            b"M 100644 inline README.md\ndata %d\n%s\n" % (len(text), text)
        )
    stream = b"".join(parts)
    place.git.git(NAME, "fast-import", "--quiet", "--force", "--date-format=now", stdin=stream)


def measured(place: GitHubPlace, tag: str) -> tuple[int, int, float]:
    """Promote once, as a job of its own does."""
    requests, sent = len(place.github.requests), place.github.sent_bytes
    started = time.perf_counter()
    repository = GitHubRepository(place.api())
    head = repository.head("main")
    image = ImageReference(Repository("shop"), tag)
    edits = plan_edits(
        [PurePosixPath(FOLDER)],
        requests=[ImageRequest(image, "shop", Pin.TAG)],
        tree=repository,
        head=head,
    )
    prove_rendered(edits, tree=repository, head=head, renderer=FakeKustomize(), required=False)
    files = {edit.path: edit.edit.text.encode() for edit in edits}
    change = Change(parent=head, files=files, message=f"{tag}\n", author=GITHUB_ACTIONS)
    if repository.land(change, "main") is None:
        sys.exit("The promotion did not land.")
    seconds = time.perf_counter() - started
    return len(place.github.requests) - requests, place.github.sent_bytes - sent, seconds


if __name__ == "__main__":
    main()
