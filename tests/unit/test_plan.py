"""Everything is decided before anything is touched."""

from __future__ import annotations

import re

import pytest

from gitops_action.errors import EventError, InputError, RunnerError
from gitops_action.model.secret import Secret
from gitops_action.model.stage import Stage
from gitops_action.model.via import Reporter, Via
from gitops_action.model.wait import ResourcePattern, SyncMode
from gitops_action.plan import gitops_token, make_plan, registry_credentials
from gitops_action.stages.sync import ReportedRequest
from tests.fakes.runs import PEM, PEM_KEY, SHA, context_of, everything, inputs_of, plan_of

SHOP = "ghcr.io/acme/shop"
ALL = tuple(Stage)


def _problems(error: pytest.ExceptionInfo[InputError]) -> str:
    return error.value.message


KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----"


def test_five_inputs_plan_five_stages() -> None:
    """
    The short form of the step does the whole job.
    """
    plan = plan_of()

    assert plan.stages == ALL
    assert str(plan.image) == f"ghcr.io/acme/shop:{SHA}"
    assert plan.gitops_url == "https://github.com/acme/shop.git"
    assert plan.promote is not None
    assert plan.promote.branch == "main"
    assert plan.promote.subject == f"Promote shop to {SHA}"
    assert plan.promote.trailers == {
        "Source-Repository": "acme/shop",
        "Source-Run": "https://github.com/acme/shop/actions/runs/42/attempts/1",
    }
    assert plan.promote.source == SHA


def test_stages_follow_from_the_inputs() -> None:
    """
    Nothing to publish means that only the tests run.
    """
    nothing = make_plan(inputs_of(), context_of())
    image = make_plan(inputs_of(image="ghcr.io/acme/shop"), context_of())

    assert nothing.stages == (Stage.VERIFY,)
    assert image.stages == (Stage.VERIFY, Stage.BUILD, Stage.PUBLISH)
    assert image.preflight is not None
    assert nothing.preflight is None


@pytest.mark.parametrize(
    ("event", "ref"),
    [
        ("pull_request", "refs/pull/1/merge"),
        ("pull_request_review", "refs/pull/1/merge"),
        ("merge_group", "refs/heads/gh-readonly-queue/main/pr-1"),
    ],
)
def test_a_proposal_is_tested_and_built_and_written_nowhere(event: str, ref: str) -> None:
    """
    A pull request can neither push an image nor move the GitOps branch.
    """
    plan = make_plan(everything(argocd_token=""), context_of(event=event, ref=ref))

    assert plan.stages == (Stage.VERIFY, Stage.BUILD)
    assert (plan.publish, plan.promote, plan.sync, plan.preflight) == (None,) * 4


@pytest.mark.parametrize("delivery", ["pull-request", "auto"])
def test_a_branch_of_ours_is_not_proposed_again(delivery: str) -> None:
    """
    With `on: push` for all branches every proposal started a run that proposed the next one.
    """
    name = "gitops-action/main/shop-overlays-dev-01234567"
    context = context_of(ref=f"refs/heads/{name}", ref_name=name)

    plan = make_plan(everything(delivery=delivery, gitops_branch="main"), context)

    assert plan.stages == ALL[:2]
    assert make_plan(everything(delivery=delivery), context_of()).stages == ALL


def test_pull_request_target_is_refused() -> None:
    """
    A stranger's code never runs beside this repository's secrets.
    """
    with pytest.raises(EventError) as caught:
        make_plan(everything(), context_of(event="pull_request_target"))

    assert "on: pull_request" in caught.value.hint


def test_an_unset_secret_never_skips_a_stage() -> None:
    """
    `argocd-server` with an empty token is an error, not a green run without a wait.
    """
    with pytest.raises(InputError) as caught:
        make_plan(everything(argocd_token=""), context_of())

    assert "`argocd-token` is empty" in _problems(caught)
    assert "secret" in _problems(caught)


