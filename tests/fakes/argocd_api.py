"""What Argo CD's API answers, row by row as recorded in `fixtures/argocd/*/errors.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.argocd_document import Document
    from tests.fakes.argocd_memory import MemoryApplication

RIGHTS = {"ci": {"get", "sync", "logs"}, "reader": {"get"}, "nobody": set[str]()}
_JSON = "application/json"
_PLAIN = "text/plain; charset=utf-8"
_STATUS = {3: 400, 4: 504, 5: 404, 7: 403, 9: 400, 16: 401}
_NOT_FOUND = 404
_WINDOW = {"kind": "deny", "schedule": "0 22 * * *", "duration": "8h"}
# `canSync` is left out where it is false.
_CLOSED = {"activeWindows": [_WINDOW], "assignedWindows": [_WINDOW]}
_APPLICATION = re.compile(r"/api/v1/applications/(?P<name>[^/]+)(?P<action>/[a-z-]+)?")
_LIST = re.compile(r"/api/v1/applications")
_CAN_I = re.compile(r"/api/v1/account/can-i/applications/(?P<right>\w+)/.+")

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    content_type: str = _JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; `account` is None without a token, and `""` with one that is not known."""

    method: str
    path: str
    query: Query
    account: str | None
    token: str
    content_type: str
    body: str


@dataclass(frozen=True, kw_only=True)
class World:
    """What there is to ask about; `refreshed` refreshes, and says whether it was done in time."""

    version: str
    applications: Mapping[str, MemoryApplication]
    refreshed: Callable[[MemoryApplication], bool]


def reply(request: Request, world: World) -> Answer:
    """Answer one request as Argo CD does."""
    if request.method != "GET" and request.content_type.lower() != _JSON:
        return Answer(415, "Invalid content type\n", _PLAIN)
    return _for_anyone(request, world) or _refusal(request) or _for_accounts(request, world)


def _for_anyone(request: Request, world: World) -> Answer | None:
    if request.path == "/api/version":
        return _json({"Version": world.version} | ({"Platform": "fake"} if request.account else {}))
    if request.path == "/api/v1/session/userinfo":
        who = {"loggedIn": True, "username": request.account, "iss": "argocd"}
        return _json(who if request.account else {})
    known = (_LIST, _CAN_I, _APPLICATION)
    if not any(pattern.fullmatch(request.path) for pattern in known):
        return Answer(_NOT_FOUND, "Not Found\n", _PLAIN)
    return None


def _refusal(request: Request) -> Answer | None:
    if request.account:
        return None
    shaped = request.token.count(".") == len("..")
    return error(
        16, "invalid session: SSO is not configured" if shaped else "no session information"
    )


def _for_accounts(request: Request, world: World) -> Answer:
    if match := _CAN_I.fullmatch(request.path):
        rights = RIGHTS[request.account or "nobody"]
        return _json({"value": "yes" if match["right"] in rights else "no"})
    if _LIST.fullmatch(request.path):
        return _list(request, world)
    return _application(request, world)


def error(code: int, message: str) -> Answer:
    """An error as the gateway writes it; the HTTP status follows from gRPC's code."""
    return _json({"error": message, "code": code, "message": message}, _STATUS[code])


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value))


def _list(request: Request, world: World) -> Answer:
    hidden = "get" not in RIGHTS[request.account or "nobody"]
    selector = _labels(request.query.get("selector", ("",))[0])
    projects = request.query.get("projects", ())
    items = [
        one.document()
        for one in world.applications.values()
        if not hidden
        and selector <= one.labels.items()
        and one.project in (projects or [one.project])
    ]
    return _json({"metadata": {"resourceVersion": "330"}, "items": items or None})


def _labels(selector: str) -> set[tuple[str, str]]:
    """The pairs of a selector that only asks for equality: `a=b,c=d`."""
    return {
        (name, value)
        for name, _, value in (one.partition("=") for one in selector.split(","))
        if name
    }


def _application(request: Request, world: World) -> Answer:
    match = _APPLICATION.fullmatch(request.path)
    assert match
    assert request.account
    projects = request.query.get("project", ())
    if len(projects) > 1:
        return error(
            3, "multiple projects specified - the get endpoint accepts either zero or one project"
        )
    application = world.applications.get(match["name"])
    namespaces = request.query.get("appNamespace", ())
    if application and (
        any(project != application.project for project in projects)
        or any(namespace != application.namespace for namespace in namespaces)
    ):
        return error(7, "permission denied")
    if "get" not in RIGHTS[request.account]:
        return error(7, "permission denied")
    if application is None:
        if projects:
            return error(5, f'applications.argoproj.io "{match["name"]}" not found')
        return error(7, "permission denied")
    return _act(request, world, application, match["action"] or "")


def _act(request: Request, world: World, application: MemoryApplication, action: str) -> Answer:
    if (request.method, action) == ("POST", "/sync"):
        return _sync(request, application)
    if (request.method, action) == ("DELETE", "/operation"):
        return _terminate(request, application)
    if (request.method, action) == ("GET", "/logs"):
        return _logs(request, application)
    # Any value of `refresh` counts, even an empty one.
    asked = not action and "refresh" in request.query
    if asked and not world.refreshed(application):
        return error(4, "context deadline exceeded")
    parts: dict[str, Document] = {
        "": application.document(),
        "/syncwindows": _CLOSED if application.window_closed else {"canSync": True},
        "/resource-tree": {"nodes": application.nodes} if application.nodes else {},
    }
    if request.method == "GET" and action in parts:
        return _json(parts[action])
    return Answer(_NOT_FOUND, "Not Found\n", _PLAIN)


def _logs(request: Request, application: MemoryApplication) -> Answer:
    """The lines of a pod, one JSON object a line, and an empty last one."""
    denied = _denied(request, application, "logs", "get")
    if denied:
        return denied
    asked = request.query.get("podName", ("",))[0]
    if "true" in request.query.get("previous", ()):
        asked += " (previous)"
    lines = application.logs.get(asked, ())
    entries: list[Document] = [{"content": line, "podName": asked} for line in lines]
    entries.append({"content": "", "last": True})
    return Answer(200, "".join(json.dumps({"result": entry}) + "\n" for entry in entries))


def _denied(
    request: Request, application: MemoryApplication, resource: str, right: str
) -> Answer | None:
    needed = right if resource == "applications" else resource
    if needed in RIGHTS[request.account or "nobody"]:
        return None
    where = f"{application.project}/{application.name}"
    return error(
        7,
        f"permission denied: {resource}, {right}, {where}, sub: {request.account},"
        " iat: 2026-11-23T05:30:47Z",
    )


def _sync(request: Request, application: MemoryApplication) -> Answer:
    body = json.loads(request.body or "{}")
    if application.window_closed:
        return error(7, "cannot sync: blocked by sync window")
    denied = _denied(request, application, "applications", "sync")
    if denied:
        return denied
    revision = body.get("revision", "")
    if revision and application.behaviour.automated:
        target = application.target_revision
        return error(9, f"Cannot sync to {revision}: auto-sync currently set to {target}")
    if application.busy:
        return error(9, "another operation is already in progress")
    application.start_sync(revision, infos=body.get("infos"))
    return _json(application.document())


def _terminate(request: Request, application: MemoryApplication) -> Answer:
    denied = _denied(request, application, "applications", "sync")
    if denied:
        return denied
    if not application.busy:
        return error(3, "Unable to terminate operation. No operation is in progress")
    application.terminate()
    return _json({})
