"""A job that promotes and ends: `python -m tests.systems.promote_once URL FOLDER`, token on stdin.

A process of its own, so that it can be killed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.git import Git, GitOpsClone
from gitops_action.model.secret import Secret
from tests.systems.promoter import run


def main() -> None:
    """Promote `shop` to v2."""
    url, folder = sys.argv[1:]
    clone = GitOpsClone(
        Git(
            url=url,
            token=Secret(sys.stdin.readline().strip()),
            directory=Path(folder),
            cancellation=Cancellation(),
            env={"PATH": os.environ["PATH"]},
        )
    )
    sys.stdout.write(str(run(clone).revision))


if __name__ == "__main__":
    main()
