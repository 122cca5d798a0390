"""What the server alone can say: its branches, and where a repository has gone."""

from __future__ import annotations

import re

from gitops_action.adapters.git.command import Answer, Git
from gitops_action.adapters.git.explain import explain, is_redirect
from gitops_action.errors import ActionError, GitOpsError

_FEW_BRANCHES = 10
_LOCATION = re.compile(r"[Ll]ocation: (\S+?)(?:/info/refs\?\S*)?\s*$", re.MULTILINE)


class Server:
    """Asks the server of `git` without a clone."""

    def __init__(self, git: Git) -> None:
        self._git = git

    def default_branch(self) -> str:
        """The branch that `HEAD` stands for; raises GitOpsError where there is none."""
        first = self._ask("--symref", "HEAD").partition("\t")[0]
        if not first.startswith("ref: refs/heads/"):
            raise GitOpsError(
                f"The GitOps repository {self._git.url} has no default branch.",
                hint="Name a branch: `gitops-branch: main`.",
            )
        return first.removeprefix("ref: refs/heads/")

    def no_branch(self, branch: str) -> GitOpsError:
        """Say that there is no such branch, and which there are."""
        lines = self._ask("--heads").splitlines()
        names = [line.partition("refs/heads/")[2] for line in lines]
        there = ", ".join(names) if len(names) <= _FEW_BRANCHES else f"{len(names)} others"
        return GitOpsError(
            f"The GitOps repository {self._git.url} has no branch `{branch}`; "
            f"it has {there or 'no branch at all'}.",
            hint=f"Name one in `gitops-branch`, or make it: `git push origin HEAD:{branch}`.",
        )

    def require(self, answer: Answer) -> None:
        """Raise why a command failed, if it did."""
        if not answer.succeeded:
            raise self.failure(answer)

    def failure(self, answer: Answer) -> ActionError:
        """Explain a failure; a redirect is asked where it leads, and not followed."""
        return explain(answer, self._git.url, self._moved() if is_redirect(answer) else "")

    def _moved(self) -> str:
        """The address that the server names; git keeps it to its trace of the headers."""
        answer = self._list("--heads", env={"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1"})
        found = _LOCATION.search(answer.stderr)
        return found[1] if found else ""

    def _ask(self, option: str, *refs: str) -> str:
        answer = self._list(option, *refs)
        self.require(answer)
        return answer.text

    def _list(self, option: str, *refs: str, env: dict[str, str] | None = None) -> Answer:
        return self._git.run("ls-remote", option, "--", self._git.url, *refs, network=True, env=env)
