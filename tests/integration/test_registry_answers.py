"""What registries say, in crane's own words, and what becomes of it: tokens, limits, breakdowns."""

from __future__ import annotations

import base64
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


def _with_tokens(server: HTTPServer) -> None:
    """Answer as GHCR, Docker Hub and Harbor do: a password buys a token, a token an answer."""
    expected = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()

    def token(request: Request) -> Response:
        if request.headers.get("Authorization") != f"Basic {expected}":
            return Response('{"errors":[{"code":"UNAUTHORIZED"}]}', 401)
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

    server.expect_request("/token").respond_with_handler(token)
    server.expect_request("/v2/").respond_with_handler(answer)
    server.expect_request("/v2/acme/shop/manifests/1").respond_with_handler(answer)


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
