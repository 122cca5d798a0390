"""What stands between what a repository brings along and everything else on this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

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


def remove_tree(path: Path) -> None:
    """Remove a folder as far as possible, read-only folders of ours included; never raises."""
    _remove(path)
    if path.is_dir() and not path.is_symlink():
        _flatten(path)
        _remove(path)


def _remove(path: Path) -> None:
    # Before Python 3.13 by recursion, and with one open file for each level.
    with contextlib.suppress(RecursionError):
        shutil.rmtree(path, ignore_errors=True)


def _flatten(top: Path) -> None:
    """Bring every folder below `top` directly into it: tests can make a tree as deep as they like.

    No link is followed, in whatever moment one takes a folder's place.
    """
    folders = [top]
    for folder in folders:
        with contextlib.suppress(OSError), _opened(top) as above, _opened(folder) as opened:
            with os.scandir(opened) as entries:
                inner = [one.name for one in entries if one.is_dir(follow_symlinks=False)]
            for name in inner:
                if os.geteuid() != 0:  # a folder that can only be read cannot be moved
                    (folder / name).chmod(0o700)
                place = f"flat-{secrets.token_hex(8)}"
                os.rename(name, place, src_dir_fd=opened, dst_dir_fd=above)
                folders.append(top / place)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
