"""An Argo CD Application, as far as a wait and a preflight need it.

Every field may be absent: absent text is `""`, and only a time knows `None`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit

from gitops_action.model.wait import ApplicationName

# The name under which an operation that we ask for carries our nonce.
NONCE = "gitops-action"
_DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an Application follows; `target_revision` may be a branch, a tag, a SHA, or empty.

    `images` are the overrides of images that the Application itself carries
    (`spec.source.kustomize.images`, as `name=newName:tag`).
    """

    repo_url: str = ""
    target_revision: str = ""
    path: str = ""
    chart: str = ""
    ref: str = ""
    images: tuple[str, ...] = ()

    @property
    def is_git(self) -> bool:
        return not self.chart and not self.repo_url.startswith("oci://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The cluster (by address or by name) and the namespace of an Application's resources."""

    server: str = ""
    name: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison was made with: the sources and the destination of that moment."""

    sources: tuple[Source, ...] = ()
    destination: Destination = Destination()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource as the comparison sees it, or as an operation left it.

    `sync` is Synced, OutOfSync, Unknown, or an operation's Synced, SyncFailed, Pruned.
    """

    group: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    sync: str = ""
    health: str = ""
    message: str = ""
    requires_pruning: bool = False
    hook: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells one resource of a cluster from another."""
        return (self.group, self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The last operation, running or done; while it waits for a retry `finished_at` is set too.

    Of several sources `revisions` has each one's, and `revision` is empty. `nonce` is ours where
    we asked for the operation. `touched` are the resources that it changed, or may have changed.
    """

    phase: str = ""
    message: str = ""
    revision: str = ""
    revisions: tuple[str, ...] = ()
    nonce: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retries: int = 0
    dry_run: bool = False
    failed: tuple[Resource, ...] = ()
    touched: tuple[Resource, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One document of one moment.

    `revision` is what Argo CD compared with: a commit SHA, or what it could not resolve (a branch,
    `""`). `operation_requested` is the document's own `operation`, which is there before
    `operation` (its `status.operationState`) tells of it, and gone when the operation is done;
    `requested_nonce` is ours where we asked for it. Of several sources `revisions` has each one's,
    in the order of the sources, and `revision` is empty: `followed` has both kinds.
    """

    name: str
    namespace: str = ""
    uid: str = ""
    project: str = ""
    spec: Comparison = Comparison()
    compared_to: Comparison = Comparison()
    several_sources: bool = False
    hydrated: bool = False
    automated: bool = False
    prunes: bool = False
    self_heals: bool = False
    of_application_set: bool = False
    deleting: bool = False
    skips_reconcile: bool = False
    refresh_queued: bool = False
    sync: str = ""
    revision: str = ""
    revisions: tuple[str, ...] = ()
    health: str = ""
    health_message: str = ""
    reconciled_at: datetime | None = None
    operation_requested: bool = False
    requested_nonce: str = ""
    operation: Operation | None = None
    conditions: tuple[Condition, ...] = ()
    resources: tuple[Resource, ...] = ()
    images: tuple[str, ...] = ()

    @property
    def source(self) -> Source:
        """The only source, or the first of several."""
        return next(iter(self.spec.sources), Source())

    @property
    def followed(self) -> tuple[tuple[Source, str], ...]:
        """Every source with the revision that it was compared at, `""` where none is told."""
        revisions = self.revisions or (self.revision,)
        padding = ("",) * len(self.spec.sources)
        return tuple(zip(self.spec.sources, (*revisions, *padding), strict=False))

    @property
    def full_name(self) -> ApplicationName:
        return ApplicationName(self.name, self.namespace)


def same_repository(one: str, other: str) -> bool:
    """Whether two git addresses name one repository, whatever the protocol and the spelling.

    The whole address is compared without case, as Argo CD itself does.
    """
    (host, port, path), (other_host, other_port, other_path) = _place(one), _place(other)
    if not path or (host, path) != (other_host, other_path):
        return False
    # The port of an SSH server says nothing about the port of the same repository's web server.
    over_ssh = [url.strip().casefold().startswith("http") for url in (one, other)].count(False)
    return port == other_port or over_ssh == 1


def _place(url: str) -> tuple[str, int | None, str]:
    """Host, port where it is not the protocol's own, and path of a git address."""
    text = url.strip().casefold()
    before, colon, after = text.partition(":")
    if "://" not in text and colon and "/" not in before:  # scp: git@host:path
        text = f"ssh://{before}/{after.lstrip('/')}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "", None, ""
    path = unquote(parts.path).strip("/").removesuffix(".git")
    return parts.hostname or "", None if port == _DEFAULT_PORTS.get(parts.scheme) else port, path
