"""The door to ko: an image of a Go program without Dockerfile and without engine."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gitops_action.adapters.caches import bring_cache, cached_files, do_not_trim, keep_cache
from gitops_action.adapters.isolation import as_user, lend_certificates, own_tree
from gitops_action.adapters.layout import layout_digest, pushed_digest
from gitops_action.adapters.orphans import ending_processes
from gitops_action.adapters.refusal import PUSH_SECONDS, last_words
from gitops_action.adapters.sboms import Sbom, read_sboms, write_referrer
from gitops_action.adapters.worktree import copy_tree
from gitops_action.errors import ActionError, BuildError, InputError, ModuleError, RunnerError
from gitops_action.model.build import BuildRequest, BuiltImage
from gitops_action.model.environment import allowed
from gitops_action.model.go import refused_flag
from gitops_action.model.source import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gitops_action.adapters.process import Completed, Processes
    from gitops_action.model.image import Digest, ImageReference
    from gitops_action.model.log import Log

_BUILD_SECONDS = 3600.0
_LIST_SECONDS = 300.0
_READ_SECONDS = 60.0
# An SBOM lists a program's modules; what has no end is none.
_LONGEST = 64 * 1024**2
_PLATFORMS = ("linux/amd64",)
_KEPT = "go-build"
_SBOMS = "sbom"
_GO = (
    "GOEXPERIMENT",
    "GOINSECURE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOTOOLCHAIN",
)
_COMPILED_WITH = ("GOFLAGS", "GOEXPERIMENT", "GOTOOLCHAIN")
_COMPILE_ERROR = re.compile(r"^(?P<file>[^\s:]+\.go):(?P<line>\d+):(?P<column>\d+): ", re.MULTILINE)


class Ko:
    """Builds main packages of `workspace`; an image is an OCI layout below `private`.

    `env` is the step's environment, of which the children see the few names they need; `private`
    is a directory that only we can read, `credentials` the directory that `write_credentials` made.

    `user` is who builds, None for the caller. A repository's `.ko.yaml` chooses the C compiler, so
    it can run what it likes: as a user who has only a copy of the workspace without `.git`, and
    what the build needs. `private` is then that user's, below folders that he may enter, and so is
    `cache`, a build cache in which the standard library is compiled; None where there is none.
    `kept` is where the runner keeps caches between jobs, None for nowhere.
    """

    def __init__(  # noqa: PLR0913  each is a different thing that a child may know
        self,
        processes: Processes,
        *,
        env: Mapping[str, str],
        workspace: Path,
        private: Path,
        credentials: Path,
        user: int | None = None,
        cache: Path | None = None,
        kept: Path | None = None,
    ) -> None:
        self._processes = processes
        self._workspace = workspace
        self._private = private
        self._user = user
        self._cache = cache or private / "go-build"
        self._kept = kept
        self._refused = refused_flag(env.get("GOFLAGS", ""))
        # The tests' caches can be written by the code under test: what is published is compiled
        # with caches of its own. -buildvcs=false: nothing of ours trusts the workspace's .git.
        flags = f"{env.get('GOFLAGS', '')} -buildvcs=false -modcacherw"
        self._env = {
            **allowed(env, *_GO),
            "HOME": str(private),
            "TMPDIR": str(private),
            "DOCKER_CONFIG": str(credentials),
            "GOCACHE": str(self._cache),
            "GOPATH": str(private / "go"),
            "GOFLAGS": flags.strip(),
        }

    def _place(self) -> Path:
        """Give the folder to build in: for another user a copy, made when it is first needed.

        Raises InputError where GOFLAGS would let another program build.
        """
        if self._refused:
            raise InputError(
                f"`GOFLAGS` contains `{self._refused}`, which would build something else.",
                hint=f"Take `{self._refused}` out of `GOFLAGS` in the `env:` of this step.",
            )
        if self._user is None:
            return self._workspace
        copy = self._private / "workspace"
        if not copy.exists():
            self._hand_over()
            copy_tree(self._workspace, copy, self._user, self._processes.check_cancelled)
        return copy

    def _hand_over(self) -> None:
        """Put what the build's user needs of ours into the folder that is his."""
        credentials = self._private / "credentials"
        try:
            shutil.copytree(self._env["DOCKER_CONFIG"], credentials)
            lent = lend_certificates(self._env, self._private)
            own_tree(self._private, self._user)
            check = self._processes.check_cancelled
            if self._kept:
                bring_cache(self._kept / _KEPT, self._cache, self._user, check)
            if self._cache.is_dir():
                do_not_trim(self._cache)
        except OSError as error:
            raise RunnerError(
                f"The build's folder could not be made: {error}.",
                hint="Look at the runner's disk space.",
            ) from error
        self._env = {**lent, "DOCKER_CONFIG": str(credentials)}

    def candidates(self, request: BuildRequest) -> tuple[str, ...]:
        """List the main packages as `./cmd/app`; raises ModuleError and RunnerError."""
        module = (self._place() / request.module).resolve()
        # -find: only names are asked for, so no module has to be downloaded.
        query = ["list", "-find", "-f", '{{if eq .Name "main"}}{{.Dir}}{{end}}', "./..."]
        done = self._run("go", *query, cwd=module, timeout=_LIST_SECONDS)
        if done.exit_code != 0:
            raise ModuleError(
                f"The Go module in {request.module} cannot be loaded: {last_words(done.stderr)}",
                hint="A module is a folder with a go.mod: name it with the input "
                "`working-directory`, and see that `go list ./...` works there.",
            )
        folders = (Path(line).relative_to(module) for line in done.stdout.splitlines() if line)
        return tuple(f"./{folder}" if folder.name else "." for folder in folders)

    def settings(self, request: BuildRequest) -> tuple[str, ...]:  # noqa: ARG002
        """Give what of the step's environment changes what Go compiles."""
        return tuple(f"{name}={self._env.get(name, '')}" for name in _COMPILED_WITH)

    def answers(self) -> bool:
        """Say yes: ko needs no engine."""
        return True

    def build(self, request: BuildRequest, candidate: str, *, log: Log) -> BuiltImage:
        """Build the main package `candidate`; raises BuildError, RunnerError, CancelledError."""
        place = self._place()
        folder = Path(tempfile.mkdtemp(prefix="image-", dir=self._private))
        own_tree(folder, self._user)
        sbom = "sbom" in request.attestations
        built = BuiltImage("ko", str(folder), sbom=sbom)
        labels = [
            f"--image-label={_csv(f'{name}={value}')}" for name, value in request.labels.items()
        ]
        argv = ["build", "--push=false", f"--oci-layout-path={folder}", "--bare"]
        argv += ["--sbom=spdx", f"--sbom-dir={folder / _SBOMS}"] if sbom else ["--sbom=none"]
        platforms = ",".join(request.platforms or _PLATFORMS)
        epoch = str(request.created)
        extra = {"SOURCE_DATE_EPOCH": epoch, "KO_DATA_DATE_EPOCH": epoch}
        if request.base_image:
            extra["KO_DEFAULTBASEIMAGE"] = request.base_image
        try:
            done = self._run(
                *("ko", *argv, f"--platform={platforms}", *labels, "--", candidate),
                cwd=place / request.module,
                timeout=_BUILD_SECONDS,
                extra=extra,
                on_line=log.foreign,
            )
            if done.exit_code != 0:
                raise _build_error(done, request, candidate)
            digest = layout_digest(self._read(folder / "index.json"))
        except ActionError:
            self.discard(built)
            raise
        self._keep()
        return replace(built, digests=(digest,))

    def _keep(self) -> None:
        """Let the next job find what was compiled; where that fails, it compiles again."""
        if self._kept:
            check = self._processes.check_cancelled
            with contextlib.suppress(OSError):
                files = cached_files(self._cache, of=self._user, forget=True)
                keep_cache(self._kept / _KEPT, files, self._cache, self._workspace, check)

    def push(self, built: BuiltImage, reference: ImageReference, *, log: Log) -> Digest:
        """Push the layout under one tag; layers that the registry has are not sent again.

        An SBOM is there before the tag is: who finds the one finds the other, also after a push
        that ended half way. Raises BuildError, RegistryLoginError, RegistryError, RunnerError,
        CancelledError.
        """
        layout = Path(built.handle)
        if built.sbom:
            sboms = read_sboms(layout, layout / _SBOMS, self._read)
            # Not every registry takes an SBOM of what it has not (project-zot/zot#1424).
            self._push(layout, replace(reference, tag="", digest=built.digests[0]), log)
            for sbom in sboms:
                self._push_sbom(sbom, reference, log)
        return self._push(layout, reference, log)

    def _push_sbom(self, sbom: Sbom, image: ImageReference, log: Log) -> None:
        log.say(f"Pushing the SBOM of {sbom.subject['digest']}")
        # Not in `private`, where a link that its user has made would lead us elsewhere.
        with tempfile.TemporaryDirectory(prefix="sbom-", dir=self._private.parent) as name:
            folder = Path(name)
            digest = write_referrer(sbom, folder)
            own_tree(folder, self._user)
            self._push(folder, replace(image, tag="", digest=digest), log)

    def _read(self, file: Path) -> str:
        """Read what was built as the user who has built it: a link shows nothing of ours."""
        head = ("head", f"--bytes={_LONGEST}", "--", str(file))
        return self._run(*head, cwd=self._private, timeout=_READ_SECONDS).stdout

    def _push(self, layout: Path, reference: ImageReference, log: Log) -> Digest:
        done = self._run(
            *("crane", "push", str(layout), reference.tagged),
            cwd=self._private,
            timeout=PUSH_SECONDS,
            on_line=log.foreign,
        )
        return pushed_digest(done, reference)

    def discard(self, built: BuiltImage) -> None:
        """Remove the layout."""
        shutil.rmtree(built.handle, ignore_errors=True)

    def _run(
        self,
        *argv: str,
        cwd: Path,
        timeout: float,
        extra: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        # We read his folders next: nobody may exchange them under our hands.
        with ending_processes(self._user, "the build"):
            return self._processes.run(
                as_user(self._user, *argv),
                env={**self._env, **(extra or {})},
                cwd=cwd,
                timeout=timeout,
                on_stdout=on_line,
                on_stderr=on_line,
            )


def _csv(text: str) -> str:
    """Quote for ko, which reads the values of its list flags as lines of CSV."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def _build_error(done: Completed, request: BuildRequest, package: str) -> BuildError:
    found = _COMPILE_ERROR.search(done.stderr)
    return BuildError(
        "ko took longer than an hour."
        if done.timed_out
        else f"{package} could not be built: {last_words(done.stderr)}",
        hint="Run `go build` on that package. ko builds pure Go only: a program that needs cgo, or "
        "files beside it, needs a Dockerfile. A base image that cannot be fetched: name one that "
        "this runner can reach with the input `base-image`.",
        location=Location(
            PurePosixPath(request.module, found["file"]), int(found["line"]), int(found["column"])
        )
        if found
        else None,
    )
