"""Our image must be what runs."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gitops_action.errors import OtherImageError
from gitops_action.model.argocd import Application, Comparison, Resource
from gitops_action.model.argocd_tree import Node
from gitops_action.stages.sync import WaitFor
from tests.fakes.applications import LATER, application
from tests.fakes.promotions import IMAGE, OLD_IMAGE, SOURCES, branch, promoted
from tests.fakes.wait import Wait

DEPLOYMENT = Resource(group="apps", kind="Deployment", name="shop", sync="Synced", health="Healthy")
MIRROR = "mirror.example.com/acme/shop"


def running(*images: str, **changes: Any) -> Application:  # noqa: ANN401  fields of an Application
    """Deployed and healthy by all that Argo CD says, with pods of these images."""
    return application(images=images, resources=(DEPLOYMENT,), **changes)


def waiting(*script: tuple[float, Application], diff: str | None = None) -> Wait:
    wait = Wait(*script)
    wait.promoted, wait.ancestry = promoted(diff), branch()
    return wait


CHANGED = "--- a/overlays/dev Deployment/shop\n+++ b/overlays/dev Deployment/shop\n"


def test_pods_of_ours_beside_the_old_ones_are_enough() -> None:
    """
    While a rollout goes on both run; health says when it is over.
    """
    wait = waiting((0, running(OLD_IMAGE, IMAGE)), diff=CHANGED)

    assert wait.run().applications[0].health == "Healthy"
    assert wait.argocd.hard == []


def test_another_image_fails_after_one_hard_refresh() -> None:
    """
    Synced was true of manifests that Argo CD had kept: it is asked to forget them, once.
    """
    script = [
        (0.0, running(OLD_IMAGE)),
        (1.0, running(OLD_IMAGE, reconciled_at=LATER + timedelta(seconds=1))),
    ]
    wait = waiting(*script, diff=CHANGED)

    with pytest.raises(OtherImageError) as raised:
        wait.run()

    assert raised.value.message == (
        f"shop is Synced at 9d0f7e3 and does not run {IMAGE}; it runs {OLD_IMAGE}."
    )
    assert "targetRevision" in raised.value.hint
    assert len(wait.argocd.hard) == 1
    assert wait.seconds <= 10


def test_the_hard_refresh_may_mend_it() -> None:
    """
    A poisoned manifest cache is no failure of the rollout.
    """
    wait = waiting((0, running(OLD_IMAGE)), (3, running(IMAGE)), diff=CHANGED)

    wait.run()

    assert len(wait.argocd.hard) == 1


def test_an_override_in_the_application_is_named() -> None:
    """
    The image set by `argocd app set --kustomize-image` wins over the kustomization.
    """
    override = f"shop={OLD_IMAGE}"
    deployed = running(OLD_IMAGE)
    sources = (replace(deployed.source, images=(override,)),)
    spec = Comparison(sources=sources, destination=deployed.spec.destination)
    overridden = replace(deployed, spec=spec, compared_to=spec)
    later = replace(overridden, reconciled_at=LATER + timedelta(seconds=1))
    wait = waiting((0, overridden), (1, later), diff=CHANGED)

    with pytest.raises(OtherImageError, match=f"overrides the image itself: {override}"):
        wait.run()


def test_a_mirror_is_ours() -> None:
    """
    The cluster pulls what the kustomization's `newName` says.
    """
    wait = waiting((0, running(f"{MIRROR}:{SOURCES[1]}")), diff=CHANGED)
    wait.ancestry = branch(name=MIRROR)

    wait.run()

    assert wait.log.annotations == []


@pytest.mark.parametrize(
    ("images", "diff", "resources"),
    [
        pytest.param((), CHANGED, (DEPLOYMENT,), id="no replicas"),
        pytest.param(
            (OLD_IMAGE,),
            "+++ b/overlays/dev CronJob/shop\n",
            (Resource(kind="CronJob", name="shop"),),
            id="finished pods of a CronJob",
        ),
        pytest.param(
            (OLD_IMAGE,), None, (Resource(kind="CronJob", name="shop"),), id="a CronJob, unchanged"
        ),
        pytest.param(
            (OLD_IMAGE,),
            None,
            (DEPLOYMENT, Resource(kind="CronJob", name="nightly")),
            id="nobody knows whose pods they are",
        ),
    ],
)
def test_without_pods_of_its_own_it_is_said(
    images: tuple[str, ...], diff: str | None, resources: tuple[Resource, ...]
) -> None:
    """
    What does not run all the time cannot be looked at: that is a notice, no failure.
    """
    wait = waiting((0, application(images=images, resources=resources)), diff=diff)

    wait.run()

    assert len(wait.log.annotations) == 1
    assert f"shop has no pod of {IMAGE}" in wait.log.annotations[0]


def pod(owner: str) -> tuple[Node, ...]:
    return (Node(kind=owner, uid="1"), Node(kind="Pod", uid="2", parents=("1",)))


@pytest.mark.parametrize(("owner", "fails"), [("Job", False), ("ReplicaSet", True)])
def test_finished_pods_beside_a_deployment_without_replicas_are_not_in_our_place(
    owner: str, *, fails: bool
) -> None:
    """
    A Deployment scaled to zero runs nothing; a finished Job still has the older image.
    """
    later = running(OLD_IMAGE, reconciled_at=LATER + timedelta(seconds=1))
    wait = waiting((0, running(OLD_IMAGE)), (1, later), diff=CHANGED)
    wait.argocd.nodes = pod(owner)

    with pytest.raises(OtherImageError) if fails else nullcontext():
        wait.run()

    assert (f"shop has no pod of {IMAGE}" in "".join(wait.log.annotations)) is not fails


def test_synced_asks_for_no_pods() -> None:
    """
    `wait-for: synced` ends before pods are replaced.
    """
    wait = waiting((0, running(OLD_IMAGE, health="Progressing")), diff=CHANGED)
    wait.request = replace(wait.request, wait_for=WaitFor.SYNCED)

    wait.run()

    assert wait.seconds == 0
