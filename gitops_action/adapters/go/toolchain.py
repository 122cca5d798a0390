"""The Go toolchain: runs a module's tests on a private copy, as a user that owns nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gitops_action.adapters.go.caches import Caches, outside_of
from gitops_action.adapters.go.coverage import read_profile
from gitops_action.adapters.go.dockerfile import dockerfile_go
from gitops_action.adapters.go.environment import trusted_environment, verify_environment
from gitops_action.adapters.go.events import Events
from gitops_action.adapters.go.module import no_module, not_loaded
from gitops_action.adapters.go.places import Places
from gitops_action.adapters.go.private import Private
from gitops_action.adapters.go.refusals import check_compiler, check_flags, check_variables
from gitops_action.adapters.go.source import locating
from gitops_action.adapters.isolation import (
    TEST_USER,
    as_user,
    lend_certificates,
)
from gitops_action.adapters.orphans import ending_processes
from gitops_action.adapters.process import Completed, Processes
from gitops_action.adapters.worktree import copy_tree
from gitops_action.model.go import ModuleRun, PackageRun
from gitops_action.model.secret import Secret

# `go test -timeout` bounds each package and is the user's; this is the longest job of a hosted
# runner.
_LONGEST_RUN_SECONDS = 6 * 3600.0
_DOWNLOAD_SECONDS = 15 * 60.0
_PROFILE = "coverage"
_NO_TOKEN = Secret()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Toolchain:
    version: str
    root: Path


class Go:
    """Runs the tests of one module of the workspace.

    `private` is a folder outside the workspace that other users may enter; what is made there is
    removed when the tests have ended. The copy lies at the same path in every run, because Go's
    test cache knows a package by its folder. A `go-build` in it is the standard library, compiled
    for the tests, and stays. `kept` is where the runner keeps caches between jobs, else None.

    `env` is where Go's own variables are taken from. `modules_token` reads private modules, and no
    test sees it. `isolated` is False where `can_isolate()` is: tests then run as the caller.
    """

    def __init__(  # noqa: PLR0913  each is another thing of this machine
        self,
        processes: Processes,
        *,
        workspace: Path,
        private: Path,
        env: Mapping[str, str],
        isolated: bool,
        kept: Path | None = None,
        modules_token: Secret = _NO_TOKEN,
    ) -> None:
        self._processes = processes
        self._workspace = workspace
        self._private = private
        self._env = env
        self._modules_token = modules_token
        self.isolated = isolated
        self._user = TEST_USER if isolated else None
        self._caches = Caches(kept=kept, workspace=workspace, check=processes.check_cancelled)

    def verify(
        self,
        module: PurePosixPath,
        packages: Sequence[str],
        flags: Sequence[str],
        variables: Sequence[str],
        *,
        on_package: Callable[[PackageRun], None],
    ) -> ModuleRun:
        """Test `packages` of the module, calling back for each package when it has ended.

        `variables` are the names of those in `env` that the tests may see. Raises InputError for
        flags and variables that are refused, ModuleError where the module or what it requires
        cannot be loaded, RunnerError where the runner lacks something.
        """
        check_flags(self._env, flags, packages)
        check_variables(self._env, variables)
        with Private(self._private, self._user) as private:
            env = verify_environment(self._env, private, flags, variables)
            check_compiler(env)
            copied = copy_tree(
                self._workspace, private.copy, self._user, self._processes.check_cancelled
            )
            folder = private.copy / module
            if not folder.is_dir():
                raise no_module(self._workspace, module)
            cache_seconds = self._caches.bring(private)
            toolchain, places = self._resolve(private, folder, module)
            private.close()
            outside = outside_of(copied, places, variables)
            self._caches.expire(private, outside)
            events = Events(places, locating(on_package, self._workspace, places))
            started = time.monotonic()
            ended = self._run_tests(
                self._command(toolchain, packages, flags, private),
                {**env, "PWD": str(folder)},
                folder,
                events,
            )
            seconds = time.monotonic() - started
            text = events.finish()
            kept_seconds, note = self._caches.keep(private, outside)
            return ModuleRun(
                exit_code=ended.exit_code,
                go_version=toolchain.version,
                seconds=seconds,
                text=text,
                timed_out=ended.timed_out,
                fetched=toolchain.root.is_relative_to(private.modules),
                cache_seconds=cache_seconds + kept_seconds,
                notes=(note,) if note else (),
                coverage=read_profile(private.results / _PROFILE),
            )

    def version_in(self, dockerfile: PurePosixPath) -> str:
        """Say with which Go a Dockerfile builds, as `1.26`; empty where it does not say."""
        return dockerfile_go(self._workspace / dockerfile)

    def _run_tests(
        self, command: Sequence[str], env: Mapping[str, str], folder: Path, events: Events
    ) -> Completed:
        """Run the tests, and end whatever they started and left."""
        with ending_processes(self._user, "the tests"):
            return self._processes.run(
                command,
                env=env,
                cwd=folder,
                timeout=_LONGEST_RUN_SECONDS,
                on_stdout=events.read,
                on_stderr=events.read_text,
            )

    def _resolve(
        self, private: Private, folder: Path, module: PurePosixPath
    ) -> tuple[_Toolchain, Places]:
        """Find the toolchain and the main modules, and download what they require.

        As the user of the tests, none of which runs yet: go.mod and go.sum may be links to a file
        of ours, which Go would quote from or write to.
        """
        trusted = trusted_environment(self._env, private, self._modules_token)
        lent = lend_certificates(trusted, private.trusted)
        env = {**lent, "PWD": str(folder)}

        def go(*arguments: str) -> Completed:
            ended = self._processes.run(
                as_user(self._user, "go", *arguments),
                env=env,
                cwd=folder,
                timeout=_DOWNLOAD_SECONDS,
            )
            if ended.exit_code != 0:
                raise not_loaded(module, replace(ended, argv=("go", *arguments)))
            return ended

        found = json.loads(go("env", "-json", "GOVERSION", "GOROOT", "GOMOD", "GOWORK").stdout)
        roots = [Path(found[name]) for name in ("GOWORK", "GOMOD") if found[name]]
        if not any(root.is_relative_to(private.copy) for root in roots):
            raise no_module(self._workspace, module)
        listed = go("list", "-m", "-f", "{{.Path}}\t{{.Dir}}").stdout
        modules = dict(line.split("\t", 1) for line in listed.splitlines() if "\t" in line)
        # Go does not look at the module cache where there is a vendor folder.
        if not any((root.parent / "vendor" / "modules.txt").exists() for root in roots):
            go("mod", "download")
        return (
            _Toolchain(version=found["GOVERSION"], root=Path(found["GOROOT"])),
            Places(
                root=str(private.copy),
                module=module,
                modules={
                    name: PurePosixPath(place).relative_to(private.copy)
                    for name, place in modules.items()
                    if PurePosixPath(place).is_relative_to(private.copy)
                },
            ),
        )

    def _command(
        self,
        toolchain: _Toolchain,
        packages: Sequence[str],
        flags: Sequence[str],
        private: Private,
    ) -> Sequence[str]:
        go = str(toolchain.root / "bin" / "go")
        # What follows this flag is the tests' own.
        end = next((at for at, flag in enumerate(flags) if flag.lstrip("-") == "args"), len(flags))
        ours = ("-coverprofile", str(private.results / _PROFILE))
        # The packages stand first: after a flag that Go does not know they would be the test's.
        command = (go, "test", "-json", "-fullpath", *packages, *flags[:end], *ours, *flags[end:])
        return as_user(self._user, *command)
