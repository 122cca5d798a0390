"""Copies of Go's caches: what is taken along, what is left, and what never is followed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path, PurePosixPath

import pytest

from gitops_action.adapters.caches import (
    bring_cache,
    cached_files,
    copy_files,
    keep_cache,
    remove_files,
)
from gitops_action.adapters.go.caches import Caches, outside_of
from gitops_action.adapters.go.places import Places
from gitops_action.adapters.go.private import Private

DAY = 24 * 3600


def unchecked() -> None:
    """Never cancel."""


def cache(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_copy_is_the_same_and_taken_once(tmp_path: Path) -> None:
    """Contents, times and what can be executed are kept; what is there already is not written."""
    source = cache(tmp_path / "source", aa__one="1", bb__two="22")
    (source / "bb" / "two").chmod(0o555)
    copy_files(cached_files(source), source, tmp_path / "target", None, unchecked)
    (tmp_path / "target" / "aa" / "one").chmod(0o600)

    copy_files(cached_files(source), source, tmp_path / "target", None, unchecked)

    assert cached_files(tmp_path / "target") == cached_files(source)
    assert (tmp_path / "target" / "aa" / "one").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "target" / "bb" / "two").stat().st_mode & 0o777 == 0o755


def test_what_another_user_has_kept_is_replaced_and_not_written_to(tmp_path: Path) -> None:
    """
    With fs.protected_regular, Debian's and Ubuntu's default, a second job ended by PermissionError.
    """
    private = Private(tmp_path / "verify", None)
    kept = cache(tmp_path / "kept", **{"go-build-tests__trim.txt": "0"})
    private.cache.mkdir(parents=True)
    (private.cache / "testexpire.txt").write_text("old")
    (private.cache / "trim.txt").write_text("old")
    for name in ("testexpire.txt", "trim.txt"):
        os.link(private.cache / name, tmp_path / name)
    caches = Caches(kept=kept, workspace=tmp_path, check=unchecked)

    caches.bring(private)
    caches.expire(private, "")

    assert (tmp_path / "testexpire.txt").read_text() == "old"
    assert (tmp_path / "trim.txt").read_text() == "old"
    assert (private.cache / "testexpire.txt").read_text() != "old"


def test_what_is_too_deep_for_a_path_is_left_out(tmp_path: Path) -> None:
    """
    One file with a path that no call takes ended a good build as a fault of the action itself.
    """
    top = cache(tmp_path / "cache", short="1")
    deep = top / "/".join(["d" * 200] * ((4000 - len(str(top))) // 201))
    deep.mkdir(parents=True)
    folder = os.open(deep, os.O_RDONLY)
    os.close(os.open("f" * 250, os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)

    found = cached_files(top)

    assert list(found) == ["short"]


def test_a_changed_file_is_copied_again(tmp_path: Path) -> None:
    """An entry that Go wrote anew replaces the one that was kept."""
    source = cache(tmp_path / "source", aa__one="old")
    copy_files(cached_files(source), source, tmp_path / "target", None, unchecked)
    (source / "aa" / "one").write_text("newer")

    copy_files(cached_files(source), source, tmp_path / "target", None, unchecked)

    assert (tmp_path / "target" / "aa" / "one").read_text() == "newer"


def test_nothing_but_files_is_taken(tmp_path: Path) -> None:
    """A link or a pipe that a test left in its cache leads nowhere."""
    source = cache(tmp_path / "source", aa__one="1")
    (tmp_path / "secret").write_text("canary")
    (source / "aa" / "link").symlink_to(tmp_path / "secret")
    (source / "folder").symlink_to(tmp_path)
    os.mkfifo(source / "pipe")

    assert list(cached_files(source)) == ["aa/one"]


def test_what_is_long_unused_is_forgotten(tmp_path: Path) -> None:
    """A kept cache does not grow for ever."""
    source = cache(tmp_path / "source", aa__old="1", aa__new="2")
    os.utime(source / "aa" / "old", (time.time() - 6 * DAY,) * 2)

    assert list(cached_files(source, forget=True)) == ["aa/new"]


def test_what_is_gone_is_removed(tmp_path: Path) -> None:
    """What the run's cache no longer has is not kept either."""
    kept = cache(tmp_path / "kept", aa__old="1", aa__new="2")
    wanted = {"aa/new": cached_files(kept)["aa/new"]}

    remove_files(kept, but=wanted)

    assert list(cached_files(kept)) == ["aa/new"]


def test_a_cache_that_was_kept_half_way_is_not_brought(tmp_path: Path) -> None:
    """Whenever the machine of a job vanishes, the next one finds all of a cache or nothing."""
    kept, place = tmp_path / "kept", tmp_path / "place"
    cache(kept, m__old="1", m__both="2")
    source = cache(tmp_path / "source", m__both="2", m__one="3", m__two="4")
    moments: list[Path] = []

    def vanish() -> None:
        moments.append(shutil.copytree(kept, tmp_path / f"moment-{len(moments)}"))

    keep_cache(kept, cached_files(source), source, tmp_path, vanish)
    for moment in moments:
        bring_cache(moment, place, None, unchecked)
    brought = cached_files(place)
    bring_cache(kept, place, None, unchecked)

    assert len(moments) == 3
    assert brought == {}
    assert set(cached_files(place)) == {"m/both", "m/one", "m/two"}


def test_a_cache_that_was_kept_half_way_is_made_whole(tmp_path: Path) -> None:
    """The next job that comes to its end leaves a cache that is taken."""
    kept, place = tmp_path / "kept", tmp_path / "place"
    cache(kept, unfinished="", m__one="half")
    source = cache(tmp_path / "source", m__one="whole", m__two="2")

    keep_cache(kept, cached_files(source), source, tmp_path, unchecked)
    bring_cache(kept, place, None, unchecked)

    assert {path.name: path.read_text() for path in (place / "m").iterdir()} == {
        "one": "whole",
        "two": "2",
    }


def test_what_is_gone_is_removed_when_a_copy_fails(tmp_path: Path) -> None:
    """A run that is cancelled while it keeps a cache leaves none."""
    kept, source = tmp_path / "kept", cache(tmp_path / "source", m__one="1", m__two="2")

    def cancel() -> None:
        if (kept / "m").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep_cache(kept, cached_files(source), source, tmp_path, cancel)

    assert not kept.exists()


@pytest.mark.parametrize(
    ("modules", "inside", "outside"),
    [
        ((".",), "lib/data.txt", ""),
        (("app",), "app/data.txt", "shared/data.txt"),
        (("app",), "app/app/data.txt", "application/data.txt"),
        (("app", "lib"), "", "lib/data.txt"),
    ],
    ids=["root", "beside", "similar name", "go.work"],
)
def test_what_go_does_not_look_at_counts(
    modules: tuple[str, ...], inside: str, outside: str
) -> None:
    """Where a file outside of a test's module changes, its kept result is not believed."""
    places = Places(
        root="/verify/workspace",
        module=PurePosixPath(),
        modules={f"example.com/{folder}": PurePosixPath(folder) for folder in modules},
    )
    files = {"go.mod": 1, inside: 2, outside: 3}
    before = outside_of(files, places, ())

    if inside:
        assert outside_of({**files, inside: 4}, places, ()) == before
    if outside:
        assert outside_of({**files, outside: 4}, places, ()) != before


def test_variables_lead_where_nobody_looks() -> None:
    """With `test-env` no kept result is believed."""
    places = Places(root="/verify/workspace", module=PurePosixPath())

    assert outside_of({}, places, ("DATABASE_URL",)) == ""
