"""The adapter's contract, with the real Argo CD."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gitops_action.adapters.argocd import ArgoCD
from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.http import Http
from gitops_action.model.secret import Secret
from tests.systems.argocd_contract import EVERY_CHECK, STRANGER, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.argocd.conftest import Deploy
    from tests.systems.argocd import Installation


@pytest.fixture
def place(installation: Installation, deploy: Deploy) -> Iterator[Place]:
    http = Http(Cancellation())
    tokens = {**installation.tokens, "stranger": STRANGER}

    def client(account: str, headers: Mapping[str, Secret]) -> ArgoCD:
        return ArgoCD(http, installation.url, Secret(tokens[account]), headers)

    rollout, _ = deploy()
    yield Place(name=rollout.name, client=client)
    http.close()


@EVERY_CHECK
def test_the_real_one_keeps_the_contract(check: Callable[[Place], None], place: Place) -> None:
    """
    What the wait relies on is so.
    """
    check(place)
