"""What would fail late fails early."""

from __future__ import annotations

import pytest

from gitops_action.errors import (
    ActionError,
    ApplicationError,
    ArgoCDUnavailableError,
    EntryError,
    GitOpsUnavailableError,
    RegistryError,
    RegistryLoginError,
    RenderError,
)
from gitops_action.model.argocd import Application
from gitops_action.model.argocd_document import parse_application
from gitops_action.model.rendering import Rendering
from gitops_action.plan import make_plan
from gitops_action.stages.preflight import PreflightResult, preflight
from tests.fakes.runs import context_of, everything
from tests.fakes.waiting import ScriptedArgoCD
from tests.fakes.world import World


@pytest.fixture
def world() -> World:
    return World()


def _preflight(world: World, **given: str) -> PreflightResult:
    plan = make_plan(everything(**given), context_of())
    assert plan.preflight is not None
    systems = world.systems()
    return preflight(
        plan.preflight,
        registry=systems.registry,
        gitops=systems.gitops,
        argocd=systems.argocd,
        renderer=systems.kustomize,
        clock=world.cancellation,
        log=world.log,
    )


def test_everything_is_asked_and_nothing_written(world: World) -> None:
    """
    The log says what was found well.
    """
    before = world.gitops.tip

    result = _preflight(world)

    assert result.checks == 4
    assert world.gitops.tip == before
    assert world.registry.tags == {}
    assert "overlays/dev/kustomization.yaml asks for ghcr.io/acme/shop:0000000." in world.log.lines
    assert "shop follows main at overlays/dev." in world.log.lines
    assert "ghcr.io/acme/shop may be pushed to." in world.log.lines
    proved = "What is rendered asks for the new image, and is otherwise the same."
    assert proved in world.log.lines


@pytest.mark.parametrize(
    "refusal",
    [
        RegistryLoginError("denied: permission_denied: write_package", hint="Let it write."),
        RegistryError("no such repository", hint="Create it."),
    ],
    ids=["no right", "no repository"],
)
def test_an_image_that_could_not_be_pushed_is_not_built_to_the_end(
    world: World, refusal: ActionError
) -> None:
    """
    A missing right to push is told while the tests still run.
    """
    world.registry.refusal = refusal

    with pytest.raises(ActionError) as caught:
        _preflight(world)

    assert caught.value is refusal


def test_a_registry_that_does_not_say_who_may_push_ends_no_run(world: World) -> None:
    """
    What cannot be asked beforehand is said, and left to the push.
    """
    world.registry.vague = True

    result = _preflight(world)

    said = "Whether ghcr.io/acme/shop may be pushed to is not known before the push."
    assert said in world.log.lines
    assert result.checks == 4


@pytest.mark.parametrize(
    ("given", "event", "asks"),
    [
        ({"stages": "promote sync"}, "push", False),
        ({}, "pull_request", False),
        ({}, "push", True),
        ({"dry_run": "true"}, "push", True),
    ],
    ids=["promotes what is there", "pull request", "push", "dry run"],
)
def test_the_right_to_push_an_image_is_asked_for_where_one_is_pushed(
    given: dict[str, str], event: str, *, asks: bool
) -> None:
    """
    A pull request needs no registry, and a run that promotes what is there a user that only reads.
    """
    plan = make_plan(everything(**given), context_of(event=event))

    assert (plan.preflight is not None and plan.preflight.registry is not None) is asks


def test_a_registry_that_restarts_is_asked_again(world: World) -> None:
    """
    A blink while the tests run does not end them.
    """
    world.registry.silences = 2

    assert _preflight(world).checks == 4


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"kustomizations": "overlays/prod"}, "kustomization", "overlays/prod"),
        ({"kustomizations": "base"}, "kustomization-entry", "base/kustomization.yaml"),
        ({"image": "ghcr.io/acme/other"}, "kustomization-entry", "shop"),
        ({"gitops_branch": "live"}, "gitops", "live"),
    ],
)
def test_what_cannot_be_promoted_is_found(
    world: World, given: dict[str, str], code: str, said: str
) -> None:
    """
    A wrong path, entry or branch is told while the tests still run.
    """
    with pytest.raises(ActionError) as caught:
        _preflight(world, **given)

    assert caught.value.code == code
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("repo_url", "https://github.com/acme/elsewhere", "acme/elsewhere"),
        ("target_revision", "live", "follows live"),
        ("path", "base", "does not use overlays/dev/kustomization.yaml"),
        ("path", "nowhere", "does not use"),
    ],
)
def test_an_application_that_would_never_see_the_promotion_is_found(
    world: World, field: str, value: str, said: str
) -> None:
    """
    Waiting for the wrong Application would only end at the deadline.
    """
    setattr(world.application, field, value)

    with pytest.raises(ActionError) as caught:
        _preflight(world)

    assert caught.value.code == "application"
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("revision", ["", "HEAD", "refs/heads/main"])
def test_head_means_the_default_branch(world: World, revision: str) -> None:
    """
    An Application may follow the branch without naming it.
    """
    world.application.target_revision = revision

    assert _preflight(world).checks == 4


