"""What is in the registry when the stage says so, and what a refusal means."""

from __future__ import annotations

import pytest

from gitops_action.adapters.refusal import explain_refusal
from gitops_action.errors import ActionError, RegistryError, RegistryLoginError
from gitops_action.model.build import BuiltImage
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.stages.publish import PublishRequest, PublishResult, publish
from tests.fakes.builders import FakeBuilder, FakeRegistry, digest_of
from tests.fakes.waiting import LineLog

REPOSITORY = Repository("ghcr.io/acme/shop")
REQUEST = PublishRequest(repository=REPOSITORY, tags=("9d0f7e3", "latest"))
BUILT = BuiltImage("docker", "some-id")
IMAGE = ImageReference(REPOSITORY, "9d0f7e3", digest_of("a"))


def test_pushes_every_tag_and_names_the_image_by_the_first() -> None:
    """
    The outputs name the tag that never moves, with the digest that the registry tells.
    """
    registry = FakeRegistry()

    result = publish(
        REQUEST, BUILT, pusher=FakeBuilder(registry=registry), registry=registry, log=HeldLog()
    )

    assert result == PublishResult(IMAGE, ("9d0f7e3", "latest"))
    assert registry.tags == {
        "ghcr.io/acme/shop:9d0f7e3": digest_of("a"),
        "ghcr.io/acme/shop:latest": digest_of("a"),
    }


def test_says_which_tags_were_pushed_before_a_failure() -> None:
    """
    A failure half-way leaves no doubt about what is in the registry.
    """
    registry = FakeRegistry()
    refusal = RegistryError("ghcr.io answered with an error.", hint="Run the job again.")
    pusher = FakeBuilder(registry=registry, refused_tags={"latest": refusal})

    with pytest.raises(RegistryError) as caught:
        publish(REQUEST, BUILT, pusher=pusher, registry=registry, log=HeldLog())

    assert caught.value.partial == PublishResult(IMAGE, ("9d0f7e3",))


def test_moves_no_tag_when_the_first_push_fails() -> None:
    """
    Whoever follows `latest` never finds an image that is not complete.
    """
    registry = FakeRegistry()
    refusal = RegistryLoginError("ghcr.io refuses.", hint="Give it the right to push.")
    pusher = FakeBuilder(registry=registry, refused_tags={"9d0f7e3": refusal})

    with pytest.raises(RegistryLoginError) as caught:
        publish(REQUEST, BUILT, pusher=pusher, registry=registry, log=HeldLog())

    assert registry.tags == {}
    assert caught.value.partial is None


def test_fails_when_the_registry_does_not_have_what_was_pushed() -> None:
    """
    Argo CD is never pointed at an image that is not there.
    """
    registry = FakeRegistry(moves={"ghcr.io/acme/shop:9d0f7e3": None})

    with pytest.raises(RegistryError, match="there is no such tag"):
        publish(
            REQUEST, BUILT, pusher=FakeBuilder(registry=registry), registry=registry, log=HeldLog()
        )


def test_fails_when_the_promoted_tag_names_another_image() -> None:
    """
    The kustomization never gets a tag that another job has taken.
    """
    registry = FakeRegistry(moves={"ghcr.io/acme/shop:9d0f7e3": digest_of("b")})

    with pytest.raises(RegistryError) as caught:
        publish(
            REQUEST, BUILT, pusher=FakeBuilder(registry=registry), registry=registry, log=HeldLog()
        )

    assert str(digest_of("a")) in caught.value.message
    assert str(digest_of("b")) in caught.value.message


def test_lets_another_job_move_latest() -> None:
    """
    Two jobs that push `latest` at once are both green; the later one's image has it.
    """
    registry = FakeRegistry(moves={"ghcr.io/acme/shop:latest": digest_of("b")})
    log = LineLog()

    result = publish(
        REQUEST, BUILT, pusher=FakeBuilder(registry=registry), registry=registry, log=log
    )

    assert result.image == IMAGE
    assert any("another job has moved it since" in line for line in log.lines)


@pytest.mark.parametrize(
    ("text", "registry", "kind", "advice"),
    [
        pytest.param(
            "denied: permission_denied: write_package",
            "ghcr.io",
            RegistryLoginError,
            "packages: write",
            id="github-package",
        ),
        pytest.param(
            "Error: GET http://r:5000/v2/a/manifests/t: UNAUTHORIZED: authentication required",
            "r:5000",
            RegistryLoginError,
            "registry-password: ${{ secrets.",
            id="wrong-password",
        ),
        pytest.param(
            "no basic auth credentials",
            "r:5000",
            RegistryLoginError,
            "A secret that is not set is empty",
            id="no-password",
        ),
        pytest.param(
            'Get "https://r:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused',
            "r:5000",
            RegistryError,
            "`image`",
            id="unreachable",
        ),
        pytest.param(
            'Get "https://r:5000/v2/": tls: failed to verify certificate: x509: unknown authority',
            "r:5000",
            RegistryError,
            "ca-certificates:",
            id="self-signed",
        ),
        pytest.param(
            "http: server gave HTTP response to HTTPS client",
            "r:5000",
            RegistryError,
            "insecure-registries",
            id="plain-http",
        ),
        pytest.param(
            "received unexpected HTTP status: 503 Service Unavailable",
            "r:5000",
            RegistryError,
            "again",
            id="broken",
        ),
    ],
)
def test_says_what_a_refusal_means(
    text: str, registry: str, kind: type[ActionError], advice: str
) -> None:
    """
    What docker and crane say in their own words becomes one message with its fix.
    """
    error = explain_refusal(text, registry)

    assert type(error) is kind
    assert registry in error.message
    assert text.removeprefix("Error: ") in error.message
    assert advice in error.hint