REPORTED = {
    "argocd_server": "",
    "argocd_token": "",
    "argocd_applications": "",
    "wait_via": "status:cd/shop",
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"image": ""}, "`image` is empty, and the stage `promote` needs it"),
        ({"kustomizations": ""}, "the stage `sync` needs the stage `promote`"),
        ({"argocd_applications": ""}, "`argocd-applications` is empty"),
        ({"image": f"{SHOP}:v1"}, f"write `{SHOP}`, or `stages: promote sync`"),
        (
            {"image": f"{SHOP}@sha256:{'a' * 64}", "stages": "promote sync"},
            "add the tag, or set `pin: digest`",
        ),
        (
            {"delivery": "api", "commit_author": "A <a@b.c>"},
            "`commit-author` is for `delivery: push`",
        ),
        ({"delivery": "auto", "signing_key": "PRIVATE KEY-----"}, "`signing-key` is for"),
        (
            {"pull_request_labels": "deploy"},
            "`pull-request-labels` is for `delivery: pull-request`",
        ),
        ({"delivery": "api", "pull_request_wait": "5m"}, "and `delivery` is `api`"),
        (
            {
                "delivery": "pull-request",
                "gitops_repository": "https://git.example.com/a/b.git",
                "gitops_branch": "main",
            },
            "needs a `gitops-repository` on this GitHub",
        ),
        ({"stages": "publish"}, "the stage `publish` needs the stage `build`"),
        ({"stages": "verify"}, "`kustomizations` is for the stage `promote`"),
        ({"tags": "latest"}, "never moves"),
        ({"tags": "sha, a+b"}, "'a_b' would do"),
        ({"gitops_repository": "https://u:p@h/x.git"}, "without credentials"),
        ({"gitops_repository": "acme/gitops"}, "`gitops-branch` is needed"),
        ({"gitops_repository": "ext::sh -c id"}, "`gitops-repository` must be"),
        ({"gitops_repository": "ssh://git:p@h/x.git"}, "without credentials"),
        ({"gitops_repository": "git@h:x.git"}, "`gitops-ssh-key` is empty, and the SSH address"),
        (
            {"gitops_repository": "https://h/x.git", "gitops_ssh_key": KEY},
            "`gitops-ssh-key` is for an SSH address",
        ),
        ({"gitops_known_hosts": "h ssh-ed25519 A"}, "`gitops-known-hosts` is for `gitops-ssh-key`"),
        ({"registry_username": "me"}, "`registry-password` is empty"),
        ({"registry_password": "x"}, "`registry-username` is empty"),
        ({"builder": "ko", "dockerfile": "Other"}, "`dockerfile` is for `builder: docker`"),
        ({"builder": "docker", "main_package": "./x"}, "`main-package` is for `builder: ko`"),
        (
            {"builder": "ko", "attestations": "sbom provenance"},
            "`attestations` asks for `provenance`, and `builder: ko` makes `sbom` only",
        ),
        ({"wait_via": "status:cd"}, "`argocd-token` is for `wait-via: argocd`"),
        (
            REPORTED | {"gitops_repository": "https://git.example.com/x", "gitops_branch": "main"},
            "needs the GitOps repository on this GitHub",
        ),
    ],
)
def test_contradictions_are_named(given: dict[str, str], said: str) -> None:
    """
    Inputs that cannot work together are found before anything is touched.
    """
    with pytest.raises(InputError) as caught:
        make_plan(everything(**given), context_of())

    assert said in _problems(caught)


def test_a_report_on_github_needs_no_argocd() -> None:
    """
    `wait-via` alone is enough to wait, with nothing to ask Argo CD and nobody to ask.
    """
    plan = make_plan(everything(**REPORTED), context_of())

    assert plan.stages == tuple(Stage)
    assert plan.sync is None
    assert plan.preflight
    assert plan.preflight.applications == ()
    assert plan.reported == ReportedRequest(
        via=Via(Reporter.STATUS, "cd/shop"), branch="main", timeout_seconds=900
    )


def test_an_image_that_exists_is_promoted_without_a_checkout() -> None:
    """
    A rollback needs neither the source nor a build, and says whose image it is by its own label.
    """
    context = context_of(commit=None)

    plan = make_plan(everything(stages="promote sync", image=f"{SHOP}:v1.2.3"), context)

    assert str(plan.image) == f"{SHOP}:v1.2.3"
    assert plan.promote is not None
    assert plan.promote.subject == "Promote shop to v1.2.3"
    assert plan.promote.source is None


