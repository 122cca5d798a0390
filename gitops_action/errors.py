"""What can go wrong, named by who must act.

Every kind has a stable `code` (the output `failure`), a message that says what happened and what
that means, and a hint that says what to do next. `docs/errors.md` lists them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from gitops_action.model.source import Location


class ActionError(Exception):
    """A failure that a user can act on; `partial` is what the stage had done when it failed."""

    code: ClassVar[str]

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        location: Location | None = None,
        partial: object | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location
        self.partial = partial

    @property
    def told(self) -> str:
        """What happened and what to do, as an annotation tells it."""
        return f"{self.message}\n{self.hint}"


# The author of the workflow


class InputError(ActionError):
    """An input is missing, malformed, or contradicts another one."""

    code = "invalid-input"


class EventError(ActionError):
    """The workflow's event must not run this action."""

    code = "unsupported-event"


class KustomizationError(ActionError):
    """The kustomization is not there, or cannot be edited safely."""

    code = "kustomization"


class EntryError(ActionError):
    """No entry of `images` is the one to change, or several could be."""

    code = "kustomization-entry"


class RenderError(ActionError):
    """`rendered-proof` is `required`, and a kustomization could not be rendered."""

    code = "not-rendered"


class ApplicationError(ActionError):
    """An Argo CD Application does not exist, or does not follow what is promoted."""

    code = "application"


# The developer of the Go application


class ModuleError(ActionError):
    """The Go module cannot be loaded."""

    code = "go-module"


class VerifyError(ActionError):
    """The module does not compile, or a test failed."""

    code = "tests-failed"


class BuildError(ActionError):
    """The image could not be built."""

    code = "build-failed"


# Who gives rights: the owner of a repository, a registry, an Argo CD


class RegistryLoginError(ActionError):
    """The registry refuses the credentials, or the right to push."""

    code = "registry-login"


class GitOpsAccessError(ActionError):
    """The GitOps repository refuses the token, or the right to push."""

    code = "gitops-access"


class PushRefusedError(ActionError):
    """A rule of the GitOps repository refuses the commit."""

    code = "push-refused"


class SignatureRequiredError(PushRefusedError):
    """A rule of the GitOps repository refuses commits without a signature."""

    code = "signature-required"


class ArgoCDLoginError(ActionError):
    """Argo CD refuses the token."""

    code = "argocd-login"


class ArgoCDPermissionError(ActionError):
    """Argo CD knows the token, which lacks a right."""

    code = "argocd-permission"


# Who operates: a runner, a registry, a git server, an Argo CD, a cluster


class RunnerError(ActionError):
    """The runner lacks something: a program, a file, disk space, root."""

    code = "runner"


class EngineError(ActionError):
    """A Dockerfile is to be built and no Docker engine answers."""

    code = "no-engine"


class RegistryError(ActionError):
    """The registry cannot be reached, or answers with an error."""

    code = "registry"


class RegistryUnavailableError(RegistryError):
    """The registry does not answer now: the network, a restart, too many requests."""

    code = "registry-unavailable"


class TagExistsError(ActionError):
    """A tag that never moves names another image than the one that was built."""

    code = "tag-exists"


class GitOpsError(ActionError):
    """The GitOps repository cannot be reached, or the branch is not there."""

    code = "gitops"


class GitOpsUnavailableError(GitOpsError):
    """The GitOps repository does not answer now: the network, a restart, too much load."""

    code = "gitops-unavailable"


class PullRequestClosedError(ActionError):
    """Somebody closed the pull request that was waited for."""

    code = "pull-request-closed"


class ConflictError(ActionError):
    """Other writers won every race for the GitOps branch until the deadline."""

    code = "push-conflict"


class ArgoCDError(ActionError):
    """Argo CD cannot be reached, or does not answer as Argo CD does."""

    code = "argocd"


class ArgoCDUnavailableError(ActionError):
    """Argo CD does not answer now: the network, a restart, too much load."""

    code = "argocd-unavailable"
    retry_after_seconds = 0.0  # what the server asks for; 0 where it does not say


class ArgoCDTLSError(ActionError):
    """Argo CD's certificate is not trusted, or names another host."""

    code = "argocd-tls"


class ComparisonError(ActionError):
    """Argo CD could not render the manifests, so that it cannot say what is deployed."""

    code = "comparison-failed"


class SyncError(ActionError):
    """Argo CD could not apply the commit."""

    code = "sync-failed"


class DegradedError(ActionError):
    """The commit is applied and its resources are not healthy."""

    code = "degraded"


class ReportedError(ActionError):
    """Who watches the cluster reports on GitHub that the commit could not be deployed."""

    code = "reported-failed"


class RolledBackError(ActionError):
    """Another image has replaced ours in the GitOps repository, and it is not a newer one."""

    code = "rolled-back"


class OtherImageError(ActionError):
    """The commit is applied, and another image than ours runs."""

    code = "other-image"


class WaitTimeoutError(ActionError):
    """The deadline of the wait came first."""

    code = "wait-timeout"


# Nobody, or us


class ProofError(ActionError):
    """The edit would have changed more than it should: nothing was committed."""

    code = "edit-not-proved"


class CancelledError(ActionError):
    """The run was cancelled by a signal."""

    code = "cancelled"


class BugError(ActionError):
    """The action itself failed."""

    code = "internal"
