"""The adapter against an Argo CD on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from gitops_action.adapters.argocd import ArgoCD
from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.http import Http
from gitops_action.errors import (
    ActionError,
    ApplicationError,
    ArgoCDError,
    ArgoCDLoginError,
    ArgoCDPermissionError,
    ArgoCDTLSError,
    ArgoCDUnavailableError,
)
from gitops_action.model.secret import Secret
from gitops_action.model.source import CommitSha
from gitops_action.stages.sync import ApplicationName, Promoted, SyncRequest, WaitFor, sync
from tests.fakes.argocd import Answer, Behaviour, FakeArgoCD
from tests.fakes.argocd_api import Request
from tests.fakes.waiting import LinearAncestry, LineLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

URL = "http://127.0.0.1:18088/acme/gitops.git"
OLD, NEW = "0" * 40, "1" * 40
SLOW = Behaviour(operation_seconds=3600)
REFUSED_SYNC = Answer(400, '{"code": 9, "message": "application is deleting"}')
NO_REVISION = Answer(
    400, '{"code": 9, "message": "error resolving repo revision: rpc error: code = Unknown"}'
)
DEPLOYMENT = {"group": "apps", "kind": "Deployment", "name": "shop", "uid": "1"}
POD = {
    "kind": "Pod",
    "namespace": "default",
    "name": "shop-1",
    "uid": "2",
    "parentRefs": [{"kind": "Deployment", "uid": "1"}],
    "info": [
        {"name": "Status Reason", "value": "CrashLoopBackOff"},
        {"name": "Restart Count", "value": "3"},
    ],
    "images": ["ghcr.io/acme/shop:1"],
    "health": {"status": "Degraded", "message": "back-off restarting failed container"},
}
LOGIN_PAGE = Answer(200, "<html>Log in</html>", "text/html; charset=utf-8")


@pytest.fixture
def argocd() -> Iterator[FakeArgoCD]:
    with FakeArgoCD() as fake:
        fake.add_application("hello-gitops", repo_url=URL, resolve=lambda _: OLD)
        yield fake


class Client(Protocol):
    def __call__(
        self,
        server: str,
        token: str = "",
        *,
        ca_file: Path | None = None,
        verify: bool = True,
        headers: Mapping[str, Secret] | None = None,
    ) -> ArgoCD: ...


@pytest.fixture
def client() -> Iterator[Client]:
    opened: list[Http] = []

    def make(
        server: str,
        token: str = "",
        *,
        ca_file: Path | None = None,
        verify: bool = True,
        headers: Mapping[str, Secret] | None = None,
    ) -> ArgoCD:
        opened.append(Http(Cancellation(), ca_file=ca_file, verify=verify))
        return ArgoCD(opened[-1], server, Secret(token), headers)

    yield make
    for http in opened:
        http.close()


def test_reads_an_application(argocd: FakeArgoCD, client: Client) -> None:
    """
    An address without a scheme, the version, the list, the Application and its page.
    """
    adapter = client(argocd.url, argocd.token)

    application = adapter.application("hello-gitops")

    assert adapter.version() == "v3.6.1+unknown"
    assert adapter.select() == (ApplicationName("hello-gitops", "argocd"),)
    assert application.revision == OLD
    assert application.source.repo_url == URL
    assert adapter.page(application) == f"{argocd.url}/applications/argocd/hello-gitops"


def test_a_refresh_that_takes_too_long_is_ended_and_asked_for(
    client: Client,
) -> None:
    """
    A controller that hangs cannot hang the job.
    """
    with FakeArgoCD() as fake:
        fake.add_application(
            "shop",
            repo_url=URL,
            resolve=lambda _: OLD,
            behaviour=Behaviour(reconcile_seconds=3600),
        )
        adapter = client(fake.url, fake.token)

        with pytest.raises(ArgoCDUnavailableError):
            adapter.application("shop", refresh=True, timeout=0.5)

        assert adapter.application("shop").refresh_queued


def test_a_plain_question_asks_for_no_refresh_and_no_version(client: Client) -> None:
    """
    T6: even an empty `refresh` refreshes. T31: a `resourceVersion` of another server is a 403.
    """
    asked: list[set[str]] = []

    class Listening(FakeArgoCD):
        def answer(self, request: Request, seconds: float) -> Answer:
            asked.append(set(request.query))
            return super().answer(request, seconds)

    with Listening() as fake:
        fake.add_application("shop", repo_url=URL, resolve=lambda _: OLD)
        adapter = client(fake.url, fake.token)

        adapter.application("shop")
        adapter.application("shop", "argocd", project="default", refresh=True)

    assert asked == [set(), {"appNamespace", "project", "refresh"}]


def test_serves_below_a_root_path_only(client: Client) -> None:
    """
    An address that lacks Argo CD's root path is said to lack it.
    """
    with FakeArgoCD(root_path="/argocd") as fake:
        right, wrong = client(fake.url), client(fake.url.removesuffix("/argocd"))

        with pytest.raises(ArgoCDError) as raised:
            wrong.version()

        assert right.version() == "v3.6.1+unknown"
        assert "--rootpath" in raised.value.hint


def test_says_how_to_trust_a_self_signed_certificate(client: Client) -> None:
    """
    Both ways out are named, and both work.
    """
    with FakeArgoCD(tls=True) as fake:
        with pytest.raises(ArgoCDTLSError) as raised:
            client(fake.url).version()

        assert "ca-certificates" in raised.value.hint
        assert "argocd-insecure: true" in raised.value.hint
        assert client(fake.url, ca_file=fake.certificate).version() == "v3.6.1+unknown"
        assert client(fake.url, verify=False).version() == "v3.6.1+unknown"
        without_scheme = fake.url.removeprefix("https://")
        assert client(without_scheme, verify=False).version() == "v3.6.1+unknown"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        pytest.param(LOGIN_PAGE, ArgoCDError, "text/html", id="a login page"),
        pytest.param(
            Answer(302, "", headers={"Location": "https://sso.example.com/x"}),
            ArgoCDError,
            "sso.example.com",
            id="a redirect to a login",
        ),
        pytest.param(Answer(403, "<b>", "text/html"), ArgoCDError, "firewall", id="a firewall"),
        pytest.param(
            Answer(502, "<b>", "text/html"), ArgoCDUnavailableError, "502", id="a proxy's 502"
        ),
        pytest.param(Answer(429, "{}"), ArgoCDUnavailableError, "429", id="too many requests"),
        pytest.param(
            Answer(400, '{"code": 3, "message": "app is not allowed in project \\"x\\""}'),
            ApplicationError,
            "not allowed in project",
            id="another project",
        ),
        pytest.param(Answer(200, "[]"), ArgoCDError, "application/json", id="other JSON"),
    ],
)
def test_explains_what_is_not_argocd(
    argocd: FakeArgoCD,
    client: Client,
    answer: Answer,
    kind: type[ActionError],
    words: str,
) -> None:
    """
    Each stranger that answers in Argo CD's place is told apart.
    """
    argocd.interruptions.append(answer)

    with pytest.raises(ActionError) as raised:
        client(argocd.url, argocd.token).application("hello-gitops")

    assert type(raised.value) is kind
    assert words in f"{raised.value.message} {raised.value.hint}"


def test_says_to_use_https_where_the_server_wants_it(argocd: FakeArgoCD, client: Client) -> None:
    """
    The address to write is in the hint, and the redirect was not followed.
    """
    argocd.interruptions.append(
        Answer(307, "", headers={"Location": "https://127.0.0.1:1/api/version"})
    )

    with pytest.raises(ArgoCDError) as raised:
        client(argocd.url).version()

    assert f"argocd-server: https{argocd.url.removeprefix('http')}" in raised.value.hint


def test_a_wrong_token_is_a_login_error(argocd: FakeArgoCD, client: Client) -> None:
    """
    The message is Argo CD's own, and the token is in neither message nor hint.
    """
    with pytest.raises(ArgoCDLoginError) as raised:
        client(argocd.url, "a.wrong.token").application("hello-gitops")

    assert "invalid session" in raised.value.message
    assert "a.wrong.token" not in f"{raised.value.message}{raised.value.hint}"


def test_a_token_with_a_line_break_is_told_without_showing_it(
    argocd: FakeArgoCD, client: Client
) -> None:
    """
    No part of a mistyped secret reaches the log, not even through the library's own error.
    """
    with pytest.raises(ArgoCDError) as raised:
        client(argocd.url, "secret\npart").application("hello-gitops")

    assert "argocd-token" in raised.value.hint
    chain: BaseException | None = raised.value
    while chain:
        assert "part" not in str(chain)
        chain = chain.__cause__


def test_tells_a_missing_application_from_a_missing_right(
    argocd: FakeArgoCD, client: Client
) -> None:
    """
    Argo CD answers `permission denied` to both; the names that the token sees tell which.
    """
    with pytest.raises(ApplicationError) as missing:
        client(argocd.url, argocd.token).application("helo-gitops")
    with pytest.raises(ArgoCDPermissionError) as forbidden:
        client(argocd.url, argocd.tokens["nobody"]).application("hello-gitops")

    assert "It sees: hello-gitops." in missing.value.message
    assert "Did you mean `argocd-applications: hello-gitops`?" in missing.value.hint
    assert "applications, get" in forbidden.value.hint


def test_a_403_of_a_moment_is_no_missing_right(argocd: FakeArgoCD, client: Client) -> None:
    """
    Argo CD says `permission denied` also while its Kubernetes API is not well: that passes.
    """
    argocd.interruptions.append(
        Answer(403, '{"error": "permission denied", "code": 7, "message": "permission denied"}')
    )

    with pytest.raises(ArgoCDUnavailableError, match="yet refuses to show it"):
        client(argocd.url, argocd.token).application("hello-gitops")


def test_a_change_is_sent_with_the_one_content_type_that_argocd_takes(
    argocd: FakeArgoCD, client: Client
) -> None:
    """
    `application/json; charset=utf-8` is refused: the fake and the real one answer 415 to it.
    """
    adapter = client(argocd.url, argocd.token)

    assert adapter.sync("hello-gitops", nonce="run 1")
    assert adapter.terminate("hello-gitops")


def test_nothing_of_an_answer_is_shown_raw(argocd: FakeArgoCD, client: Client) -> None:
    """
    An Application can hold a secret among its Helm parameters, also where it cannot be parsed.
    """
    secret = '{"spec": {"source": {"helm": {"parameters": [{"value": "canary"}]}}}}'
    argocd.interruptions.append(Answer(200, secret))

    with pytest.raises(ArgoCDError) as raised:
        client(argocd.url, argocd.token).application("hello-gitops")

    assert "canary" not in raised.value.told
    assert "canary" not in str(raised.value.__cause__)


def test_names_the_namespace_that_was_left_out(argocd: FakeArgoCD, client: Client) -> None:
    """
    An Application in another namespace is offered with that namespace.
    """
    with pytest.raises(ApplicationError) as raised:
        client(argocd.url, argocd.token).application("hello-gitops", "team-a")

    assert "argocd-applications: argocd/hello-gitops" in raised.value.hint


def test_a_refused_connection_names_the_address(client: Client) -> None:
    """
    Nothing listening is said in the operating system's words.
    """
    with pytest.raises(ArgoCDUnavailableError) as raised:
        client("http://127.0.0.1:1").version()

    assert "http://127.0.0.1:1 does not answer: Connection refused" in raised.value.message


def test_waits_until_a_push_is_deployed(argocd: FakeArgoCD, client: Client) -> None:
    """
    From a push to Synced and Healthy, over HTTP, in a few seconds.
    """
    head = [OLD]
    argocd.add_application("shop", repo_url=URL, resolve=lambda _: head[0])
    head[0] = NEW
    log = LineLog()

    result = sync(
        SyncRequest(
            applications=(ApplicationName("shop"),),
            gitops_url=URL,
            wait_for=WaitFor.HEALTHY,
            timeout_seconds=30,
            settle_seconds=0,
        ),
        Promoted(commit=CommitSha(NEW)),
        argocd=client(argocd.url, argocd.token),
        ancestry=LinearAncestry([OLD, NEW]),
        clock=Cancellation(),
        log=log,
    )

    (shop,) = result.applications
    assert (shop.revision, shop.sync, shop.health) == (NEW, "Synced", "Healthy")
    assert log.lines[-1] == "shop: Synced and Healthy at 1111111"


def test_finds_applications_by_label_and_project(argocd: FakeArgoCD, client: Client) -> None:
    """
    One selector stands for as many Applications as carry the label.
    """
    for name, team in (("shop", "a"), ("cart", "a"), ("blog", "b")):
        argocd.add_application(name, repo_url=URL, resolve=lambda _: OLD).labels["team"] = team
    adapter = client(argocd.url, argocd.token)

    assert [one.name for one in adapter.select("team=a")] == ["cart", "shop"]
    assert adapter.select("team=c") == ()
    assert adapter.select(project="elsewhere") == ()


def test_syncs_with_a_nonce_that_comes_back(argocd: FakeArgoCD, client: Client) -> None:
    """
    An operation that we asked for can be told from every other.
    """
    argocd.add_application("slow", repo_url=URL, resolve=lambda _: OLD, behaviour=SLOW)
    adapter = client(argocd.url, argocd.token)

    begun = adapter.sync("slow", "argocd", project="default", nonce="run 1")
    again = adapter.sync("slow", nonce="run 2")
    asked = adapter.application("slow")

    assert (begun, again) == (True, False)
    assert asked.requested_nonce == "run 1"
    assert asked.operation is None


def test_ends_an_operation(argocd: FakeArgoCD, client: Client) -> None:
    """
    What blocks can be ended, and nothing to end is no failure.
    """
    argocd.add_application("slow", repo_url=URL, resolve=lambda _: OLD, behaviour=SLOW)
    adapter = client(argocd.url, argocd.token)
    idle = adapter.terminate("slow")
    adapter.sync("slow", nonce="run 1")

    ended = adapter.terminate("slow", "argocd", project="default")
    after = adapter.application("slow").operation

    assert (idle, ended) == (False, True)
    assert after
    assert after.phase == "Terminating"


def test_a_right_that_is_missing_is_named_with_its_policy_line(
    argocd: FakeArgoCD, client: Client
) -> None:
    """
    Whoever owns Argo CD can paste the line, account and project included.
    """
    adapter = client(argocd.url, argocd.tokens["reader"])

    with pytest.raises(ArgoCDPermissionError) as syncing:
        adapter.sync("hello-gitops", project="default", nonce="run 1")
    with pytest.raises(ArgoCDPermissionError) as ending:
        adapter.terminate("hello-gitops", project="default")

    line = "`p, reader, applications, sync, default/hello-gitops, allow`"
    assert line in syncing.value.hint
    assert line in ending.value.hint
    assert "The account reader lacks the right `applications, sync`" in syncing.value.message


def test_a_sync_window_is_told_from_a_missing_right(argocd: FakeArgoCD, client: Client) -> None:
    """
    Both are answered by 403, and only one of them is a matter of rights.
    """
    argocd.add_application("shop", repo_url=URL, resolve=lambda _: OLD).window_closed = True
    adapter = client(argocd.url, argocd.token)

    with pytest.raises(ApplicationError, match="blocked by sync window"):
        adapter.sync("shop", nonce="run 1")

    assert adapter.closed_window(adapter.application("shop")) == "deny `0 22 * * *` for 8h"
    assert adapter.closed_window(adapter.application("hello-gitops")) == ""


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(REFUSED_SYNC, ApplicationError, id="precondition"),
        pytest.param(NO_REVISION, ArgoCDUnavailableError, id="git not reachable"),
        pytest.param(Answer(502, "<b>", "text/html"), ArgoCDUnavailableError, id="502"),
    ],
)
def test_explains_why_a_sync_was_refused(
    argocd: FakeArgoCD, client: Client, answer: Answer, kind: type[ActionError]
) -> None:
    """
    What can be tried again is told from what cannot.
    """
    argocd.interruptions.append(answer)

    with pytest.raises(ActionError) as raised:
        client(argocd.url, argocd.token).sync("hello-gitops", nonce="run 1")

    assert type(raised.value) is kind


def test_reads_what_runs_and_what_it_said_last(argocd: FakeArgoCD, client: Client) -> None:
    """
    The pod that crashes is found below its Deployment, with the log of its last run.
    """
    shop = argocd.add_application("shop", repo_url=URL, resolve=lambda _: OLD)
    shop.nodes += [DEPLOYMENT, POD]
    shop.logs["shop-1 (previous)"] = ["starting", "panic: no database"]
    adapter = client(argocd.url, argocd.token)

    application = adapter.application("shop")
    deployment, pod = adapter.tree(application)

    assert (str(deployment), deployment.images) == ("Deployment/shop", ())
    assert (pod.parents, pod.reason, pod.restarts) == (("1",), "CrashLoopBackOff", 3)
    assert pod.images == ("ghcr.io/acme/shop:1",)
    assert adapter.last_log_lines(application, pod) == ("starting", "panic: no database")


def test_a_log_that_the_token_may_not_read_is_said(argocd: FakeArgoCD, client: Client) -> None:
    """
    The right to read logs is one of its own in Argo CD.
    """
    shop = argocd.add_application("shop", repo_url=URL, resolve=lambda _: OLD)
    shop.nodes.append(POD)
    adapter = client(argocd.url, argocd.tokens["reader"])
    application = adapter.application("shop")

    with pytest.raises(ArgoCDPermissionError) as raised:
        adapter.last_log_lines(application, adapter.tree(application)[0])

    assert "`p, reader, logs, get, default/shop, allow`" in raised.value.hint


def test_headers_for_a_login_proxy_go_with_every_request(
    argocd: FakeArgoCD, client: Client
) -> None:
    """
    A proxy in front of Argo CD gets what it asks for, and Argo CD still gets its token.
    """
    argocd.proxy_headers = {"CF-Access-Client-Secret": "s3cret"}
    with_it = client(
        argocd.url, argocd.token, headers={"CF-Access-Client-Secret": Secret("s3cret")}
    )

    assert with_it.version() == "v3.6.1+unknown"
    assert with_it.application("hello-gitops").revision == OLD
    with pytest.raises(ArgoCDError, match="login proxy"):
        client(argocd.url, argocd.token).version()


def test_a_login_proxy_may_have_the_authorization_header(
    argocd: FakeArgoCD, client: Client
) -> None:
    """
    Where basic authentication guards the way, Argo CD's token travels as its cookie.
    """
    argocd.proxy_headers = {"Authorization": "Basic YTpi"}
    adapter = client(argocd.url, argocd.token, headers={"authorization": Secret("Basic YTpi")})

    assert adapter.application("hello-gitops").revision == OLD
    assert adapter.sync("hello-gitops", nonce="run 1")


def test_tells_how_long_a_busy_server_wants_to_be_left_alone(
    argocd: FakeArgoCD, client: Client
) -> None:
    """
    What the server asks for is known to whoever asks it again.
    """
    argocd.interruptions.append(Answer(429, "{}", headers={"Retry-After": "7"}))

    with pytest.raises(ArgoCDUnavailableError) as raised:
        client(argocd.url, argocd.token).application("hello-gitops")

    assert raised.value.retry_after_seconds == 7
