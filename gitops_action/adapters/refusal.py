"""What a registry's refusal means, whichever program was told it: docker, ko or crane."""

from __future__ import annotations

import re

from gitops_action.errors import (
    ActionError,
    RegistryError,
    RegistryLoginError,
    RegistryUnavailableError,
)

_GITHUB = "ghcr.io"
# A push that has stood still for so long is not tried again.
PUSH_SECONDS = 1800.0
_LONGEST = 500
# What a load balancer answers for a registry that is not there: a page of its own.
_PAGE = re.compile(r"<(?:!doctype\b|html\b).*?(?:</html>|\Z)", re.IGNORECASE | re.DOTALL)
# An upload's address ends with its state or a signature, which is long and says nothing.
_QUERY = re.compile(r"(https?://[^\s?\"]+)\?[^\s\"]*?(?=:?(?:[\s\"]|$))")
# What is not the answer's own words: `'shop'`, and `map[Tag:1.429]`, `tag=1.429`, `Name:shop`.
_NAMES = re.compile(r"'[^']*'")
_NAMED = re.compile(r"\b(?:name|tag)[:=]", re.IGNORECASE)

_GITHUB_HINT = (
    "Let the job's token write packages:\n\n"
    "    permissions:\n"
    "      contents: write\n"
    "      packages: write\n\n"
    "A package that another repository made must be linked to this one as well: its page on "
    'GitHub, "Package settings", "Manage Actions access", add this repository with the role Write.'
)
_CANNOT_BE_REACHED = (
    "cannot be reached",
    (
        "Compare the host in the input `image` with the registry's address, and see whether this "
        "runner may reach it."
    ),
)
# The first that fits counts: an answer to a token's request may quote more than one.
_MEANINGS: tuple[tuple[re.Pattern[str], type[ActionError], str, str], ...] = (
    (
        re.compile(r"x509|certificate", re.IGNORECASE),
        RegistryError,
        "has a certificate that is not trusted",
        (
            "Give its authority to this step:\n\n"
            "    ca-certificates: ${{ vars.REGISTRY_CA }}\n\n"
            "With `builder: docker` an engine without the containerd image store pushes itself, "
            "and it has a list of its own: put the certificate on the runner as "
            "/etc/docker/certs.d/{registry}/ca.crt, or use `builder: ko`."
        ),
    ),
    (
        re.compile(r"HTTP response to HTTPS client|does not look like a TLS handshake"),
        RegistryError,
        "speaks HTTP where HTTPS is expected",
        (
            "Serve the registry with TLS. An engine that pushes itself (`builder: docker`, without "
            "the containerd image store) can also be told to trust it: "
            '"insecure-registries": ["{registry}"] in its daemon.json.'
        ),
    ),
    (
        re.compile(r"toomanyrequests|too many requests|\b429\b|rate limit", re.IGNORECASE),
        RegistryUnavailableError,
        "takes no more requests for now",
        (
            "Run the job again later. Limits are higher for a user who has logged in, and fewer "
            "jobs at once ask for less (`concurrency:`)."
        ),
    ),
    # ECR, GAR and Harbor can be told that no tag moves.
    (
        re.compile(r"\bimmutable\b|immutability", re.IGNORECASE),
        RegistryError,
        "lets no tag move",
        (
            "Take the tags that move out of `tags` (`latest`, `branch`, and of a version `1.2` and "
            "`1`), or let the registry move them:\n\n"
            "    tags: sha"
        ),
    ),
    # ECR, GAR and Harbor make no repository or project by a push; Harbor says `unauthorized` too.
    (
        re.compile(r"name[ _]unknown|\b404\b|project \S+ not found", re.IGNORECASE),
        RegistryError,
        "has no such repository, and a push does not make one",
        (
            "Create the repository (ECR, GAR) or the project (Harbor) that `image` names, or "
            "correct its path."
        ),
    ),
    (
        re.compile(
            r"unauthorized|unauthenticated|authentication required|no basic auth|denied|forbidden"
            r"|\b40[13]\b|incorrect username or password",
            re.IGNORECASE,
        ),
        RegistryLoginError,
        "refuses the credentials or the right to push",
        (
            "Give the step a user that may push to this repository:\n\n"
            "    registry-username: ${{ vars.REGISTRY_USERNAME }}\n"
            "    registry-password: ${{ secrets.REGISTRY_PASSWORD }}\n\n"
            "A secret that is not set is empty, and so is every secret in a pull request of a fork."
        ),
    ),
    (
        re.compile(r"manifest[ _]invalid", re.IGNORECASE),
        RegistryError,
        "takes no manifest of this kind",
        (
            "A registry that knows images only takes neither SBOM nor provenance: update it, or "
            "leave the input `attestations` out."
        ),
    ),
    # A name that is not there does not come by waiting.
    (re.compile(r"no such host"), RegistryError, *_CANNOT_BE_REACHED),
    (
        re.compile(
            r"connection refused|timeout|timed out|deadline exceeded|no route to host|unreachable"
            r"|connection reset|broken pipe|server misbehaving|closed network connection"
            r"|http2: |stream error|GOAWAY|connection lost|server closed",
            re.IGNORECASE,
        ),
        RegistryUnavailableError,
        *_CANNOT_BE_REACHED,
    ),
    # ECR's answer to an upload: https://github.com/aws/containers-roadmap/issues/1970
    (
        re.compile(r"\bEOF\b"),
        RegistryUnavailableError,
        "hung up",
        (
            "Run the job again. ECR hangs up on a push to a repository that it does not have: "
            "create it, or correct the path in the input `image`."
        ),
    ),
    (
        re.compile(
            # What is not implemented (501) does not come by waiting.
            r"status(?: code)?:? 5(?!01)\d\d\b|\b5\d\d (?:Internal|Bad|Service|Gateway)"
            # Codes of the distribution specification, which crane prints in the status's place; an
            # upload that was begun is unknown after a restart.
            r"|HTTP 5\d\d response|\b(?:UNAVAILABLE|UNKNOWN)\b"
            r"|(?i:blob[ _]upload[ _](?:unknown|invalid))"
        ),
        RegistryUnavailableError,
        "is broken or overloaded",
        "Run the job again; if it stays, look at the registry's own log.",
    ),
)


