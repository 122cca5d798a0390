"""Why a Go module cannot be loaded, in the words of who can change it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from gitops_action.adapters.process import Completed
from gitops_action.errors import ActionError, ModuleError, RunnerError

_NO_MODULES_OF_OURS = {"vendor", "testdata", "node_modules"}
_NAMED = 5
_LONGEST = 2000
_HINTS = {
    r"requires go >=|toolchain not available|download go1|cannot find .go1": (
        "Let the `go` and `toolchain` lines of go.mod name a released version, or let Go fetch "
        "it: set `GOTOOLCHAIN: auto` in the `env:` of this step."
    ),
    r"dial tcp|no such host|connection refused|i/o timeout|TLS handshake": (
        "Check the runner's way to the module proxy (`GOPROXY`), or commit a `vendor` folder."
    ),
    r"terminal prompts disabled|could not read Username|reading https?:|unknown rev|no secure p": (
        "Check that the module and version exist. A private module needs `GOPRIVATE` in the "
        "`env:` of this step, and a token that may read it:\n"
        "    env:\n      GOPRIVATE: github.com/acme\n"
        "    with:\n      modules-token: ${{ secrets.MODULES_TOKEN }}"
    ),
    r"inconsistent vendoring": "Run `go mod vendor` and commit the `vendor` folder.",
    r"checksum mismatch|missing go\.sum entry|updates to go\.mod needed|go mod tidy": (
        "Run `go mod tidy` and commit go.mod and go.sum."
    ),
}


def no_module(workspace: Path, module: PurePosixPath) -> ModuleError:
    """Say that a folder is in no Go module, and which folders are."""
    found = list(islice(_modules(workspace), _NAMED))
    if found:
        hint = "Set `working-directory` to the module's folder:\n" + "\n".join(
            f"  working-directory: {folder}" for folder in found
        )
    else:
        hint = "Run `go mod init` and commit go.mod, or leave `verify` out of `stages`."
    return ModuleError(
        f"There is no Go module in {_where(module)}: go.mod was not found.", hint=hint
    )


def _modules(workspace: Path) -> Iterator[PurePosixPath]:
    for folder, names, files in os.walk(workspace):
        names[:] = sorted(
            name for name in names if name not in _NO_MODULES_OF_OURS and not name.startswith(".")
        )
        if "go.mod" in files:
            yield PurePosixPath(folder).relative_to(workspace)


def not_loaded(module: PurePosixPath, ended: Completed) -> ActionError:
    """Explain why `go` could not read a module or download what it requires."""
    said = ended.stderr.strip()[-_LONGEST:]
    if "no space left on device" in said:
        return RunnerError(f"The disk is full: {said}", hint="Free disk space on the runner.")
    if ended.timed_out:
        said = f"{' '.join(ended.argv)} took too long. {said}"
    hint = next(
        (hint for pattern, hint in _HINTS.items() if re.search(pattern, said)),
        "Correct go.mod; `go mod tidy` on your machine shows the same.",
    )
    return ModuleError(f"The Go module in {_where(module)} cannot be loaded: {said}", hint=hint)


def _where(module: PurePosixPath) -> str:
    return "the repository's root" if module == PurePosixPath() else f"`{module}`"
