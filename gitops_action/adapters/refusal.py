"""What a registry's refusal means, whichever program was told it: docker, ko or crane."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitops_action.errors import RegistryError, RegistryLoginError

if TYPE_CHECKING:
    from gitops_action.errors import ActionError

_GITHUB = "ghcr.io"
_LONGEST = 500

_UNTRUSTED = re.compile(r"x509|certificate", re.IGNORECASE)
_PLAIN = re.compile(r"HTTP response to HTTPS client")
_REFUSED = re.compile(
    r"unauthorized|authentication required|no basic auth|denied|forbidden|\b40[13]\b"
    r"|incorrect username or password",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"connection refused|no such host|timeout|timed out|no route to host|unreachable"
    r"|connection reset|\bEOF\b|server misbehaving",
    re.IGNORECASE,
)


def explain_refusal(text: str, registry: str) -> ActionError:
    """Turn what docker or crane printed about `registry` into an error with its fix.

    RegistryLoginError for the credentials and the right to push, RegistryError for the rest.
    """
    said = last_words(text)
    if _UNTRUSTED.search(text):
        return RegistryError(
            f"The certificate of {registry} is not trusted: {said}",
            hint="Give its authority to this step:\n\n"
            "    ca-certificates: ${{ vars.REGISTRY_CA }}\n\n"
            "With `builder: docker` the engine pushes, and it has a list of its own: put the "
            f"certificate on the runner as /etc/docker/certs.d/{registry}/ca.crt, or use "
            "`builder: ko`.",
        )
    if _PLAIN.search(text):
        return RegistryError(
            f"{registry} speaks HTTP where HTTPS is expected: {said}",
            hint="Serve the registry with TLS. With `builder: docker` the runner's engine can also "
            f'be told to trust it: "insecure-registries": ["{registry}"] in its daemon.json.',
        )
    if _REFUSED.search(text):
        return RegistryLoginError(
            f"{registry} refuses the credentials or the right to push: {said}",
            hint=_github_hint() if registry == _GITHUB else _login_hint(),
        )
    if _UNREACHABLE.search(text):
        return RegistryError(
            f"{registry} cannot be reached: {said}",
            hint="Compare the host in the input `image` with the registry's address, and see "
            "whether this runner may reach it.",
        )
    return RegistryError(
        f"{registry} answered with an error: {said}",
        hint="Run the job again; if it stays, look at the registry's own log.",
    )


def last_words(text: str) -> str:
    """Keep the last line that says something, without the program's `Error:` before it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = lines[-1] if lines else "it said nothing"
    return re.sub(r"^(?:error|ERROR|Error):\s*", "", said)[:_LONGEST]


def _github_hint() -> str:
    return (
        "Let the job's token write packages:\n\n"
        "    permissions:\n"
        "      contents: write\n"
        "      packages: write\n\n"
        "A package that another repository made must be linked to this one as well: its page on "
        'GitHub, "Package settings", "Manage Actions access", add this repository with the role '
        "Write."
    )


def _login_hint() -> str:
    return (
        "Give the step a user that may push to this repository:\n\n"
        "    registry-username: ${{ vars.REGISTRY_USERNAME }}\n"
        "    registry-password: ${{ secrets.REGISTRY_PASSWORD }}\n\n"
        "A secret that is not set is empty, and so is every secret in a pull request of a fork."
    )
