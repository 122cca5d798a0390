"""What registries say, in crane's own words, and what becomes of it: tokens, limits, breakdowns."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING

import pytest
from werkzeug import Request, Response

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.process import Processes
from gitops_action.adapters.registry import Registry, write_credentials
from gitops_action.errors import (
    ActionError,
    RegistryError,
    RegistryLoginError,
    RegistryUnavailableError,
)
from gitops_action.model.build import BuiltImage
from gitops_action.model.image import Digest, ImageReference, Repository
from gitops_action.model.log import HeldLog
from gitops_action.model.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_httpserver import HTTPServer

PASSWORD = "canary-s3cret"
TOKEN = "t0ken"
DIGEST = f"sha256:{'a' * 64}"


def _registry(folder: Path, address: str, password: str = PASSWORD) -> Registry:
    credentials = folder / "credentials"
    write_credentials(credentials, address, "robot", Secret(password))
    return Registry(
        Processes(Cancellation()),
        env={"PATH": os.environ["PATH"]},
        private=folder,
        credentials=credentials,
    )


def _address(server: HTTPServer) -> str:
    return f"127.0.0.1:{server.port}"


@pytest.fixture(scope="session")
def httpserver_listen_address() -> tuple[str, int]:
    """Listen where crane speaks HTTP."""
    return ("127.0.0.1", 0)


def _with_tokens(server: HTTPServer, sold: tuple[str, ...] = ("pull", "push")) -> None:
    """Answer as GHCR, Docker Hub and Harbor do: a password buys a token, a token an answer."""
    expected = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()

    def token(request: Request) -> Response:
        if request.headers.get("Authorization") != f"Basic {expected}":
            return Response('{"errors":[{"code":"UNAUTHORIZED"}]}', 401)
        wanted = request.args["scope"].rpartition(":")[2].split(",")
        if not set(wanted) <= set(sold):
            return Response('{"errors":[{"code":"DENIED"}]}', 403)
        return Response(f'{{"token": "{TOKEN}"}}', content_type="application/json")

    def answer(request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            realm = f'Bearer realm="{server.url_for("/token")}",service="registry"'
            return Response(status=401, headers={"WWW-Authenticate": realm})
        headers = {
            "Docker-Content-Digest": DIGEST,
            "Content-Type": "application/vnd.oci.image.manifest.v1+json",
            "Content-Length": "2",
        }
        return Response("{}", headers=headers)

    def upload(request: Request) -> Response:
        answered = answer(request)
        if answered.status_code == 401:
            return answered
        return Response(status=202, headers={"Location": "/v2/acme/shop/blobs/uploads/1"})

    server.expect_request("/token").respond_with_handler(token)
    server.expect_request("/v2/").respond_with_handler(answer)
    server.expect_request("/v2/acme/shop/manifests/1").respond_with_handler(answer)
    server.expect_request("/v2/acme/shop/blobs/uploads/", "POST").respond_with_handler(upload)


def test_buys_a_token_with_the_password(httpserver: HTTPServer, tmp_path: Path) -> None:
    """
    A registry with tokens (bearer authentication) is asked as one with passwords.
    """
    _with_tokens(httpserver)
    image = ImageReference(Repository(f"{_address(httpserver)}/acme/shop"), "1")

    digest = _registry(tmp_path, _address(httpserver)).digest(image)

    assert digest == Digest(DIGEST)


def test_says_that_no_token_is_to_be_had(httpserver: HTTPServer, tmp_path: Path) -> None:
    """
    A wrong password is found where the token is bought.
    """
    _with_tokens(httpserver)
    image = ImageReference(Repository(f"{_address(httpserver)}/acme/shop"), "1")

    with pytest.raises(RegistryLoginError):
        _registry(tmp_path, _address(httpserver), "wrong").digest(image)


def test_does_not_take_an_outage_for_an_image_without_labels(tmp_path: Path) -> None:
    """
    A tag that must not move back in time does not move while nobody can say what it names.
    """
    away = _registry(tmp_path, "127.0.0.1:1")

    with pytest.raises(RegistryUnavailableError):
        away.revision(ImageReference(Repository("127.0.0.1:1/acme/shop"), "1"))


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (403, '{"errors":[{"code":"DENIED","message":"write_package"}]}', RegistryLoginError, ""),
        (404, '{"errors":[{"code":"NAME_UNKNOWN"}]}', RegistryError, "no such repository"),
        (429, '{"errors":[{"code":"TOOMANYREQUESTS"}]}', RegistryUnavailableError, "no more"),
        (429, "slow down", RegistryUnavailableError, "no more requests"),
        (503, "", RegistryUnavailableError, "broken or overloaded"),
        (502, "<html>\n<b>401</b>\n</html>\n", RegistryUnavailableError, "502 Bad Gateway"),
    ],
)
def test_explains_what_a_push_is_answered(  # noqa: PLR0913, PLR0917  one answer and its meaning
    httpserver: HTTPServer,
    tmp_path: Path,
    status: int,
    body: str,
    kind: type[ActionError],
    said: str,
) -> None:
    """
    Each refusal is named, and only what passes by itself is called so.
    """
    httpserver.expect_request("/v2/").respond_with_data("")
    httpserver.expect_request(f"/v2/acme/shop/manifests/{DIGEST}").respond_with_data(
        body, status=status, content_type="application/json"
    )
    registry = _registry(tmp_path, _address(httpserver))
    image = ImageReference(Repository(f"{_address(httpserver)}/acme/shop"), "1")

    with pytest.raises(ActionError) as caught:
        registry.push(BuiltImage("registry", DIGEST), image, log=HeldLog())

    assert type(caught.value) is kind, caught.value.message
    assert said in caught.value.message


def _answered(server: HTTPServer, status: int, body: str) -> None:
    """Let everybody read, and answer so to who asks for an upload."""
    server.expect_request("/v2/").respond_with_data("")
    server.expect_request("/v2/acme/shop/blobs/uploads/", "POST").respond_with_data(
        body, status=status, content_type="application/json"
    )


def _errors(code: str, message: str = "") -> str:
    return json.dumps({"errors": [{"code": code, "message": message}]})


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        pytest.param(
            403,
            _errors("DENIED", "permission_denied: write_package"),
            RegistryLoginError,
            "write_package",
            id="GitHub: the package is another repository's",
        ),
        pytest.param(
            403,
            _errors("DENIED", "installation not allowed to Create organization package"),
            RegistryLoginError,
            "not allowed to Create",
            id="GitHub: the job may not write packages",
        ),
        pytest.param(
            401,
            _errors("UNAUTHORIZED", "unauthorized to access repository: acme/shop, action: push"),
            RegistryLoginError,
            "action: push",
            id="Harbor: the robot only pulls",
        ),
        pytest.param(
            403,
            _errors(
                "DENIED", "User: arn:aws:iam::1:user/ci is not authorized to perform: ecr:Init"
            ),
            RegistryLoginError,
            "is not authorized to perform",
            id="ECR: no policy allows it",
        ),
        pytest.param(
            403,
            _errors("DENIED", 'Permission "artifactregistry.repositories.uploadArtifacts" denied'),
            RegistryLoginError,
            "uploadArtifacts",
            id="Artifact Registry: the account only reads",
        ),
        pytest.param(403, "", RegistryLoginError, "403 Forbidden", id="no reason"),
        pytest.param(
            404,
            _errors("NAME_UNKNOWN", "The repository with name 'acme/shop' does not exist"),
            RegistryError,
            "a push does not make one",
            id="ECR: no such repository",
        ),
        pytest.param(
            404,
            _errors("NAME_UNKNOWN", 'Repository "shop" not found'),
            RegistryError,
            "a push does not make one",
            id="Artifact Registry: no such repository",
        ),
    ],
)
def test_finds_out_who_may_not_push(  # noqa: PLR0913, PLR0917  one answer and its meaning
    httpserver: HTTPServer,
    tmp_path: Path,
    status: int,
    body: str,
    kind: type[ActionError],
    said: str,
) -> None:
    """
    A user who may only read is told before the build, in the registry's words.
    """
    _answered(httpserver, status, body)
    registry = _registry(tmp_path, _address(httpserver))

    with pytest.raises(ActionError) as caught:
        registry.check_push(Repository(f"{_address(httpserver)}/acme/shop"))

    assert type(caught.value) is kind, caught.value.message
    assert said in caught.value.message
    assert "pushing image" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, _errors("UNSUPPORTED", "the operation is unsupported")),
        (405, ""),
        (415, ""),
        (501, ""),
        (202, ""),
    ],
)
def test_leaves_to_the_push_what_is_neither_yes_nor_no(
    httpserver: HTTPServer, tmp_path: Path, status: int, body: str
) -> None:
    """
    A registry with ways of its own (the last one names no upload) is no reason to end the run.
    """
    _answered(httpserver, status, body)
    registry = _registry(tmp_path, _address(httpserver))

    agreed = registry.check_push(Repository(f"{_address(httpserver)}/acme/shop"))

    assert not agreed


def test_finds_out_that_no_token_for_a_push_is_to_be_had(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    """
    A registry that sells this user tokens for reading alone is understood as well.
    """
    _with_tokens(httpserver, sold=("pull",))
    registry = _registry(tmp_path, _address(httpserver))
    repository = Repository(f"{_address(httpserver)}/acme/shop")

    with pytest.raises(RegistryLoginError):
        registry.check_push(repository)
    readable = registry.digest(ImageReference(repository, "1"))

    assert readable == Digest(DIGEST)


def test_reads_nothing_to_find_out_who_may_push(httpserver: HTTPServer, tmp_path: Path) -> None:
    """
    A token that may push and read no manifest passes.
    """
    _with_tokens(httpserver)
    registry = _registry(tmp_path, _address(httpserver))

    agreed = registry.check_push(Repository(f"{_address(httpserver)}/acme/shop"))

    asked = {(request.method, request.path) for request, _ in httpserver.log}
    assert agreed
    assert ("POST", "/v2/acme/shop/blobs/uploads/") in asked
    assert not [path for _, path in asked if "manifests" in path]
