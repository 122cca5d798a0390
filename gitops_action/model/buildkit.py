"""What opens a BuildKit elsewhere: the certificates and the key of mutual TLS."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitops_action.model.secret import Secret

# https://www.rfc-editor.org/rfc/rfc7468
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)
_CERTIFICATE, _KEY = "CERTIFICATE", "PRIVATE KEY"


@dataclass(frozen=True, slots=True)
class Bundle:
    """PEM texts: who is trusted, who we are (with the certificates between), and our key."""

    authority: str
    certificate: str
    key: Secret


def parse_bundle(pem: str) -> Bundle:
    """Take the first certificate as the authority's; raises ValueError where a part is missing."""
    blocks = [(found[1], f"{found[0]}\n") for found in _BLOCK.finditer(pem)]
    certificates = [text for kind, text in blocks if kind == _CERTIFICATE]
    keys = [text for kind, text in blocks if kind.endswith(_KEY)]
    if len(certificates) < len(("authority", "client")) or len(keys) != 1:
        raise ValueError(
            "must hold the CA's certificate, the client's certificate and its one key, all PEM "
            "with all their lines (`cat ca.pem cert.pem key.pem`)"
        )
    if "ENCRYPTED" in keys[0]:
        raise ValueError("must hold a key without a passphrase")
    authority, *ours = certificates
    return Bundle(authority, "".join(ours), Secret(keys[0]))


def checked_bundle(pem: str) -> Secret:
    """Take what `parse_bundle` can read, or nothing; what it is, is never part of an error."""
    if pem:
        parse_bundle(pem)
    return Secret(pem)
