"""What ends well: Argo CD has the commit deployed, and the wait says so soon after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitops_action.errors import ArgoCDTLSError
from gitops_action.model.wait import SyncMode
from tests.systems.processes import free_port
from tests.systems.rollout import (
    PATH,
    REFUSED,
    SERVICE,
    deployed,
    is_retrying,
    kustomization,
    revision,
)

if TYPE_CHECKING:
    from tests.argocd.conftest import Deploy, Wait
    from tests.systems.argocd import Installation
    from tests.systems.processes import Processes
    from tests.systems.rollout import Rollout
    from tests.systems.waiting import Waiting

# A poll, the server's second in which the operation ended, and the confirming document a second
# after the first.
PAUSES = 1.0 + 1.0 + 1.0


def assert_soon(one: Rollout, waiting: Waiting, sha: str) -> None:
    """The verdict came after the truth, and soon."""
    since = one.final_since(deployed(sha), waiting.ended)
    waiting.assert_ended_soon_after(since, pauses=PAUSES)


def test_a_new_tag_is_healthy(deploy: Deploy, wait: Wait) -> None:
    """
    A promotion is reported deployed when it is, and not before.
    """
    one, controller = deploy()
    controller.seconds = 2.0

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0")

    (result,) = waiting.result().applications
    assert (result.revision, result.sync, result.health) == (sha, "Synced", "Healthy")
    assert result.reason == f"Synced and Healthy at {sha[:7]}"
    assert_soon(one, waiting, sha)


def test_a_commit_outside_the_path_is_deployed_without_an_operation(
    deploy: Deploy, wait: Wait
) -> None:
    """
    A commit that changes none of the Application's manifests is deployed once Argo CD saw it.
    """
    one, _ = deploy()
    before = one.document["status"]["operationState"]

    sha = one.push({"README.md": "Nothing that Argo CD reads.\n"})
    waiting = wait(sha, one)

    (result,) = waiting.result().applications
    assert (result.revision, result.health) == (sha, "Healthy")
    assert one.document["status"]["operationState"] == before
    assert_soon(one, waiting, sha)


def test_a_newer_commit_that_keeps_our_image_overtakes(deploy: Deploy, wait: Wait) -> None:
    """
    Where Argo CD goes straight to a newer commit, ours counts as deployed with it.
    """
    one, controller = deploy()
    controller.seconds = 1.0

    sha = one.bump("1.1.0")
    newer = one.push({f"{PATH}/service.yaml": SERVICE.replace("port: 80", "port: 81")})
    waiting = wait(sha, one, tag="1.1.0")

    (result,) = waiting.result().applications
    assert result.revision == newer
    assert result.reason.endswith(f"which contains {sha[:7]}")
    assert_soon(one, waiting, newer)


def test_a_newer_image_supersedes(deploy: Deploy, wait: Wait) -> None:
    """
    A newer release went in on top of ours: the wait ends at once, well, and does not wait for it.
    """
    one, controller = deploy()
    controller.seconds = 600

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0")
    waiting.await_line("Progressing")
    newer = one.bump("1.2.0")
    one.refresh()
    seen = one.await_that(lambda it: revision(it) == newer)

    assert waiting.result().superseded
    waiting.assert_ended_soon_after(seen, pauses=1.0)


def test_a_manual_application_is_synced_on_demand(deploy: Deploy, wait: Wait) -> None:
    """
    With `argocd-sync: if-needed` the step does what nobody else does, once.
    """
    one, _ = deploy(sync_policy={})

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0", mode=SyncMode.IF_NEEDED)

    (result,) = waiting.result().applications
    assert (result.revision, result.health) == (sha, "Healthy")
    assert [line for line in waiting.log.lines if "asking Argo CD to sync" in line][1:] == []
    assert_soon(one, waiting, sha)


def test_an_older_commit_that_blocks_ours_is_ended_on_demand(deploy: Deploy, wait: Wait) -> None:
    """
    With `argocd-unblock: true` the fix goes in at once instead of after all retries.
    """
    one, _ = deploy()

    one.push(REFUSED)
    one.refresh()
    one.await_that(is_retrying)
    fix = one.push({f"{PATH}/service.yaml": SERVICE})
    waiting = wait(fix, one, unblock=True)

    (result,) = waiting.result().applications
    assert (result.revision, result.health) == (fix, "Healthy")
    assert waiting.said("ended the older operation")
    assert waiting.ended - waiting.begun <= 15  # it takes Argo CD five minutes
    assert_soon(one, waiting, fix)


def test_one_of_two_sources_is_ours(deploy: Deploy, wait: Wait) -> None:
    """
    An Application may take its manifests from more places than the one that was promoted.
    """
    one, _ = deploy(second_source=True)

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0")

    (result,) = waiting.result().applications
    assert (result.sync, result.health) == ("Synced", "Healthy")
    assert_soon(one, waiting, sha)


def test_a_newer_commit_mends_a_broken_kustomization(deploy: Deploy, wait: Wait) -> None:
    """
    A kustomization that does not build is named while it lasts, and waited out while it may mend.
    """
    one, _ = deploy()

    # Unquoted, the tag is a number, which Kustomize refuses.
    sha = one.push({f"{PATH}/kustomization.yaml": kustomization("2222222").replace('"', "")})
    waiting = wait(sha, one)
    waiting.await_line("ComparisonError")
    fixed = one.bump("1.1.0")

    (result,) = waiting.result().applications
    assert result.revision == fixed
    assert_soon(one, waiting, fixed)


def test_three_applications_are_waited_for_at_once(deploy: Deploy, wait: Wait) -> None:
    """
    The step goes on when the last of them is healthy, and says so of each.
    """
    first, controller = deploy()
    second, _ = deploy(beside=first)
    third, slowest = deploy(beside=first)
    controller.seconds, slowest.seconds = 1.0, 4.0

    sha = first.bump("1.1.0")
    waiting = wait(sha, first, second, third, tag="1.1.0")

    results = waiting.result().applications
    assert [str(one.name) for one in results] == [first.name, second.name, third.name]
    assert {(one.revision, one.sync, one.health) for one in results} == {(sha, "Synced", "Healthy")}
    assert_soon(third, waiting, sha)


def test_an_api_server_that_restarts_is_waited_for(
    deploy: Deploy, wait: Wait, installation: Installation, processes: Processes
) -> None:
    """
    An update of Argo CD itself, in the middle of a rollout, fails no job.
    """
    one, controller = deploy()
    controller.seconds = 8.0
    port = free_port()
    server = installation.start_server(processes, port)

    sha = one.bump("1.1.0")
    waiting = wait(sha, one, tag="1.1.0", server=server)
    waiting.await_line("Progressing")
    processes.stop(f"{installation.namespace}-server")
    waiting.await_line("does not answer")
    installation.start_server(processes, port)

    (result,) = waiting.result().applications
    assert (result.revision, result.health) == (sha, "Healthy")
    assert_soon(one, waiting, sha)


def test_tls_with_a_certificate_of_its_own(
    deploy: Deploy, wait: Wait, installation: Installation, processes: Processes
) -> None:
    """
    A certificate of the company's own is trusted where it is given, and refused where it is not.
    """
    one, _ = deploy()
    server = installation.start_server(processes, free_port(), tls=True)

    sha = one.bump("1.1.0")
    stranger = wait(sha, one, tag="1.1.0", server=server)
    friend = wait(
        sha, one, tag="1.1.0", server=server, ca_file=Path(installation.folder, "argocd.pem")
    )

    assert isinstance(stranger.failure(), ArgoCDTLSError)
    assert "ca-certificates" in stranger.failure().hint
    stranger.assert_ended_soon_after(stranger.begun, pauses=0.0)
    (result,) = friend.result().applications
    assert result.revision == sha
    assert_soon(one, friend, sha)
