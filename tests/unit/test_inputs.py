"""Inputs are parsed once, and every problem is named at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath

import pytest

from gitops_action.errors import InputError
from gitops_action.inputs import load_inputs, secrets
from gitops_action.model.buildkit import parse_bundle
from gitops_action.model.identity import GITHUB_ACTIONS, Identity
from gitops_action.model.secret import Secret
from gitops_action.model.stage import Stage
from gitops_action.model.wait import ApplicationName, WaitFor
from tests.fakes.runs import PEM, PEM_KEY, context_of, defaults, inputs_of


def test_the_defaults_of_action_yml_are_valid() -> None:
    """
    A step without `with:` is a valid step.
    """
    inputs = inputs_of()

    assert inputs.stages is None
    assert inputs.wait_timeout == timedelta(minutes=15)
    assert inputs.commit_author == GITHUB_ACTIONS
    assert inputs.given == frozenset()


def test_values_are_parsed_into_types() -> None:
    """
    What the author wrote is understood as the documentation says.
    """
    inputs = inputs_of(
        stages="verify, build",
        go_test_flags="-race -run 'A B'",
        kustomizations="overlays/dev\noverlays/prod",
        argocd_applications="shop, team/shop",
        argocd_server="argocd.example.com/",
        argocd_insecure="True",
        wait_for="synced",
        wait_timeout="90s",
        commit_author="Robo <robo@example.com>",
    )

    assert inputs.stages == frozenset({Stage.VERIFY, Stage.BUILD})
    assert inputs.go_test_flags == ("-race", "-run", "A B")
    assert inputs.kustomizations == (
        PurePosixPath("overlays/dev"),
        PurePosixPath("overlays/prod"),
    )
    assert inputs.argocd_applications == (
        ApplicationName("shop"),
        ApplicationName("shop", "team"),
    )
    assert inputs.argocd_server == "https://argocd.example.com"
    assert inputs.argocd_insecure
    assert inputs.wait_for is WaitFor.SYNCED
    assert inputs.wait_timeout == timedelta(seconds=90)
    assert inputs.commit_author == Identity("Robo", "robo@example.com")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("stages", "verify, deploy", "'deploy'"),
        ("stages", ",", "nothing"),
        ("image", "ghcr.io/Acme/shop", "not an image repository"),
        ("image", "https://ghcr.io/acme/shop", "not an image repository"),
        ("wait-timeout", "soon", "`90s`, `15m` or `1h`"),
        ("wait-timeout", "10", "`90s`, `15m` or `1h`"),
        ("wait-timeout", "0m", "`90s`, `15m` or `1h`"),
        ("argocd-sync", "yes", "`never`, `if-needed`, `always`"),
        ("argocd-resources", "shop", "`apps:Deployment:shop`"),
        ("argocd-selector", "app=shop;rm", "`app=shop,stage!=dev`"),
        ("argocd-project", "My Team", "the name of a project"),
        ("wait-for", "ready", "`synced`, `healthy`, `suspended`, `nothing`"),
        ("pin", "sha", "`tag`, `digest`, `tag+digest`"),
        ("builder", "kaniko", "`auto`, `docker`, `ko`"),
        ("rendered-proof", "always", "`when-possible`, `required`"),
        ("argocd-insecure", "yes", "`true` or `false`"),
        ("argocd-server", "ftp://argocd.example.com", "https://argocd.example.com"),
        ("argocd-server", "https://user:pass@argocd.example.com", "https://argocd.example.com"),
        ("argocd-applications", "a/b/c", "`team/shop`"),
        ("kustomizations", "../elsewhere", "inside the repository"),
        ("working-directory", "/etc", "inside the repository"),
        ("ca-certificates", "/etc/ssl/cert.pem", "PEM"),
        ("commit-message", "one\ntwo", "one line"),
        ("on-failed-rollout", "always", "`keep`, `revert`"),
        ("commit-author", "ada@example.com", "`Ada Lovelace <ada@example.com>`"),
        ("commit-author", "... <ada@example.com>", "`Ada Lovelace <ada@example.com>`"),
        ("commit-author", "Ada\nLovelace <ada@example.com>", "`Ada Lovelace <ada@example.com>`"),
        ("signing-key", "ssh-ed25519 AAAA", "a private SSH key"),
        ("gitops-ssh-key", "~/.ssh/id_ed25519", "a private SSH key"),
        *[
            ("gitops-branch", name, "the name of a branch such as `main`")
            for name in (
                *("release 1", "a..b", "-f", "/a", "a/", "a//b", "a.lock", "a/.b", "a.", "@"),
                *("a@{b", "a~1", "a^", "a:b", "a?", "*", "a[b", "a\\b", "a\x7f", "a\nb", "..", "."),
            )
        ],
        ("go-test-flags", "-run 'open", "quotation"),
        ("go-test-flags", "-exec=/bin/sh", "`-exec`"),
        ("go-packages", "-toolexec=x", "packages"),
        ("main-package", "-o", "package"),
        ("argocd-headers", "canary", "`CF-Access-Client-Id: …`"),
        ("argocd-headers", "a b: canary", "`CF-Access-Client-Id: …`"),
        ("wait-via", "status", "`status:CONTEXT`"),
        ("build-args", "NAME", "`NAME=value`"),
        ("labels", "a b=c", "`NAME=value`"),
        ("build-secrets", "canary", "`NPM_TOKEN=${{ secrets.NPM_TOKEN }}`"),
        ("build-secrets", "NPM_TOKEN=", "`NPM_TOKEN=${{ secrets.NPM_TOKEN }}`"),
        ("platforms", "amd64", "`linux/amd64`"),
        ("attestations", "sbom none", "`provenance`"),
        ("build-cache", "gha", "`inline`"),
        ("target", "--push", "stage of the Dockerfile"),
        ("buildkit-address", "https://buildkit", "`tcp://buildkit.example.com:1234`"),
        ("buildkit-address", "tcp://buildkit", "`tcp://buildkit.example.com:1234`"),
        ("buildkit-address", "tcp://buildkit:65536", "`tcp://buildkit.example.com:1234`"),
        ("buildkit-tls", "canary", "`cat ca.pem cert.pem key.pem`"),
        ("buildkit-tls", f"{PEM}{PEM}", "`cat ca.pem cert.pem key.pem`"),
        ("buildkit-tls", f"{PEM}{PEM}{PEM_KEY.replace('PRI', 'ENCRYPTED PRI')}", "passphrase"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(name: str, value: str, said: str) -> None:
    """
    The message names the input and shows a right value.
    """
    with pytest.raises(InputError) as caught:
        inputs_of(**{name: value})

    assert f"`{name}`" in caught.value.message
    assert said in caught.value.message
    assert "canary" not in caught.value.message


def test_a_bundle_is_an_authority_ourselves_and_a_key() -> None:
    """
    What opens a BuildKit comes as one secret, in the order of its three files.
    """
    ours = PEM.replace("canary", "ours")
    between = PEM.replace("canary", "between")
    bundle = f"of the CA\n{PEM}{ours}{between}{PEM_KEY}"

    inputs = inputs_of(buildkit_address="tcp://[fd00::1]:1234", buildkit_tls=bundle)
    parsed = parse_bundle(inputs.buildkit_tls.reveal())

    assert inputs.buildkit_address == "tcp://[fd00::1]:1234"
    assert parsed.authority == PEM
    assert parsed.certificate == ours + between
    assert parsed.key == Secret(PEM_KEY)
    assert "canary-key" not in repr(parsed) + repr(inputs)


def test_headers_are_read_one_a_line() -> None:
    """
    A value may hold colons and blanks, and shows nowhere.
    """
    headers = inputs_of(argocd_headers="X-Id: a\n\n Authorization: Basic YTo6\n").argocd_headers

    assert headers == {"X-Id": Secret("a"), "Authorization": Secret("Basic YTo6")}
    assert "YTo6" not in repr(headers)


def test_a_builds_arguments_and_secrets_are_read_one_a_line() -> None:
    """
    A value may hold blanks and equals signs; a secret's shows nowhere and is masked.
    """
    secret = "TOKEN=can=ary\nOTHER=x y"

    inputs = inputs_of(
        build_args="A=b c=d\n\nE=",
        build_secrets=secret,
        platforms="linux/amd64, linux/arm/v7",
        attestations="provenance sbom",
    )

    assert inputs.build_args == {"A": "b c=d", "E": ""}
    assert inputs.build_secrets == {"TOKEN": Secret("can=ary"), "OTHER": Secret("x y")}
    assert "can=ary" not in repr(inputs)
    assert inputs.platforms == ("linux/amd64", "linux/arm/v7")
    assert inputs.attestations == ("provenance", "sbom")
    masked = secrets({"INPUT_BUILD-SECRETS": secret})
    assert [one.reveal() for one in masked] == ["can=ary", "x y"]


def test_the_author_of_the_commit_can_be_chosen() -> None:
    """
    A name may be written as in any language.
    """
    inputs = inputs_of(commit_author="Zoë O'Hara (bot) <zoe+bot@example.com>")

    assert inputs.commit_author == Identity("Zoë O'Hara (bot)", "zoe+bot@example.com")
    assert inputs_of().commit_author == GITHUB_ACTIONS


@pytest.mark.parametrize(
    "name", ["", "main", "release/1.0", "a-b_c", "feature/#12-ü", "x@y", "$(x)"]
)
def test_a_branch_has_the_names_that_git_allows(name: str) -> None:
    """
    What git takes for a branch is no typo.
    """
    assert inputs_of(gitops_branch=name).gitops_branch == name


def test_every_problem_is_named_at_once() -> None:
    """
    Three typos take one run to find, not three.
    """
    with pytest.raises(InputError) as caught:
        inputs_of(wait_timeout="soon", builder="kaniko", argocd_insecure="on")

    assert caught.value.message.count("`: ") + caught.value.message.count("; ") >= 2
    assert all(
        f"`{name}`" in caught.value.message
        for name in ("wait-timeout", "builder", "argocd-insecure")
    )


def test_secrets_never_print() -> None:
    """
    A token shows neither in a message nor in a traceback's values.
    """
    inputs = inputs_of(github_token="canary", argocd_token="canary")

    assert "canary" not in repr(inputs)
    assert str(inputs.github_token) == "***"
    assert inputs.github_token.reveal() == "canary"


def test_secrets_are_known_before_the_inputs_are_valid() -> None:
    """
    A token is masked even where another input is wrong.
    """
    env = {
        "INPUT_ARGOCD-TOKEN": " canary\n",
        "INPUT_WAIT-TIMEOUT": "soon",
        "INPUT_GITHUB-TOKEN": "",
        "INPUT_ARGOCD-HEADERS": "X-Id: one\nno colon\n",
    }

    found = secrets(env)

    assert [secret.reveal() for secret in found] == ["canary", "one", "no colon"]


def test_an_absent_input_has_its_default_outside_a_runner() -> None:
    """
    On a laptop nothing sends the inputs that were not given.
    """
    inputs = load_inputs({}, defaults())

    assert inputs.tags == ("sha", "latest")


def test_the_context_names_the_run() -> None:
    """
    A commit in the GitOps repository leads back to the run that made it.
    """
    context = context_of()

    assert context.run_url == "https://github.com/acme/shop/actions/runs/42/attempts/1"
    assert context.default_branch == "main"
    assert context.on_runner
