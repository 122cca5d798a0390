"""What ends badly: why the commit is not deployed, said as early as it is certain."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gitops_action.errors import (
    ApplicationError,
    ArgoCDLoginError,
    ComparisonError,
    DegradedError,
    OtherImageError,
    RolledBackError,
    SyncError,
    WaitTimeoutError,
)
from tests.systems.argocd import populate
from tests.systems.rollout import (
    IMAGE,
    PATH,
    REFUSED,
    SERVICE,
    is_retrying,
    kustomization,
    operation,
    revision,
)

if TYPE_CHECKING:
    from tests.argocd.conftest import Deploy, Wait
    from tests.fakes.argocd_document import Document
    from tests.systems.argocd import Installation
    from tests.systems.processes import Processes

POLL = 1.0
# What could still mend itself is seen a poll late, and given up at the poll (of two seconds after
# the first minute) that follows the end of its grace.
LATE = 1.0 + 2.0


def test_a_broken_kustomization_is_named(deploy: Deploy, wait: Wait) -> None:
    """
    Kustomize's own words come through once it is clear that nobody mends it.
    """
    one, _ = deploy()

    # Unquoted, the tag is a number, which Kustomize refuses.
    sha = one.push({f"{PATH}/kustomization.yaml": kustomization("2222222").replace('"', "")})
    waiting = wait(sha, one, timeout_seconds=200)

    error = waiting.failure()
    assert isinstance(error, ComparisonError)
    assert "newTag" in error.message
    broken = one.await_that(lambda it: "ComparisonError" in str(it.get("status")))
    waiting.assert_ended_soon_after(broken + 120, pauses=LATE)


def test_a_manifest_that_the_cluster_refuses(deploy: Deploy, wait: Wait) -> None:
    """
    The first attempt is told at once; a second one that the API server answers alike is enough.
    """
    one, _ = deploy()

    sha = one.push(REFUSED)
    waiting = wait(sha, one)

    error = waiting.failure()
    assert isinstance(error, SyncError)
    assert 'answered two attempts alike: Service "shop" is invalid' in error.message
    assert waiting.said("could not be synced at the first attempt")
    # The second attempt began five seconds after the first, the third has ten more to wait.
    refused_at = one.await_that(_was_refused_twice)
    waiting.assert_ended_soon_after(refused_at, pauses=POLL)


def _was_refused_twice(application: Document) -> bool:
    state = operation(application)
    return state.get("retryCount", 0) >= 2 and "finishedAt" in state


def test_an_older_commit_that_blocks_ours_is_named(deploy: Deploy, wait: Wait) -> None:
    """
    While Argo CD retries an older commit it does not look at ours, and the wait says so.
    """
    one, _ = deploy()

    broken = one.push(REFUSED)
    one.refresh()
    one.await_that(is_retrying)
    fix = one.push({f"{PATH}/service.yaml": SERVICE})
    waiting = wait(fix, one, timeout_seconds=10)

    error = waiting.failure()
    assert isinstance(error, WaitTimeoutError)
    assert f"operation Running at {broken[:7]}" in error.message
    assert f"does not contain {fix[:7]}" in error.message
    blocked = f"is blocked: Argo CD tries the older commit {broken[:7]} again and again"
    assert [line for line in waiting.log.lines if blocked in line and "is invalid" in line]


def test_a_manual_application_needs_a_sync(deploy: Deploy, wait: Wait) -> None:
    """
    Nobody syncs it: that is said instead of waiting until the deadline.
    """
    one, _ = deploy(sync_policy={})

    sha = one.git.head(one.repository)
    waiting = wait(sha, one, timeout_seconds=120)

    error = waiting.failure()
    assert isinstance(error, ApplicationError)
    assert "auto-sync" in error.message
    assert "argocd-sync: if-needed" in error.hint
    waiting.assert_ended_soon_after(waiting.begun + 60, pauses=LATE)


def test_a_rollout_that_degrades_fails(deploy: Deploy, wait: Wait) -> None:
    """
    A Deployment past its progress deadline ends the wait, and is named with its own message.
    """
    one, controller = deploy()
    controller.broken = {"1.1.0"}

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0", timeout_seconds=120)

    error = waiting.failure()
    assert isinstance(error, DegradedError)
    assert "Deployment/shop" in error.message
    assert "exceeded its progress deadline" in error.message
    degraded = one.await_that(
        lambda it: revision(it) == sha and it["status"]["health"]["status"] == "Degraded"
    )
    waiting.assert_ended_soon_after(degraded + 60, pauses=LATE + 1.0)


def test_a_degraded_rollout_that_is_reverted(deploy: Deploy, wait: Wait) -> None:
    """
    A revert is a newer commit with an older image: the job does not take that for its own success.
    """
    one, controller = deploy()
    controller.broken = {"1.1.0"}

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0", timeout_seconds=120)
    waiting.await_line("Degraded")
    reverted = one.bump("1.0.0")
    one.refresh()
    seen = one.await_that(lambda it: revision(it) == reverted)

    error = waiting.failure()
    assert isinstance(error, RolledBackError)
    assert "1.0.0" in error.message
    waiting.assert_ended_soon_after(seen, pauses=POLL)


def test_an_image_that_the_application_overrides(deploy: Deploy, wait: Wait) -> None:
    """
    Synced and Healthy at our commit means nothing where another image runs, and the cause is named.
    """
    one, _ = deploy(overrides=[f"shop={IMAGE}:1.0.0"])

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0")

    error = waiting.failure()
    assert isinstance(error, OtherImageError)
    assert "overrides the image itself" in error.message


def test_an_application_that_is_deleted_meanwhile(deploy: Deploy, wait: Wait) -> None:
    """
    It may come back for two minutes, as an ApplicationSet makes it anew; then it is gone.
    """
    one, controller = deploy()
    controller.seconds = 600

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0", timeout_seconds=300)
    waiting.await_line("Progressing")
    one.kubernetes.delete("Application", one.installation.namespace, one.name)
    deleted = time.monotonic()

    error = waiting.failure()
    waiting.assert_ended_soon_after(deleted + 120, pauses=LATE)
    assert isinstance(error, ApplicationError)
    assert f"sees no Application {one.name}" in error.message


def test_an_application_that_is_being_deleted(deploy: Deploy, wait: Wait) -> None:
    """
    What Argo CD takes down it does not deploy to, and the wait ends at once.
    """
    one, controller = deploy()
    controller.seconds = 600
    # The controller waits for the end of what it deployed, which this one holds up.
    kept = {"metadata": {"finalizers": ["tests.example.com/kept"]}}
    one.kubernetes.patch("Application", one.installation.namespace, one.name, kept)

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0")
    waiting.await_line("Progressing")
    one.kubernetes.delete("Application", one.installation.namespace, one.name)
    deleted = one.await_that(lambda it: "deletionTimestamp" in it["metadata"])

    error = waiting.failure()
    released = {"metadata": {"finalizers": None}}
    one.kubernetes.patch("Application", one.installation.namespace, one.name, released)
    assert isinstance(error, ApplicationError)
    assert "is being deleted" in error.message
    waiting.assert_ended_soon_after(deleted, pauses=POLL)


def test_a_token_that_is_revoked_in_the_middle(
    deploy: Deploy, wait: Wait, installation: Installation
) -> None:
    """
    A server that restarts refuses tokens for a while; one that refuses longer means it.
    """
    one, controller = deploy()
    controller.seconds = 600
    token = installation.token("leaver")

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0", token=token, timeout_seconds=200)
    waiting.await_line("Progressing")
    installation.revoke("leaver")
    revoked = time.monotonic()

    error = waiting.failure()
    waiting.assert_ended_soon_after(revoked + 60, pauses=LATE)
    assert isinstance(error, ArgoCDLoginError)
    assert "argocd-token" in error.hint
    assert token not in f"{error.message}{error.hint}{waiting.log.lines}"


def test_a_controller_that_stops_ends_the_wait_at_its_deadline(
    deploy: Deploy, wait: Wait, installation: Installation, processes: Processes
) -> None:
    """
    Nothing reconciles any more: the wait ends at its deadline, not before, not later, and says so.
    """
    own = replace(installation, namespace="halted", folder=str(processes.folder), tokens={})
    own = populate(processes, own)
    one, _ = deploy(installation=own)
    processes.pause("halted-application-controller")

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0", timeout_seconds=45)

    error = waiting.failure()
    assert isinstance(error, WaitTimeoutError)
    assert "Nothing reconciles" in error.message
    assert "argocd-application-controller" in error.hint
    assert waiting.ended - waiting.begun >= 45
    waiting.assert_ended_soon_after(waiting.begun + 45, pauses=POLL)