def test_an_image_without_a_tag_is_called_by_its_digest() -> None:
    """
    The commit's first line names what was promoted, whichever way it is named.
    """
    image = f"{SHOP}@sha256:{'a' * 64}"

    plan = plan_of(stages="promote sync", image=image, pin="digest")

    assert plan.promote is not None
    assert plan.promote.subject == f"Promote shop to sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("given", "branch"),
    [
        ({}, "gitops-action/main/shop-overlays-dev-"),
        ({"kustomizations": "a/b, c"}, "gitops-action/main/shop-a-b-c-"),
        ({"kustomizations": "x" * 300}, f"gitops-action/main/shop-{'x' * 95}-"),
    ],
)
def test_every_application_and_target_has_a_branch_for_its_proposals(
    given: dict[str, str], branch: str
) -> None:
    """
    Two applications, or two environments of one, never share a pull request.
    """
    plan = plan_of(delivery="pull-request", **given)

    assert plan.promote is not None
    assert re.fullmatch(f"{branch}[0-9a-f]{{8}}", plan.promote.proposal)
    assert plan.gitops_name == "acme/shop"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"kustomizations": "apps/a-b"}, {"kustomizations": "apps/a/b"}),
        ({"kustomizations": f"{'x' * 100}/a"}, {"kustomizations": f"{'x' * 100}/b"}),
        ({"image": "ghcr.io/acme/a/api"}, {"image": "ghcr.io/acme/b/api"}),
        ({"kustomize_name": "shop"}, {"kustomize_name": "worker"}),
    ],
    ids=["folders", "long folders", "images", "entries"],
)
def test_one_application_never_takes_the_branch_of_another(
    one: dict[str, str], other: dict[str, str]
) -> None:
    """
    The later of two put its change in the place of the first one's, which had said `proposed`.
    """
    plans = [plan_of(delivery="pull-request", **given) for given in (one, other)]

    assert len({plan.promote.proposal for plan in plans if plan.promote}) == 2


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("acme/gitops", "acme/gitops"),
        ("https://github.com/acme/gitops.git", "acme/gitops"),
        ("https://git.example.com/acme/gitops.git", ""),
    ],
)
def test_the_repository_has_a_name_on_its_own_server_only(repository: str, name: str) -> None:
    """
    A token is never sent to GitHub about a repository that lies elsewhere.
    """
    assert plan_of(gitops_repository=repository, gitops_branch="main").gitops_name == name


@pytest.mark.parametrize(
    ("given", "this"),
    [
        ({}, True),
        ({"gitops_repository": "Acme/Shop"}, True),
        ({"gitops_repository": "https://github.com/acme/shop"}, True),
        ({"gitops_repository": "git@github.com:acme/shop.git", "gitops_ssh_key": KEY}, True),
        (
            {"gitops_repository": "ssh://git@ssh.github.com:443/acme/shop", "gitops_ssh_key": KEY},
            True,
        ),
        ({"gitops_repository": "acme/gitops"}, False),
        ({"gitops_repository": "https://git.example.com/acme/shop"}, False),
        ({"gitops_repository": "file:///acme/shop"}, False),
    ],
)
def test_knows_its_own_repository_however_it_is_written(
    given: dict[str, str], *, this: bool
) -> None:
    """
    A deploy key's push starts the workflow: with an SSH address there was no end to it.
    """
    plan = plan_of(gitops_branch="main", **given)

    assert plan.may_be_echo is this
    assert plan.elsewhere is not this


def test_a_dry_run_plans_no_write() -> None:
    """
    Registry and Argo CD are asked beforehand, and neither is written to nor waited for.
    """
    plan = plan_of(dry_run="true")

    assert plan.publish is None
    assert plan.sync is None
    assert plan.build is not None
    assert plan.promote is not None
    assert plan.promote.dry_run
    assert plan.preflight is not None
    assert plan.preflight.applications


def test_all_contradictions_are_named_at_once() -> None:
    """
    One run is enough to find every mistake.
    """
    with pytest.raises(InputError) as caught:
        make_plan(everything(argocd_token="", tags="latest", registry_username="me"), context_of())

    for said in ("argocd-token", "never moves", "registry-password"):
        assert said in _problems(caught)


def test_a_missing_checkout_is_said() -> None:
    """
    An empty workspace is the likeliest mistake of a first run.
    """
    with pytest.raises(RunnerError) as caught:
        make_plan(everything(), context_of(commit=None))

    assert "actions/checkout" in caught.value.hint


def test_wait_for_nothing_plans_no_wait() -> None:
    """
    The first rollout creates the Application itself, so there is nothing to wait for yet.
    """
    plan = plan_of(wait_for="nothing")

    assert plan.stages == ALL[:-1]


