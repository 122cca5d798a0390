"""What a child may see of the step's environment: the names it needs, and never all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK = (
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


def allowed(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    """Keep PATH, the proxies, the trusted certificates, and the variables called `names`."""
    return {name: environment[name] for name in ("PATH", *NETWORK, *names) if name in environment}
