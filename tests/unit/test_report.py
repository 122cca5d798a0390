"""Outputs, job summary and last line, on success and failure alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from gitops_action.errors import (
    ActionError,
    BugError,
    CancelledError,
    DegradedError,
    InputError,
    RegistryError,
    RegistryLoginError,
    RegistryUnavailableError,
    VerifyError,
)
from gitops_action.kustomization import ImageChange
from gitops_action.model.go import Finding, FindingKind
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.pull_request import PullRequest, PullRequestState
from gitops_action.model.source import Location
from gitops_action.model.wait import ApplicationName
from gitops_action.outcome import Outcome, Result, StageRun, State, last_line
from gitops_action.report import outputs
from gitops_action.stages.promote import Ending, PromoteResult
from gitops_action.stages.publish import PublishResult
from gitops_action.stages.sync import ApplicationResult, ResourceStatus, SyncResult
from gitops_action.stages.verify import VerifyResult
from gitops_action.summary import summary
from tests.fakes.runs import HEAD, SHA, plan_of

IMAGE = ImageReference(Repository("ghcr.io/acme/shop"), SHA.value, Digest("sha256:" + "d" * 64))
PROMOTED = PromoteResult(
    revision=HEAD,
    ending=Ending.PROMOTED,
    previous="ghcr.io/acme/shop:old",
    diff="--- a/k.yaml\n+++ b/k.yaml\n-  newTag: old\n+  newTag: ```new\n",
    files=(PurePosixPath("k.yaml"),),
)


PULL = PullRequest(
    id="x",
    number=7,
    url="https://github.com/acme/x/pull/7",
    state=PullRequestState.OPEN,
    base="main",
    head=HEAD,
)
KEPT = "\N{NO-BREAK SPACE}"


def _application(name: str, sync: str, health: str) -> ApplicationResult:
    return ApplicationResult(
        name=ApplicationName(name),
        revision=HEAD.value,
        sync=sync,
        health=health,
        url=f"https://argocd.example.com/applications/argocd/{name}",
        reason="is deployed",
        resources=(
            ResourceStatus(
                kind="Deployment",
                name="shop",
                sync="Synced",
                health="Degraded",
                message="exceeded its | deadline <b>",
            ),
        ),
    )


def _verified(*findings: Finding) -> VerifyResult:
    return VerifyResult(passed=3, failed=len(findings), skipped=1, findings=findings)


def _healthy() -> Outcome:
    return Outcome(
        plan=plan_of(),
        result=Result.HEALTHY,
        runs=(StageRun("verify", State.PASSED, 1.25, "3 tests passed"),),
        image=IMAGE,
        verify=_verified(),
        publish=PublishResult(IMAGE, (SHA.value, "latest")),
        promote=PROMOTED,
        sync=SyncResult(
            (_application("one", "Synced", "Healthy"), _application("two", "OutOfSync", "Degraded"))
        ),
    )


def test_outputs_tell_all_of_a_deployment() -> None:
    """
    A later step can use the image, the commit and Argo CD's verdict.
    """
    told = outputs(_healthy())

    assert told["result"] == "healthy"
    assert told["image"] == str(IMAGE)
    assert told["tag"] == SHA.value
    assert told["digest"] == "sha256:" + "d" * 64
    assert (told["tests-passed"], told["tests-failed"], told["tests-skipped"]) == ("3", "0", "1")
    assert told["previous-image"] == "ghcr.io/acme/shop:old"
    assert told["changed"] == "true"
    assert told["gitops-commit-url"] == f"https://github.com/acme/shop/commit/{HEAD}"
    assert told["revision"] == HEAD.value
    assert (told["sync-status"], told["health-status"]) == ("OutOfSync", "Degraded")
    assert [one["name"] for one in json.loads(told["applications"])] == ["one", "two"]
    assert json.loads(told["timings"]) == [{"stage": "verify", "result": "passed", "seconds": 1.2}]


def test_outputs_are_complete_where_nothing_was_done() -> None:
    """
    A step that failed at its inputs sets every output all the same.
    """
    failure = InputError("`image` is wrong.", hint="Correct it.")

    told = outputs(Outcome(plan=None, result=Result.FAILED, failure=failure))

    assert told["result"] == "failed"
    assert told["failure"] == "invalid-input"
    assert set(told.values()) == {"failed", "invalid-input", "", "[]"}


def test_the_last_line_says_what_was_done_before_the_failure() -> None:
    """
    A red run still says that the image is pushed and the commit made.
    """
    failure = DegradedError("shop is Degraded.", hint="Look at its pods.")
    outcome = Outcome(
        plan=plan_of(),
        result=Result.FAILED,
        failure=failure,
        verify=_verified(),
        publish=PublishResult(IMAGE, (SHA.value,)),
        promote=PROMOTED,
    )

    assert last_line(outcome) == (
        "failed (degraded): 3 tests passed, 1 skipped; "
        f"pushed ghcr.io/acme/shop:{SHA}; {HEAD.short} asks for the image"
    )


def test_the_last_line_says_where_every_application_stands() -> None:
    """
    An Application that was never seen is not shown as one without a state.
    """
    unseen = ApplicationResult(
        name=ApplicationName("two"), revision="", sync="", health="", url="", reason=""
    )
    seen = _application("one", "Synced", "Healthy")

    line = last_line(
        Outcome(plan=plan_of(), result=Result.HEALTHY, sync=SyncResult((seen, unseen)))
    )

    assert line == f"healthy: one is Synced and Healthy at {HEAD.short}, two was not seen"


def test_a_bug_does_not_claim_that_nothing_was_done() -> None:
    """
    Where the action itself failed, what is known of the run is lost, and nothing is made up.
    """
    bug = BugError("The action itself failed: KeyError.", hint="Report it.")
    outcome = Outcome(plan=None, result=Result.FAILED, failure=bug)

    line, text = last_line(outcome), summary(outcome)

    assert "nothing" not in line
    assert "not pushed" not in text


def test_the_summary_of_a_second_run_says_that_it_is_deployed_already() -> None:
    """
    Nothing to change is told together with Argo CD's verdict, and without a diff.
    """
    same = replace(PROMOTED, ending=Ending.UNCHANGED, diff="")

    text = summary(replace(_healthy(), result=Result.UNCHANGED, promote=same))

    assert text.startswith("## ✅ Nothing to change: shop 9d0f7e3… is deployed already\n")
    assert "- **GitOps branch** asks for it already, at [" in text
    assert "**Before**" not in text


def test_the_summary_of_a_cancelled_run_says_what_goes_on_without_it() -> None:
    """
    Whoever cancels knows that a commit which was pushed may still be deployed.
    """
    failure = CancelledError("Stopped: the run was cancelled.", hint="Run the job again.")

    text = summary(replace(_healthy(), result=Result.FAILED, failure=failure))

    assert text.startswith("## ⏹️ Cancelled: shop 9d0f7e3…\n")
    assert "- Image: pushed, see below\n" in text
    assert f"`{HEAD.short}` asks for it, and Argo CD may still deploy it" in text


def test_the_last_line_says_that_nothing_was_done() -> None:
    """
    Whoever reads only one line knows that production is as it was.
    """
    failure = VerifyError("1 of 4 tests failed.", hint="Mend it.")

    line = last_line(
        Outcome(plan=plan_of(), result=Result.FAILED, failure=failure, verify=_verified())
    )

    assert line.endswith("nothing was pushed or committed")


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (RegistryUnavailableError("r:5000 cannot be reached", hint="Again."), True),
        (CancelledError("Stopped: the run was cancelled.", hint="Again."), True),
        (
            RegistryError("r:5000 has another image than the one that was pushed", hint="Look."),
            True,
        ),
        (RegistryLoginError("r:5000 refuses the credentials", hint="Give them."), False),
    ],
    ids=["unavailable", "cancelled", "another image", "refused"],
)
def test_a_push_that_broke_off_may_have_landed(failure: ActionError, *, told: bool) -> None:
    """
    Nobody is told that nothing was pushed where only the registry knows.
    """
    publish = StageRun("publish", State.FAILED, 1.0, failure.message, failure.code)
    outcome = Outcome(plan=plan_of(), result=Result.FAILED, failure=failure, runs=(publish,))

    assert ("the image may be in the registry; nothing was committed" in last_line(outcome)) is told
    assert ("- Image: may be in the registry\n" in summary(outcome)) is told
    assert ("- Image: not pushed\n" in summary(outcome)) is not told


def test_the_summary_of_a_deployment() -> None:
    """
    The page of the run shows the image, the change and Argo CD's verdict.
    """
    text = summary(_healthy())

    assert text.startswith("## ✅ Deployed and healthy: shop 9d0f7e3…\n")
    assert f"| verify | ✅{KEPT}passed | 1.2{KEPT}s | 3 tests passed |" in text
    assert f"[{HEAD.short}](https://github.com/acme/shop/commit/{HEAD})" in text
    assert (
        "| [one](https://argocd.example.com/applications/argocd/one) | Synced | Healthy |" in text
    )
    assert "````diff\n--- a/k.yaml" in text
    assert text.index("**Image**") < text.index("### Argo CD") < text.index("### Stages")
    assert text.index("### Stages") < text.index("````diff")
    assert "| Before | Now |" not in text


@pytest.mark.parametrize(
    ("ending", "result", "said"),
    [
        (Ending.SUPERSEDED, Result.SUPERSEDED, "asks for a newer image"),
        (Ending.PLANNED, Result.VERIFIED, "was left alone"),
        (Ending.PROPOSED, Result.PROPOSED, "gets it by [#7](https://github.com/acme/x/pull/7)"),
    ],
)
def test_no_commit_is_claimed_where_none_was_made(
    ending: Ending, result: Result, said: str
) -> None:
    """
    Later steps that read `gitops-commit` are not sent to a commit that lacks our image.
    """
    outcome = replace(
        _healthy(),
        result=result,
        promote=replace(PROMOTED, ending=ending, pull_request=PULL),
        sync=None,
    )

    told = outputs(outcome)

    assert (told["changed"], told["gitops-commit"], told["gitops-commit-url"]) == ("false", "", "")
    assert told["previous-image"] == "ghcr.io/acme/shop:old"
    assert said in summary(outcome)
    assert told["pull-request-url"] == PULL.url
    assert last_line(outcome).startswith(f"{result}: ")


def test_foreign_text_is_inert_in_the_summary() -> None:
    """
    A resource's message can neither break the table nor bring HTML onto the page.
    """
    text = summary(_healthy())

    assert "exceeded its \\| deadline &lt;b&gt;" in text


def test_the_summary_of_a_failure_says_what_was_done_and_what_was_not() -> None:
    """
    The first lines say what happened, what to do, and how far the run came.
    """
    failure = VerifyError(
        "1 of 4 tests failed.",
        hint="Mend it:\n\n    go test ./...\n\nand push.",
        location=Location(PurePosixPath("x_test.go"), 7),
    )
    finding = Finding(
        kind=FindingKind.TEST,
        package="example.com/shop",
        test="TestBuy",
        message="x_test.go:7: got 1\nwant 2",
        location=Location(PurePosixPath("x_test.go"), 7),
    )
    outcome = Outcome(
        plan=plan_of(),
        result=Result.FAILED,
        failure=failure,
        runs=(
            StageRun("verify", State.FAILED, 1, failure.message, failure.code),
            StageRun("build", State.FAILED, 1, "no such file", "build-failed"),
            StageRun("sync", State.SKIPPED),
        ),
        verify=_verified(finding),
    )

    text = summary(outcome)

    assert text.startswith(
        "## ❌ Failed in verify\n\n> **1 of 4 tests failed.** (`x_test.go:7`)\n>\n> Mend it:\n>\n"
        ">     go test ./...\n>\n> and push.\n"
    )
    assert (
        "- Image: not pushed\n- GitOps branch: no commit was made\n- Argo CD: not waited for"
        in text
    )
    assert f"| verify | ❌{KEPT}failed | 1.0{KEPT}s | tests-failed |" in text
    assert f"| build | ❌{KEPT}failed | 1.0{KEPT}s | no such file |" in text
    assert f"| sync | not{KEPT}run |  |  |" in text
    assert "- **Failed test** `TestBuy` `x_test.go:7`\n\n  ```\n  got 1\n  want 2\n  ```" in text


@pytest.mark.parametrize("said", ["```<img>` [a](b)", "``<img>`` [a](b)", "`<img> [a](b)"])
def test_backticks_in_foreign_text_open_no_way_out(said: str) -> None:
    """
    The name of a test cannot put pictures or links into the summary.
    """
    failure = VerifyError(said, hint="Mend it.")

    text = summary(Outcome(plan=None, result=Result.FAILED, failure=failure))

    assert "<img>" not in text
    assert "[a]" not in text


def test_a_long_diff_and_many_findings_are_cut() -> None:
    """
    The summary stays readable, and says what it leaves out.
    """
    finding = Finding(kind=FindingKind.TEST, package="p", test="T", message="no")
    outcome = Outcome(
        plan=plan_of(),
        result=Result.FAILED,
        verify=_verified(*[finding] * 60),
        promote=PromoteResult(
            revision=HEAD, ending=Ending.PROMOTED, previous="", diff="+x\n" * 300, files=()
        ),
    )

    text = summary(outcome)

    assert "and 10 more, in the log" in text
    assert text.index("- **Tests**") < text.index("### 60 findings")
    assert "and 100 more lines" in text
    assert "- **Before** no image" in text


def test_the_summary_names_each_entry_that_changed() -> None:
    """
    With several kustomizations, a reader sees which one asked for what before.
    """
    change = ImageChange(entry="shop|x", old="", new="ghcr.io/acme/shop:v2")
    again = replace(change, old="shop:v1")
    promoted = replace(
        PROMOTED, changes=((PurePosixPath("a/k.yaml"), change), (PurePosixPath("b/k.yaml"), again))
    )

    text = summary(replace(_healthy(), promote=promoted))

    assert (
        "| Kustomization | Entry | Before | Now |\n|---|---|---|---|\n"
        "| `a/k.yaml` | `shop\\|x` |  | `ghcr.io/acme/shop:v2` |\n"
        "| `b/k.yaml` | `shop\\|x` | `shop:v1` | `ghcr.io/acme/shop:v2` |\n"
    ) in text


def test_the_summary_shows_what_is_rendered() -> None:
    """
    The lines that Argo CD will apply stand below those of the commit, folded.
    """
    promoted = replace(
        PROMOTED, rendered_diff="-  image: a:1\n+  image: a:2\n", unproved=("dev: <no> way.",)
    )

    text = summary(replace(_healthy(), promote=promoted))

    folded = (
        "<details><summary>Change in what Kustomize renders</summary>\n\n```diff\n-  image: a:1\n"
    )
    assert folded in text
    assert text.endswith("```\n\n</details>\n\n")
    assert "> Not proved by rendering: dev: &lt;no&gt; way." in text