def test_a_tag_promotes_to_the_default_branch() -> None:
    """
    A release has no branch of its own.
    """
    plan = make_plan(everything(), context_of(ref_type="tag", ref_name="v1.0.0"))

    assert plan.promote is not None
    assert plan.promote.branch == "main"


def test_another_repository_has_its_own_url_and_branch() -> None:
    """
    The GitOps repository may be any other one.
    """
    by_name = plan_of(gitops_repository="acme/gitops", gitops_branch="live")
    by_url = plan_of(gitops_repository="https://git.example.com/x.git", gitops_branch="live")

    assert by_name.gitops_url == "https://github.com/acme/gitops.git"
    assert by_name.commit_page == "https://github.com/acme/gitops/commit/"
    assert by_url.gitops_url == "https://git.example.com/x.git"
    assert by_url.commit_page == ""


@pytest.mark.parametrize(
    ("repository", "url"),
    [
        ("acme/gitops", "ssh://git@github.com/acme/gitops.git"),
        ("git@git.example.com:acme/gitops.git", "ssh://git@git.example.com/acme/gitops.git"),
        ("ssh://git@git.example.com:2222/x.git", "ssh://git@git.example.com:2222/x.git"),
    ],
)
def test_a_deploy_key_means_ssh(repository: str, url: str) -> None:
    """
    With an SSH key the repository is reached by SSH, however it is named.
    """
    plan = plan_of(gitops_repository=repository, gitops_branch="live", gitops_ssh_key=KEY)

    assert plan.gitops_url == url


def test_the_workflow_token_goes_to_its_own_server_only() -> None:
    """
    GITHUB_TOKEN is never sent to another git server; a token of its own is.
    """
    own = "https://github.com/acme/gitops.git"
    other = "https://github.com.example.com/acme/gitops.git"

    assert everything().github_token
    assert gitops_token(everything(), context_of(), own) == everything().github_token
    assert gitops_token(everything(), context_of(), other) == Secret()
    assert gitops_token(everything(), context_of(), own.replace("https", "http")) == Secret()
    assert gitops_token(everything(gitops_token="x"), context_of(), other) == Secret("x")


def test_the_workflow_token_opens_only_githubs_registry() -> None:
    """
    GITHUB_TOKEN is never sent to another registry.
    """
    ours = registry_credentials(everything(), context_of())
    other = registry_credentials(everything(image="quay.io/acme/shop"), context_of())
    given = registry_credentials(
        everything(registry_username="me", registry_password="pass"), context_of()
    )

    assert ours == ("octocat", Secret("workflow-token"))
    assert other is None
    assert given == ("me", Secret("pass"))


def test_labels_depend_on_the_commit_alone() -> None:
    """
    Building the same commit again gives the same image.
    """
    plan = plan_of()

    assert plan.build is not None
    assert plan.build.labels == {
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.revision": SHA.value,
        "org.opencontainers.image.source": "https://github.com/acme/shop",
        "org.opencontainers.image.title": "shop",
    }


def test_another_commit_than_the_events_is_said() -> None:
    """
    Whoever checks out another ref sees what is built.
    """
    plan = make_plan(everything(), context_of(event_sha="c" * 40))

    assert "not the event's" in plan.notices[-1]


@pytest.mark.parametrize(
    "given", [{"pin": "digest"}, {"tags": "{sha-short}-{run-number}, sha"}], ids=["digest", "tag"]
)
def test_a_rebuild_looks_for_no_image_and_overwrites_no_tag(given: dict[str, str]) -> None:
    """
    A second image of the same commit leaves the first one what it is called.
    """
    plan = make_plan(everything(rebuild="true", **given), context_of(run_number="7"))

    assert plan.build
    assert plan.build.published == ()
    assert plan.publish
    assert SHA.value in plan.publish.kept
    assert plan.publish.kept < set(plan.publish.tags)


def test_a_rebuild_needs_a_name_of_its_own() -> None:
    """
    A tag that a kustomization names cannot be given to another image.
    """
    with pytest.raises(InputError, match="`rebuild`"):
        plan_of(rebuild="true")


def test_looks_for_the_commits_image_by_every_name_it_may_have() -> None:
    """
    A version's run finds what the branch's run has built.
    """
    context = context_of(ref_type="tag", ref_name="v1.2.3", ref="refs/tags/v1.2.3")

    plan = make_plan(everything(tags="semver", gitops_branch="main"), context)

    assert plan.build
    assert [one.tag for one in plan.build.published] == ["1.2.3", SHA.value, SHA.short]