def explain_refusal(text: str, registry: str) -> ActionError:
    """Turn what docker or crane printed about `registry` into an error with its fix.

    RegistryLoginError for the credentials and the right to push, RegistryUnavailableError for what
    passes by itself, RegistryError for the rest.
    """
    return known_refusal(text, registry) or RegistryError(
        f"{registry} answered with an error: {_quoted(text)}",
        hint="Run the job again; if it stays, look at the registry's own log.",
    )


def known_refusal(text: str, registry: str) -> ActionError | None:
    """Do the same where the words are known; None where they are not."""
    said = _quoted(text)
    answer = _without_names(_PAGE.sub("", text))
    for pattern, kind, message, hint in _MEANINGS:
        if pattern.search(answer):
            if kind is RegistryLoginError and registry == _GITHUB:
                hint = _GITHUB_HINT  # noqa: PLW2901
            return kind(f"{registry} {message}: {said}", hint=hint.replace("{registry}", registry))
    return None


def _without_names(text: str) -> str:
    """Leave out what the user has named: an image may be called `acme/certificate-denied:1.503`."""
    words = _NAMES.sub("", text).split()
    return " ".join(word for word in words if "/" not in word and not _NAMED.search(word))


def _quoted(text: str) -> str:
    return last_words(_QUERY.sub(r"\1", text))


def explain_push(text: str, registry: str, *, timed_out: bool) -> ActionError:
    """Do the same for a push, which ends after PUSH_SECONDS at the latest."""
    if timed_out:
        return RegistryError(
            f"{registry} has not taken the image within {PUSH_SECONDS / 60:.0f} minutes: the push "
            "stands still, or is very slow.",
            hint="Run the job again: layers that the registry has are not sent again. If it stays, "
            "look at the network between runner and registry, and at the image's size.",
        )
    return explain_refusal(text, registry)


def last_line(text: str) -> str:
    """Take the last line that says something, which is no part of a page; empty without one."""
    lines = [line.strip() for line in _PAGE.sub("", text).splitlines() if line.strip()]
    return lines[-1] if lines else ""


def last_words(text: str) -> str:
    """Keep the last line that says something, without the program's `Error:` before it."""
    said = last_line(text) or "it said nothing"
    return re.sub(r"^(?:error|ERROR|Error):\s*", "", said)[:_LONGEST]
