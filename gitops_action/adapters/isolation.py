"""What stands between what a repository brings along and everything else on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from gitops_action.errors import RunnerError

# No file, no process and no socket of ours belongs to them; nor does one's to the other, because
# tests and build run at the same time. The first is `nobody`.
TEST_USER = 65534
BUILD_USER = 65532
_SETPRIV = "setpriv"


def can_isolate() -> bool:
    """Tell whether tests can run as another user here: as root, and where `setpriv` is."""
    return os.geteuid() == 0 and shutil.which(_SETPRIV) is not None


def as_user(user: int | None, *argv: str) -> tuple[str, ...]:
    """Wrap a command so that it runs as that user, with no group, right or way back.

    None stands for the caller.
    """
    if user is None:
        return argv
    return (
        *(_SETPRIV, f"--reuid={user}", f"--regid={user}", "--clear-groups"),
        *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
        *argv,
    )


def make_folder(path: Path, owner: int | None, mode: int = 0o700) -> None:
    """Make a folder, of another owner where there is one; it may be there already."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    if owner is not None:
        os.chown(path, owner, owner)


def lend_certificates(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Copy the trusted certificates to where another user can read them, and name the copy."""
    trusted = Path(env.get("SSL_CERT_FILE", ""))
    if not trusted.is_file():
        return dict(env)
    copy = folder / "ca-certificates.pem"
    shutil.copyfile(trusted, copy)
    return {**env, "SSL_CERT_FILE": str(copy)}


def own_tree(path: Path, owner: int | None) -> None:
    """Give a whole tree to an owner, if there is one; symbolic links are not followed."""
    if owner is None:
        return
    for _, folders, files, descriptor in os.fwalk(path):
        os.chown(descriptor, owner, owner)
        for name in (*folders, *files):
            os.chown(name, owner, owner, dir_fd=descriptor, follow_symlinks=False)


def copy_tree(source: Path, target: Path, owner: int | None, check: Callable[[], None]) -> None:
    """Copy a working tree: times and modes kept, symbolic links as such, no `.git` at any depth.

    `.git` holds credentials, of submodules and nested checkouts too. Sockets, pipes and devices
    are left out. `check` is called all along and may raise. Raises RunnerError where
    something cannot be read or written.
    """
    try:
        _copy_folder(source, target, owner, check)
    except OSError as error:
        raise RunnerError(
            f"The working tree could not be copied: {error.strerror}: {error.filename}.",
            hint="Look at the runner's disk space, and at the owner and mode of that file.",
        ) from error


def _copy_folder(source: Path, target: Path, owner: int | None, check: Callable[[], None]) -> None:
    target.mkdir()
    with os.scandir(source) as entries:
        for entry in entries:
            check()
            if entry.name == ".git":
                continue
            copied = target / entry.name
            if entry.is_symlink():
                copied.symlink_to(Path(entry).readlink())
                _own(copied, owner)
            elif entry.is_dir(follow_symlinks=False):
                _copy_folder(Path(entry), copied, owner, check)
            elif entry.is_file(follow_symlinks=False):
                shutil.copyfile(entry, copied, follow_symlinks=False)
                _own(copied, owner)
                _take_over(entry.stat(follow_symlinks=False), copied)
    _own(target, owner)
    _take_over(source.stat(), target)


def _own(path: Path, owner: int | None) -> None:
    if owner is not None:
        os.chown(path, owner, owner, follow_symlinks=False)


def _take_over(status: os.stat_result, path: Path) -> None:
    # Go's test cache compares sizes and times, and the copy's owner needs to work in it.
    path.chmod(stat.S_IMODE(status.st_mode) & 0o777 | stat.S_IRUSR)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def remove_tree(path: Path) -> None:
    """Remove a folder as far as possible, read-only folders of ours included; never raises."""
    if os.geteuid() != 0:
        for folder, names, _ in os.walk(path):
            for name in names:
                inner = Path(folder, name)
                if not inner.is_symlink():
                    with contextlib.suppress(OSError):
                        inner.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