def test_an_application_may_use_the_promoted_kustomization_from_afar(world: World) -> None:
    """
    Promoting a base reaches the Applications of its overlays.
    """
    world.gitops.write(
        "base/kustomization.yaml", "images:\n- name: ghcr.io/acme/shop\n  newTag: a\n"
    )

    assert _preflight(world, kustomizations="base").checks == 4


def test_a_name_that_no_container_has_is_found(world: World) -> None:
    """
    The entry that changes nothing is told while the tests still run.
    """
    world.kustomize.unused = {"shop"}

    with pytest.raises(EntryError, match="No container that overlays/dev renders"):
        _preflight(world)


def test_what_cannot_be_rendered_is_told_or_refused(world: World) -> None:
    """
    `rendered-proof: required` fails before anything is pushed.
    """
    world.kustomize.failure = Rendering(failure="it needs a plugin", here=True)

    _preflight(world)

    said = "overlays/dev could not be rendered here, because it needs a plugin."
    assert said in world.log.lines
    with pytest.raises(RenderError):
        _preflight(world, rendered_proof="required")


@pytest.mark.parametrize(("seconds", "found"), [(2.5, True), (5.0, False)])
def test_argocd_may_blink(world: World, seconds: float, *, found: bool) -> None:
    """
    A load balancer's hiccup does not turn the run red, an Argo CD that is gone does.
    """
    plan = make_plan(everything(), context_of())
    assert plan.preflight is not None
    systems = world.systems()
    gone = ArgoCDUnavailableError("502", hint="Wait.")
    begun = world.cancellation.now
    script: list[tuple[float, Application | ActionError]] = [
        (0.0, gone),
        (seconds, parse_application(world.application.document())),
    ]
    argocd = ScriptedArgoCD(world.cancellation, script)

    try:
        preflight(
            plan.preflight,
            registry=systems.registry,
            gitops=systems.gitops,
            argocd=argocd,
            renderer=systems.kustomize,
            clock=world.cancellation,
            log=world.log,
        )
        answered = True
    except ArgoCDUnavailableError:
        answered = False

    assert answered is found
    assert world.cancellation.now - begun <= 3


def test_one_of_several_sources_is_enough(world: World) -> None:
    """
    An Application that takes a chart and its values from elsewhere still sees the promotion.
    """
    chart = {"repoURL": "https://charts.example.com", "chart": "redis", "targetRevision": "1.0.0"}
    world.application.extra = {"spec": {"sources": [chart, world.application.source()]}}

    _preflight(world)

    assert "shop follows main at overlays/dev." in world.log.lines


def test_a_source_hydrator_is_refused_before_anything_is_written(world: World) -> None:
    """
    What this version cannot wait for is told at once.
    """
    world.application.extra = {"spec": {"sourceHydrator": {"drySource": {"path": "x"}}}}

    with pytest.raises(ApplicationError, match="source hydrator"):
        _preflight(world)


def test_the_applications_of_a_selector_are_looked_at_too(world: World) -> None:
    """
    A selector that fits nothing is found out before the build is pushed.
    """
    world.application.labels = {"team": "shop"}

    _preflight(world, argocd_applications="", argocd_selector="team=shop")

    assert "argocd/shop follows main at overlays/dev." in world.log.lines
    with pytest.raises(ApplicationError, match="no Application with the labels team=other"):
        _preflight(world, argocd_applications="", argocd_selector="team=other")


def test_a_git_server_that_fails_once_does_not_end_the_run(world: World) -> None:
    """
    A bad gateway while the tests run is no reason to stop them.
    """
    world.gitops.outages = [GitOpsUnavailableError("502", hint="Wait.")]

    _preflight(world)

    assert world.gitops.outages == []