def test_the_revision_is_nobody_elses_to_say() -> None:
    """
    Labels of the workflow are added, and who is newer is still told by the commit.
    """
    revision = "org.opencontainers.image.revision"

    plan = plan_of(labels=f"team=shop\n{revision}=x\norg.opencontainers.image.title=The shop")

    assert plan.build
    assert plan.build.labels["team"] == "shop"
    assert plan.build.labels["org.opencontainers.image.title"] == "The shop"
    assert plan.build.labels[revision] == SHA.value


@pytest.mark.parametrize(
    ("kind", "tags"), [("registry", ["buildcache"]), ("inline", ["latest"]), ("none", ["latest"])]
)
def test_layers_are_kept_beside_the_image(kind: str, tags: list[str]) -> None:
    """
    A new runner finds layers in the registry that it pushes to anyway.
    """
    plan = plan_of(build_cache=kind)

    assert plan.build
    assert plan.build.cache == kind
    assert [one.tag for one in plan.build.cached] == tags


def test_a_dry_run_writes_no_cache() -> None:
    """
    A run that shall write nothing writes no layers either.
    """
    plan = plan_of(build_cache="registry", dry_run="true")

    assert plan.build
    assert plan.build.cache == "none"


@pytest.mark.parametrize(
    ("given", "missing"),
    [("buildkit_address", "buildkit-tls"), ("buildkit_tls", "buildkit-address")],
)
def test_a_buildkit_is_not_opened_without_its_key(given: str, missing: str) -> None:
    """
    An open BuildKit is root for everybody who reaches it: the action uses none without TLS.
    """
    value = "tcp://buildkit:1234" if given == "buildkit_address" else PEM + PEM + PEM_KEY

    with pytest.raises(InputError, match=f"`{missing}` is empty"):
        plan_of(**{given: value})


def test_a_buildkit_needs_no_engine_here() -> None:
    """
    `builder: auto` builds the Dockerfile there, with all that an engine may not be able to do.
    """
    plan = plan_of(buildkit_address="tcp://buildkit:1234", buildkit_tls=PEM + PEM + PEM_KEY)

    assert plan.build
    assert plan.build.remote
    assert plan.build.builder == "auto"


@pytest.mark.parametrize("name", ["target", "build-args", "build-secrets", "build-cache"])
def test_ko_is_told_nothing_of_a_dockerfile(name: str) -> None:
    """
    What only a Dockerfile understands is refused where ko builds, not ignored.
    """
    value = {"build-cache": "inline", "target": "runtime"}.get(name, "NAME=x")

    with pytest.raises(InputError, match=f"`{name}` is for `builder: docker`"):
        plan_of(builder="ko", **{name: value})


@pytest.mark.parametrize("value", ["none", "sbom"])
def test_ko_attests_what_it_can(value: str) -> None:
    """
    An SBOM needs no Dockerfile, and `none` may be said anywhere.
    """
    plan = plan_of(builder="ko", attestations=value)

    assert plan.build
    assert plan.build.attestations == (() if value == "none" else (value,))


def test_a_selector_may_stand_for_names() -> None:
    """
    Applications are named, or chosen by their labels, or both.
    """
    plan = plan_of(argocd_applications="", argocd_selector="app=shop", argocd_project="team")

    assert plan.sync is not None
    assert (plan.sync.applications, plan.sync.selector, plan.sync.project) == (
        (),
        "app=shop",
        "team",
    )
    with pytest.raises(InputError, match="`argocd-applications` is empty"):
        plan_of(argocd_applications="")


def test_what_the_wait_may_do_is_asked_for() -> None:
    """
    Without being asked it only looks.
    """
    asked = plan_of(argocd_sync="always", argocd_unblock="true", argocd_resources="*:Deployment:*")
    plain = plan_of()

    assert asked.sync is not None
    assert plain.sync is not None
    assert (asked.sync.mode, asked.sync.unblock) == (SyncMode.ALWAYS, True)
    assert (plain.sync.mode, plain.sync.unblock) == (SyncMode.NEVER, False)
    assert asked.sync.resources == (ResourcePattern("*", "Deployment", "*"),)
    assert asked.sync.branch == "main"
    assert asked.sync.run.endswith("/actions/runs/42/attempts/1")
