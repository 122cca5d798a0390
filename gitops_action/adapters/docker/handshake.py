"""Why a BuildKit does not let us in: buildx tries for 20 s and then names no reason."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

from gitops_action.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

_ANSWER_SECONDS = 3.0


def check_handshake(address: str, authority: Path, certificate: Path, key: Path) -> None:
    """Shake hands as the build will; raises EngineError for what no waiting changes.

    An address that does not answer may do so in a moment: buildx waits for it.
    """
    name, _, port = address.removeprefix("tcp://").rpartition(":")
    host = name.strip("[]")
    try:
        context = _context(authority, certificate, key)
        with (
            contextlib.suppress(TimeoutError),
            socket.create_connection((host, port), timeout=_ANSWER_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as opened,
        ):
            # In TLS 1.3 our own certificate is judged after the handshake; who accepts it sends its
            # HTTP/2 settings then, unasked.
            opened.recv(1)
    except ssl.SSLCertVerificationError as error:
        raise EngineError(
            f"The BuildKit at {address} shows a certificate that is not trusted: "
            f"{error.verify_message}.",
            hint="The first certificate in `buildkit-tls` must be that of the authority that has "
            f"signed BuildKit's own, which must be for the name or address {host}.",
        ) from error
    except ssl.SSLEOFError:
        # A load balancer without anything behind it, for one.
        return
    except ssl.SSLError as error:
        raise EngineError(
            f"The BuildKit at {address} and `buildkit-tls` do not fit: {_reason(error)}.",
            hint="`buildkit-tls` holds the authority's certificate (`--tlscacert` of buildkitd), "
            "then a client's that it has signed, then that one's key:\n\n"
            "    cat ca.pem cert.pem key.pem",
        ) from error
    except (OSError, UnicodeError):
        # UnicodeError: a name that cannot be one (`a..b`).
        return


def _context(authority: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Trust as buildx does, which is written in Go: no names in CN, no stricter rules."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(authority)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    return context


def _reason(error: ssl.SSLError) -> str:
    return str(error.reason or error).replace("_", " ").lower()
