"""What is in the registry when the stage says so, and what a refusal means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_action.adapters.refusal import explain_push, explain_refusal
from gitops_action.errors import (
    ActionError,
    RegistryError,
    RegistryLoginError,
    RegistryUnavailableError,
    TagExistsError,
)
from gitops_action.model.build import BuiltImage
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.log import HeldLog, Log
from gitops_action.model.source import CommitSha
from gitops_action.stages.publish import PublishRequest, PublishResult, publish
from tests.fakes.builders import FakeBuilder, FakeRegistry, digest_of
from tests.fakes.guard import FakeSourceHistory
from tests.fakes.runs import HEAD, SHA
from tests.fakes.waiting import FakeClock, LineLog

REPOSITORY = Repository("ghcr.io/acme/shop")
REQUEST = PublishRequest(
    repository=REPOSITORY,
    tags=("9d0f7e3", "latest"),
    moving=frozenset({"latest"}),
    source=SHA,
)
BUILT = BuiltImage("docker", "some-id", (digest_of("a"),))
IMAGE = ImageReference(REPOSITORY, "9d0f7e3", digest_of("a"))


def _publish(  # noqa: PLR0913  a test changes one of these
    registry: FakeRegistry,
    request: PublishRequest = REQUEST,
    *,
    built: BuiltImage = BUILT,
    pusher: FakeBuilder | None = None,
    history: FakeSourceHistory | None = None,
    clock: FakeClock | None = None,
    log: Log | None = None,
) -> PublishResult:
    return publish(
        request,
        built,
        pusher=pusher or FakeBuilder(registry=registry),
        registry=registry,
        history=history or FakeSourceHistory(),
        clock=clock or FakeClock(),
        log=log or HeldLog(),
    )


def test_pushes_every_tag_and_names_the_image_by_the_first() -> None:
    """
    The outputs name the tag that never moves, with the digest that the registry tells.
    """
    registry = FakeRegistry()

    result = _publish(registry)

    assert result == PublishResult(IMAGE, ("9d0f7e3", "latest"))
    assert registry.tags == {
        "ghcr.io/acme/shop:9d0f7e3": digest_of("a"),
        "ghcr.io/acme/shop:latest": digest_of("a"),
    }


def test_says_which_tags_were_pushed_before_a_failure() -> None:
    """
    A failure half-way leaves no doubt about what is in the registry.
    """
    refusal = RegistryError("ghcr.io answered with an error.", hint="Run the job again.")
    registry = FakeRegistry(refused_tags={"latest": refusal})

    with pytest.raises(RegistryError) as caught:
        _publish(registry)

    assert caught.value.partial == PublishResult(IMAGE, ("9d0f7e3",))


def test_moves_no_tag_when_the_first_push_fails() -> None:
    """
    Whoever follows `latest` never finds an image that is not complete.
    """
    registry = FakeRegistry()
    refusal = RegistryLoginError("ghcr.io refuses.", hint="Give it the right to push.")
    pusher = FakeBuilder(registry=registry, refused_tags={"9d0f7e3": refusal})

    with pytest.raises(RegistryLoginError) as caught:
        _publish(registry, pusher=pusher)

    assert registry.tags == {}
    assert caught.value.partial is None


def test_pushes_again_after_a_dropped_connection() -> None:
    """
    A registry that restarts in the middle of a push costs seconds, not the run.
    """
    registry, clock = FakeRegistry(), FakeClock()
    pusher = FakeBuilder(registry=registry, drops=3)
    started = clock.monotonic()

    result = _publish(registry, pusher=pusher, clock=clock)

    assert result.image == IMAGE
    assert clock.monotonic() - started == 2 + 10 + 30


def test_does_not_push_again_what_has_landed_without_an_answer() -> None:
    """
    A connection that breaks after the last byte is no reason to send the image once more.
    """
    registry = FakeRegistry()
    pusher = FakeBuilder(registry=registry, drops=1, heard=True)

    result = _publish(registry, pusher=pusher)

    assert result.image == IMAGE
    assert pusher.pushes == 1


@pytest.mark.parametrize("silences", [1, 2, 3])
def test_asks_again_where_the_registry_does_not_answer(silences: int) -> None:
    """
    A restart costs seconds also where it meets a question.
    """
    registry, clock = FakeRegistry(silences=silences), FakeClock()

    result = _publish(registry, clock=clock)

    assert result == PublishResult(IMAGE, ("9d0f7e3", "latest"))
    assert registry.silences == 0


def test_moves_no_tag_while_it_is_not_known_what_it_names() -> None:
    """
    A registry that does not answer for a moment lets no tag move back in time.
    """
    registry = FakeRegistry(
        {"ghcr.io/acme/shop:latest": digest_of("b")},
        revisions={digest_of("b"): HEAD},
        silent_labels=1,
    )
    history = FakeSourceHistory()
    history.add(SHA, HEAD)

    result = _publish(registry, history=history)

    assert result.tags == ("9d0f7e3",)
    assert registry.tags["ghcr.io/acme/shop:latest"] == digest_of("b")


def test_gives_up_on_a_registry_that_stays_away() -> None:
    """
    The fourth failure is the answer.
    """
    registry = FakeRegistry()
    pusher = FakeBuilder(registry=registry, drops=4)

    with pytest.raises(RegistryUnavailableError):
        _publish(registry, pusher=pusher)

    assert registry.tags == {}


def test_never_overwrites_a_tag_that_does_not_move() -> None:
    """
    What a kustomization names stays the same image for ever.
    """
    registry = FakeRegistry({"ghcr.io/acme/shop:9d0f7e3": digest_of("b")})

    with pytest.raises(TagExistsError) as caught:
        _publish(registry)

    assert registry.tags == {"ghcr.io/acme/shop:9d0f7e3": digest_of("b")}
    assert str(digest_of("a")) in caught.value.message
    assert str(digest_of("b")) in caught.value.message
    assert "{run-number}" in caught.value.hint


@pytest.mark.parametrize("known", ["manifest", "configuration"])
def test_leaves_a_tag_that_names_this_image_already(known: str) -> None:
    """
    The same image again is pushed nowhere, also where the engine knows only its configuration.
    """
    there = digest_of("a") if known == "manifest" else digest_of("c")
    registry = FakeRegistry(
        {"ghcr.io/acme/shop:9d0f7e3": there}, configurations={digest_of("c"): digest_of("a")}
    )
    pusher = FakeBuilder(registry=registry, drops=9)

    result = _publish(registry, pusher=pusher)

    assert result == PublishResult(replace(IMAGE, digest=there), ("9d0f7e3", "latest"))
    assert registry.tags["ghcr.io/acme/shop:latest"] == there


def test_a_rebuild_leaves_the_older_image_its_tags() -> None:
    """
    A kustomization that names a digest gets the new image under a tag that was free.
    """
    registry = FakeRegistry(
        {f"ghcr.io/acme/shop:{tag}": digest_of("b") for tag in ("9d0f7e3", "latest")}
    )
    request = replace(REQUEST, kept=frozenset({"9d0f7e3"}))

    result = _publish(registry, request)

    assert result == PublishResult(replace(IMAGE, tag="latest"), ("latest",))
    assert registry.tags["ghcr.io/acme/shop:9d0f7e3"] == digest_of("b")


def test_a_rebuild_without_a_free_tag_is_an_error() -> None:
    """
    An image that nothing names would be swept away.
    """
    registry = FakeRegistry({"ghcr.io/acme/shop:9d0f7e3": digest_of("b")})
    request = replace(REQUEST, tags=("9d0f7e3",), kept=frozenset({"9d0f7e3"}))

    with pytest.raises(TagExistsError, match="every tag stays"):
        _publish(registry, request)


def test_moves_no_tag_back_in_time() -> None:
    """
    The slow build of an older commit does not take `latest` from a newer one.
    """
    registry = FakeRegistry(
        {"ghcr.io/acme/shop:latest": digest_of("b")}, revisions={digest_of("b"): HEAD}
    )
    history, log = FakeSourceHistory(), LineLog()
    history.add(SHA, HEAD)

    result = _publish(registry, history=history, log=log)

    assert result.tags == ("9d0f7e3",)
    assert registry.tags["ghcr.io/acme/shop:latest"] == digest_of("b")
    assert any("`latest` stays where it is" in line for line in log.lines)


@pytest.mark.parametrize("line", [(HEAD, SHA), ()], ids=["older", "not known"])
def test_moves_a_tag_from_what_is_not_newer(line: tuple[CommitSha, ...]) -> None:
    """
    A moving tag follows the branch, also after a force push.
    """
    history = FakeSourceHistory()
    history.add(*line)
    registry = FakeRegistry(
        {"ghcr.io/acme/shop:latest": digest_of("b")}, revisions={digest_of("b"): HEAD}
    )

    _publish(registry, history=history)

    assert registry.tags["ghcr.io/acme/shop:latest"] == digest_of("a")


def test_moves_no_tag_to_a_lower_version() -> None:
    """
    A fix of an old series leaves `1` and `latest` with the highest version.
    """
    there = {"1.3.0": "b", "1.3": "b", "1": "b", "latest": "b", "1.2.3": "c", "1.2": "c"}
    there |= {"1.2.5-rc.1": "d"}
    registry = FakeRegistry(
        {f"ghcr.io/acme/shop:{tag}": digest_of(letter) for tag, letter in there.items()}
    )
    request = PublishRequest(
        repository=REPOSITORY,
        tags=("1.2.4", "1.2", "1", "latest"),
        moving=frozenset({"1.2", "1", "latest"}),
        version="1.2.4",
        source=SHA,
    )

    result = _publish(registry, request)

    assert result.tags == ("1.2.4", "1.2")
    assert registry.tags["ghcr.io/acme/shop:1.2"] == digest_of("a")
    assert registry.tags["ghcr.io/acme/shop:1"] == digest_of("b")
    assert registry.tags["ghcr.io/acme/shop:latest"] == digest_of("b")


def test_takes_the_list_of_referrers_for_no_version() -> None:
    """
    What a registry without a list of SBOMs and signatures has instead, a tag, holds nothing back.
    """
    listed = f"ghcr.io/acme/shop:{str(digest_of('7')).replace(':', '-')}"
    registry = FakeRegistry({listed: digest_of("b"), f"{listed}.sig": digest_of("c")})
    request = replace(
        REQUEST, tags=("1.2.4", "1", "latest"), moving=frozenset({"1", "latest"}), version="1.2.4"
    )

    result = _publish(registry, request)

    assert result.tags == ("1.2.4", "1", "latest")
    assert registry.tags[listed] == digest_of("b")


def test_pushes_the_sbom_of_an_image_that_is_there() -> None:
    """
    Who asks for an SBOM later gets it: that its image is in the registry already is not enough.
    """
    registry = FakeRegistry({IMAGE.tagged: digest_of("a")})
    pusher = FakeBuilder(registry=registry)

    result = _publish(registry, built=replace(BUILT, sbom=True), pusher=pusher)

    assert result == PublishResult(IMAGE, ("9d0f7e3", "latest"))
    assert pusher.sboms == [digest_of("a")]


def test_an_sbom_lets_no_tag_change() -> None:
    """
    A tag that names another image stays with it, whatever goes with ours.
    """
    registry = FakeRegistry({IMAGE.tagged: digest_of("b")})
    pusher = FakeBuilder(registry=registry)

    with pytest.raises(TagExistsError):
        _publish(registry, built=replace(BUILT, sbom=True), pusher=pusher)

    assert pusher.sboms == []


def test_fails_when_the_registry_does_not_have_what_was_pushed() -> None:
    """
    Argo CD is never pointed at an image that is not there.
    """
    registry = FakeRegistry(moves={"ghcr.io/acme/shop:9d0f7e3": None})

    with pytest.raises(RegistryError, match="there is no such tag"):
        _publish(registry)


def test_fails_when_the_promoted_tag_names_another_image() -> None:
    """
    The kustomization never gets a tag that another job has taken.
    """
    registry = FakeRegistry(moves={"ghcr.io/acme/shop:9d0f7e3": digest_of("b")})

    with pytest.raises(RegistryError) as caught:
        _publish(registry)

    assert str(digest_of("a")) in caught.value.message
    assert str(digest_of("b")) in caught.value.message


def test_lets_another_job_move_latest() -> None:
    """
    Two jobs that push `latest` at once are both green; the later one's image has it.
    """
    registry = FakeRegistry(moves={"ghcr.io/acme/shop:latest": digest_of("b")})
    log = LineLog()

    result = _publish(registry, log=log)

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
            'Head "https://r:5000/v2/acme/certificates/manifests/1": EOF',
            "r:5000",
            RegistryUnavailableError,
            "`image`",
            id="name-that-means-something",
        ),
        pytest.param(
            'Post "https://1.dkr.ecr.eu-central-1.amazonaws.com/v2/shop/blobs/uploads/": EOF',
            "1.dkr.ecr.eu-central-1.amazonaws.com",
            RegistryUnavailableError,
            "ECR hangs up on a push to a repository that it does not have: create it",
            id="no-repository-at-amazon",
        ),
        pytest.param(
            "POST https://r:5000/v2/a/blobs/uploads/: unexpected status code 501 Not Implemented",
            "r:5000",
            RegistryError,
            "again",
            id="not-implemented",
        ),
        pytest.param(
            "write tcp 10.0.0.2:42450->10.0.0.1:443: use of closed network connection",
            "r:5000",
            RegistryUnavailableError,
            "`image`",
            id="closed-while-it-was-sent",
        ),
        pytest.param(
            "http2: client connection lost",
            "r:5000",
            RegistryUnavailableError,
            "`image`",
            id="lost",
        ),
        pytest.param(
            "http2: server sent GOAWAY and closed the connection; ErrCode=NO_ERROR",
            "r:5000",
            RegistryUnavailableError,
            "`image`",
            id="restart",
        ),
        pytest.param(
            "stream error: stream ID 7; INTERNAL_ERROR; received from peer",
            "r:5000",
            RegistryUnavailableError,
            "`image`",
            id="stream",
        ),
        pytest.param(
            "net/http: TLS handshake timeout",
            "r:5000",
            RegistryUnavailableError,
            "`image`",
            id="handshake",
        ),
        pytest.param(
            "received unexpected HTTP status: 504 Gateway Timeout",
            "r:5000",
            RegistryUnavailableError,
            "`image`",
            id="gateway-timeout",
        ),
        pytest.param(
            "Error: GET https://auth.example.com/token: unexpected status code 503 Service "
            "Unavailable",
            "r:5000",
            RegistryUnavailableError,
            "again",
            id="no-tokens",
        ),
        pytest.param(
            "GET https://r:5000/v2/a/manifests/1: UNKNOWN: unknown error; map[]",
            "r:5000",
            RegistryUnavailableError,
            "again",
            id="storage",
        ),
        pytest.param(
            "POST https://r:5000/v2/a/blobs/uploads/: UNAVAILABLE: service unavailable",
            "r:5000",
            RegistryUnavailableError,
            "again",
            id="code-without-status",
        ),
        pytest.param(
            "PATCH https://r:5000/v2/a/blobs/uploads/1: BLOB_UPLOAD_UNKNOWN: blob upload unknown",
            "r:5000",
            RegistryUnavailableError,
            "again",
            id="upload-forgotten",
        ),
        pytest.param(
            "GET https://r:5000/v2/a/manifests/1: MANIFEST_UNKNOWN: manifest unknown",
            "r:5000",
            RegistryError,
            "again",
            id="no-manifest",
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
            RegistryUnavailableError,
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
            "Error: PUT http://r:5000/v2/a/manifests/t: MANIFEST_INVALID: manifest invalid; "
            "unknown media type: application/spdx+json",
            "r:5000",
            RegistryError,
            "leave the input `attestations` out",
            id="images-only",
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
            RegistryUnavailableError,
            "again",
            id="broken",
        ),
        pytest.param(
            "GET https://r:5000/v2/a/manifests/t: unexpected status code 502 Bad Gateway",
            "r:5000",
            RegistryUnavailableError,
            "again",
            id="bad-gateway",
        ),
        pytest.param(
            "toomanyrequests: You have reached your pull rate limit.",
            "docker.io",
            RegistryUnavailableError,
            "logged in",
            id="rate-limit",
        ),
        pytest.param(
            "HEAD https://r:5000/v2/a/manifests/t: unexpected status code 429 Too Many Requests",
            "r:5000",
            RegistryUnavailableError,
            "later",
            id="too-many",
        ),
        pytest.param(
            "name unknown: The repository with name 'a' does not exist in the registry with id '1'",
            "1.dkr.ecr.eu-central-1.amazonaws.com",
            RegistryError,
            "Create the repository (ECR",
            id="no-repository",
        ),
        pytest.param(
            "unexpected status from POST request to https://r:5000/v2/a/b/: 404 Not Found",
            "r:5000",
            RegistryError,
            "project (Harbor)",
            id="not-found",
        ),
        pytest.param(
            "unauthenticated: User cannot be authenticated with the token provided.",
            "ghcr.io",
            RegistryLoginError,
            "packages: write",
            id="expired-token",
        ),
        pytest.param(
            "tag invalid: The image tag 'latest' already exists in the 'shop' repository and "
            "cannot be overwritten because the tag is immutable.",
            "1.dkr.ecr.eu-central-1.amazonaws.com",
            RegistryError,
            "tags: sha",
            id="no-tag-moves",
        ),
        pytest.param(
            "unauthorized: project shop not found: project shop not found",
            "harbor.example.com",
            RegistryError,
            "project (Harbor)",
            id="no-project",
        ),
        pytest.param(
            "tls: first record does not look like a TLS handshake",
            "r:5000",
            RegistryError,
            "insecure-registries",
            id="no-tls",
        ),
        pytest.param(
            "http2: server sent GOAWAY and closed the connection",
            "r:5000",
            RegistryUnavailableError,
            "`image`",
            id="connection-closed",
        ),
        pytest.param(
            "GET https://r:5000/v2/certificate-denied/manifests/1.429: unexpected status code 503",
            "r:5000",
            RegistryUnavailableError,
            "again",
            id="an-image-that-sounds-like-a-refusal",
        ),
        pytest.param(
            "name unknown: The repository with name 'certificates' does not exist",
            "1.dkr.ecr.eu-central-1.amazonaws.com",
            RegistryError,
            "Create the repository (ECR",
            id="a-repository-that-sounds-like-a-refusal",
        ),
        pytest.param(
            "UNAUTHORIZED: authentication required; [map[Action:pull Name:acme/certificates]]",
            "r:5000",
            RegistryLoginError,
            "registry-password",
            id="a-detail-that-sounds-like-a-refusal",
        ),
        pytest.param(
            "MANIFEST_UNKNOWN: manifest unknown; unknown tag=1.429",
            "r:5000",
            RegistryError,
            "Run the job again",
            id="a-tag-in-a-detail-that-sounds-like-a-refusal",
        ),
        pytest.param(
            "r:5000/a/timeout:1.403: x509: certificate signed by unknown authority",
            "r:5000",
            RegistryError,
            "ca-certificates:",
            id="a-tag-that-sounds-like-a-refusal",
        ),
        pytest.param(
            'Get "https://r.example.com/v2/": dial tcp: lookup r.example.com: no such host',
            "r.example.com",
            RegistryError,
            "`image`",
            id="no-host",
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "Error: PUT https://r:5000/v2/a/manifests/1?ns=a: unexpected status code 502 Bad "
            "Gateway: <html>\n<title>502 Server Error</title>\n<body>401</body>\n</html>\n\n",
            "PUT https://r:5000/v2/a/manifests/1: unexpected status code 502 Bad Gateway:",
            id="crane",
        ),
        pytest.param(
            "error parsing HTTP 502 response body: invalid character '<' looking for beginning of "
            'value: "<!DOCTYPE html>\\r\\n<title>502 Server Error</title></html>\\r\\n"',
            "error parsing HTTP 502 response body: invalid character '<' looking for beginning of",
            id="docker",
        ),
        pytest.param(
            f'Error: Patch "https://s3.example.com/a?X-Amz-Signature={"d4" * 500}": unexpected EOF',
            'Patch "https://s3.example.com/a": unexpected EOF',
            id="signature",
        ),
    ],
)
def test_a_message_has_neither_pages_nor_signatures(text: str, said: str) -> None:
    """
    What went wrong is not lost in a load balancer's page or behind a long address.
    """
    error = explain_refusal(text, "r:5000")

    assert type(error) is RegistryUnavailableError
    assert said in error.message
    assert "Signature" not in error.message
    assert "<" not in error.message.removesuffix("looking for beginning of value: ").replace(
        "'<'", ""
    )


def test_a_push_that_stands_still_is_not_tried_again() -> None:
    """
    Half an hour is told as what it is, once, and not as what was printed last.
    """
    error = explain_push("pushed blob: sha256:0ddba11", "r:5000", timed_out=True)

    assert type(error) is RegistryError
    assert "r:5000 has not taken the image within 30 minutes" in error.message
    assert "not sent again" in error.hint
