"""Transport: Go's caches, between where a runner keeps them and where they are used.

What the runner keeps is read and written by root alone; whoever works with a cache has a copy of
his own. What the image brings lies in that copy's place and is root's, folders and files: he can
add to it and change none of it, and Go goes on where it cannot write.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

# Go forgets what was not used for so long: cmd/go/internal/cache, trimLimit.
_FORGOTTEN_SECONDS = 5 * 24 * 3600
# What `actions/cache` keeps for a whole repository is 10 GiB.
LARGEST_BYTES = 4 * 1024**3
_CHUNK_BYTES = 1024 * 1024
# Lies in a cache that is being written: where it stays, nobody came to the end.
_UNFINISHED = "unfinished"

Files = dict[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Owner:
    uid: int
    gid: int


def do_not_trim(cache: Path) -> None:
    """Let Go believe that it looked for old entries just now: the image's may be older."""
    trim = cache / "trim.txt"
    trim.unlink(missing_ok=True)  # a kept one is another user's
    trim.write_text(f"{time.time():.0f}")


def cached_files(cache: Path, *, of: int | None = None, forget: bool = False) -> Files:
    """List the regular files of a cache by their paths in it, with size, time (ns) and mode.

    `of` is the user whose files count, None for all; `forget` leaves out what is long unused.
    """
    oldest = (time.time() - _FORGOTTEN_SECONDS) * 1e9 if forget else 0
    found: Files = {}
    above = len(str(cache)) + 1
    for path, status in _entries(cache):
        mine = of is None or status.st_uid == of
        if stat.S_ISREG(status.st_mode) and mine and status.st_mtime_ns >= oldest:
            found[path[above:]] = _about(status)
    return found


def _entries(cache: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Go through all that is no folder; what is too deep for a path is left out."""
    folders = [str(cache)]
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        yield entry.path, entry.stat(follow_symlinks=False)


def cached_file(path: Path) -> tuple[int, int, int]:
    """Describe one file as `cached_files` does."""
    return _about(path.lstat())


def _about(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_mode & 0o111


def copy_files(
    files: Files, source: Path, target: Path, owner: Owner | None, check: Callable[[], None]
) -> None:
    """Copy what is not in `target` yet, times kept. `check` may raise; raises OSError."""
    known = cached_files(target)
    lacking = {path: about for path, about in files.items() if known.get(path) != about}
    _copy_files(lacking, source, target, owner, check)


def bring_cache(kept: Path, place: Path, user: int | None, check: Callable[[], None]) -> None:
    """Add what is kept, if all of it is there, to a cache of that user's; raises OSError.

    What is there already stays: the image's word counts before that of whoever wrote the kept one.
    """
    if kept.is_dir() and not kept.is_symlink() and not (kept / _UNFINISHED).exists():
        owner = None if user is None else Owner(user, user)
        there = cached_files(place)
        added = {path: about for path, about in cached_files(kept).items() if path not in there}
        _copy_files(added, kept, place, owner, check)


def keep_cache(
    kept: Path, files: Files, source: Path, like: Path, check: Callable[[], None]
) -> str:
    """Keep these files of a cache, and no others, owned by who owns `like`, the folder too.

    Whoever is killed half way leaves what `bring_cache` does not take: Go takes the folder of a
    module for the whole module. Returns why they were not kept, empty where they were. Raises
    OSError.
    """
    owner = None
    if os.geteuid() == 0:
        status = like.stat()
        owner = Owner(status.st_uid, status.st_gid)
    _make_folder(kept.parent, kept.parent, set(), owner)
    problem = ""
    if sum(size for size, *_ in files.values()) > LARGEST_BYTES:
        files, problem = {}, f"The cache {kept.name} was not kept: it is larger than 4 GiB."
    _make_folder(kept, kept, set(), owner)
    (kept / _UNFINISHED).touch()
    try:
        copy_files(files, source, kept, owner, check)
    except BaseException:
        remove_files(kept, but={_UNFINISHED})
        shutil.rmtree(kept, ignore_errors=True)
        raise
    remove_files(kept, but={_UNFINISHED, *files})
    (kept / _UNFINISHED).unlink()
    return problem


def remove_files(cache: Path, *, but: Collection[str]) -> None:
    """Remove every file that is not among `but`."""
    for path in cached_files(cache).keys() - but:
        with contextlib.suppress(OSError):
            (cache / path).unlink()


def _copy_files(
    files: Files, source: Path, target: Path, owner: Owner | None, check: Callable[[], None]
) -> None:
    made: set[Path] = set()
    _make_folder(target, target.parent, made, owner)
    for path, about in files.items():
        check()
        copy = target / path
        _make_folder(copy.parent, target, made, owner)
        copy.unlink(missing_ok=True)
        _copy_file(source / path, copy, about, owner)


def _make_folder(folder: Path, top: Path, made: set[Path], owner: Owner | None) -> None:
    if folder in made:
        return
    made.add(folder)
    if folder != top:
        _make_folder(folder.parent, top, made, owner)
    try:
        folder.mkdir()
    except FileExistsError:
        return
    if owner:
        os.chown(folder, owner.uid, owner.gid)


def _copy_file(
    source: Path, target: Path, about: tuple[int, int, int], owner: Owner | None
) -> None:
    _, time_ns, executable = about
    with (
        open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as read,  # noqa: PTH123
        target.open("xb") as written,
    ):
        shutil.copyfileobj(read, written, _CHUNK_BYTES)
        written.flush()
        # Its owner must be able to remove it: Go's own module cache can only be read.
        os.fchmod(written.fileno(), 0o644 | executable)
        if owner:
            os.fchown(written.fileno(), owner.uid, owner.gid)
        os.utime(written.fileno(), ns=(time_ns, time_ns))
