"""What stands between what a repository brings along and everything else on this machine."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from gitops_action.errors import RunnerError

# No file, no process and no socket of ours belongs to them; nor does one's to the other, because
# tests and build run at the same time. The first is `nobody`.
TEST_USER = 65534
BUILD_USER = 65532
_SETPRIV = "setpriv"
_CHUNK_BYTES = 1024 * 1024
_DIGEST_BYTES = 16
_END_SECONDS = 5.0
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_FIRST_SECOND = 315_532_800  # 1980: an archive holds no earlier time


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


def adopt_orphans() -> None:
    """Become the parent of what our children leave running, as the first process of a container is.

    Raises nothing: where it cannot be, `end_processes` finds fewer.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_processes(user: int) -> None:
    """End every process of a user that descends from ours, in whatever group or session it is.

    Raises RunnerError where one lives on, which forks faster than we look.
    """
    deadline = time.monotonic() + _END_SECONDS
    while found := _descendants(user):
        if time.monotonic() > deadline:
            raise RunnerError(
                f"{len(found)} processes that the tests started cannot be ended.",
                hint="A test starts processes without end: the runner is best restarted.",
            )
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _descendants(user: int) -> list[int]:
    """Find the processes of a user below ours; one that is dead and not ours to reap is none."""
    parents, users = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            status = dict(
                line.split(":", 1) for line in (process / "status").read_text().splitlines()
            )
            pid, parent = int(process.name), int(status["PPid"])
            if status["State"].split()[0] == "Z" and parent != os.getpid():
                continue
            parents[pid], users[pid] = parent, int(status["Uid"].split()[0])
    found = []
    for pid, uid in users.items():
        above = pid
        while above not in {0, os.getpid()}:
            above = parents.get(above, 0)
        if uid == user and above:
            found.append(pid)
    return found


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


def copy_tree(
    source: Path, target: Path, owner: int | None, check: Callable[[], None]
) -> dict[str, int]:
    """Copy a working tree: modes kept, symbolic links as such, no `.git` at any depth.

    `.git` holds credentials, of submodules and nested checkouts too. Sockets, pipes and devices
    are left out. Times are made from the contents: Go's test cache compares sizes and times, and a
    checkout gives every file the time at which it was made. Returns the time (ns) of each path
    that is no folder, relative to `source`.

    `check` is called all along and may raise. Raises RunnerError where something cannot be read or
    written.
    """
    copied: dict[str, int] = {}
    try:
        _copy_folder(source, target, "", copied, owner, check)
    except OSError as error:
        raise RunnerError(
            f"The working tree could not be copied: {error.strerror}: {error.filename}.",
            hint="Look at the runner's disk space, and at the owner and mode of that file.",
        ) from error
    return copied


def _copy_folder(  # noqa: PLR0913, PLR0917  what changes from folder to folder, and what does not
    source: Path,
    target: Path,
    prefix: str,
    copied: dict[str, int],
    owner: int | None,
    check: Callable[[], None],
) -> int:
    target.mkdir()
    found = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with os.scandir(source) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        check()
        copy, path = target / entry.name, prefix + entry.name
        if entry.name == ".git":
            continue
        if entry.is_symlink():
            made = _copy_link(Path(entry), copy, owner)
        elif entry.is_dir(follow_symlinks=False):
            made = _copy_folder(Path(entry), copy, path + "/", copied, owner, check)
        elif entry.is_file(follow_symlinks=False):
            made = _copy_file(entry.path, copy, owner)
        else:
            continue
        found.update(os.fsencode(f"{entry.name}\0{made}\0"))
        if not entry.is_dir(follow_symlinks=False):
            copied[path] = made
    if owner is not None:
        os.chown(target, owner, owner)
    target.chmod(_mode(source.stat()))
    made = _time(found.digest())
    os.utime(target, ns=(made, made))
    return made


def _copy_link(source: Path, target: Path, owner: int | None) -> int:
    leads_to = source.readlink()
    target.symlink_to(leads_to)
    if owner is not None:
        os.chown(target, owner, owner, follow_symlinks=False)
    made = _time(hashlib.blake2b(os.fsencode(leads_to), digest_size=_DIGEST_BYTES).digest())
    os.utime(target, ns=(made, made), follow_symlinks=False)
    return made


def _copy_file(source: str, target: Path, owner: int | None) -> int:
    content = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(reading, "rb", buffering=0) as read, target.open("xb") as written:  # noqa: PTH123
        while chunk := read.read(_CHUNK_BYTES):
            content.update(chunk)
            written.write(chunk)
        written.flush()
        mode = _mode(os.fstat(reading))
        content.update(mode.to_bytes(2))
        made = _time(content.digest())
        if owner is not None:
            os.fchown(written.fileno(), owner, owner)
        os.fchmod(written.fileno(), mode)
        os.utime(written.fileno(), ns=(made, made))
    return made


def _mode(status: os.stat_result) -> int:
    # The copy's owner needs to work in it.
    return stat.S_IMODE(status.st_mode) & 0o777 | stat.S_IRUSR


def _time(digest: bytes) -> int:
    """Make a time (ns) between 1980 and 2014 that stands for a content."""
    number = int.from_bytes(digest)
    return (_FIRST_SECOND + number % 2**30) * 10**9 + (number >> 30) % 10**9


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
