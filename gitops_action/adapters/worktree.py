"""A copy of the working tree, in which Go finds its caches again after a new checkout."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from gitops_action.errors import RunnerError

_CHUNK_BYTES = 1024 * 1024
_DIGEST_BYTES = 16
_FIRST_SECOND = 315_532_800  # 1980: an archive holds no earlier time


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
    except RecursionError as error:
        raise RunnerError(
            f"The working tree could not be copied: folders of {source} lie too deep.",
            hint="No program needs them so: remove what made hundreds of folders in each other.",
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
