"""The sync windows of an Application: when Argo CD may not sync it by itself."""

from __future__ import annotations

from collections.abc import Mapping


def parse_closed_window(document: object) -> str:
    """Parse the JSON of sync windows into the one that is in the way, `""` where none is.

    A `deny` that is active forbids; where there are `allow` windows, one of them must be active
    (https://argo-cd.readthedocs.io/en/stable/user-guide/sync_windows/). The answer's own `canSync`
    is about syncs by hand.
    """
    body = document if isinstance(document, Mapping) else {}
    active, assigned = _windows(body, "activeWindows"), _windows(body, "assignedWindows")
    for window in active:
        if window.get("kind") == "deny":
            return _said(window)
    allowing = [window for window in assigned if window.get("kind") == "allow"]
    if allowing and not any(window.get("kind") == "allow" for window in active):
        return f"outside of {' and '.join(_said(window) for window in allowing)}"
    return ""


def _windows(body: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    value = body.get(key)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _said(window: Mapping[str, object]) -> str:
    zone = f" {window['timeZone']}" if window.get("timeZone") else ""
    return f"{window.get('kind')} `{window.get('schedule')}`{zone} for {window.get('duration')}"
