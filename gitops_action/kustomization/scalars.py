"""How YAML 1.1, as Kustomize reads it, takes a scalar; and how to write one that stays a string."""

from __future__ import annotations

import json
import re

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]*/[A-Za-z0-9._/-]*")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9+._-]*:[0-9A-Fa-f]{32,}")
_STARTS_AS_TEXT = re.compile(r"[A-Za-z_]|[0-9]+\.[0-9]+\.[0-9]")
_LETTER_BUT_E = re.compile(r"[A-DF-Za-df-z]")
_NAMED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})

# What sigs.k8s.io/yaml resolves to something else than a string (its resolve.go). Dates and base 60
# are strings there; underscores in numbers count for nothing.
_ABSENT = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = re.compile(
    r"[yY]|yes|Yes|YES|true|True|TRUE|on|On|ON|[nN]|no|No|NO|false|False|FALSE|off|Off|OFF"
)
_NUMBER = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+"
    r"|(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)


def is_absent(plain: str) -> bool:
    """Whether this text without quotes is YAML's null, which is the same as no field."""
    return plain in _ABSENT


def is_string(plain: str) -> bool:
    """Whether this text without quotes is a string, and no number, boolean or null."""
    if is_absent(plain) or _BOOLEAN.fullmatch(plain):
        return False
    number = plain.replace("_", "") if plain[0] in "+-.0123456789" else plain
    return not _NUMBER.fullmatch(number) or _overflows(number)


def _overflows(number: str) -> bool:
    """Whether Go cannot keep the number, and so takes it for a string."""
    digits = number.lower().lstrip("+-")
    if digits.startswith(("0x", "0b", "0o")):
        base = {"x": 16, "b": 2, "o": 8}[digits[1]]
        negative = number.startswith("-")
        return int(digits[2:], base) > ((1 << 63) if negative else (1 << 64) - 1)
    return "inf" not in digits and "nan" not in digits and float(digits) == float("inf")


def written(value: str, *, quote: str | None, flow: bool) -> str:
    """Write `value` as a string: in the quotes that were there, plain only where that is safe."""
    if quote == "'":
        return "'" + value.replace("'", "''") + "'"
    if quote == '"' or not _is_safe_plain(value, flow=flow):
        return json.dumps(value, ensure_ascii=False)
    return value


def _is_safe_plain(value: str, *, flow: bool) -> bool:
    if _PATH.fullmatch(value) or _DIGEST.fullmatch(value):
        return not (flow and ":" in value)
    folded = value.lower()
    return (
        bool(_WORD.fullmatch(value))
        and folded not in _NAMED
        and not folded.startswith(("0x", "0o", "0b"))
        and bool(_STARTS_AS_TEXT.match(value) or _LETTER_BUT_E.search(value))
    )
