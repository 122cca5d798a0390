"""The ways onto the branch: a push, a commit that GitHub signs, a pull request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from gitops_action.errors import PushRefusedError, SignatureRequiredError
from gitops_action.model.delivery import Delivery
from gitops_action.stages.promote.proposal import propose

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_action.model.change import Change
    from gitops_action.model.source import CommitSha
    from gitops_action.stages.promote.proposal import GitHub, Standing
    from gitops_action.stages.promote.request import PromoteRequest, PromoteResult


class Repository(Protocol):
    def land(self, change: Change, branch: str) -> CommitSha | None:
        """Commit, and move the branch from the change's parent to it; None after a lost race."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of it, None after a lost race; `refused` says what was refused on the way."""

    result: PromoteResult | None
    refused: tuple[str, ...] = ()


def deliver(  # noqa: PLR0913  what is delivered, and by whom
    request: PromoteRequest,
    change: Change,
    planned: PromoteResult,
    *,
    repository: Repository,
    github: GitHub | None,
    standing: Callable[[], Standing],
) -> Delivered:
    """Land the change; `standing` says what an open pull request asks for.

    Raises PushRefusedError where a rule is in the way and no other way was asked for.
    """
    if github is None or request.delivery in {Delivery.PUSH, Delivery.API}:
        return Delivered(_landed(planned, repository.land(change, request.branch)))
    refused: list[str] = []
    if request.delivery is Delivery.AUTO:
        for way in (repository, github.branches):
            try:
                commit = way.land(change, request.branch)
            except SignatureRequiredError as error:
                refused.append(f"GitHub shall sign the commit, because {error.message}")
            except PushRefusedError as error:
                refused.append(f"A pull request shall carry the commit, because {error.message}")
                break
            else:
                return Delivered(_landed(planned, commit), tuple(refused))
    return Delivered(propose(request, change, planned, github, standing), tuple(refused))


def _landed(planned: PromoteResult, commit: CommitSha | None) -> PromoteResult | None:
    return replace(planned, revision=commit) if commit else None
