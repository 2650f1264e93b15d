"""Fetched copies leave, the longest unused first, until the others fit."""

import os
from pathlib import Path

import pytest

from quasar.log import fetch_room
from quasar.log.fetch import fetch, kept_in
from quasar.log.fetch_room import EVIDENCE, USED, hold, make_room
from quasar.log.files import FolderLock
from tests.unit.volume_folder import write_folder
from tests.web import serving

KIB = 1024


def copy(archives: Path, name: str, used: int) -> Path:
    """A copy of 4 KiB, used last at this time."""
    place = archives / name
    (place / "log").mkdir(parents=True)
    (place / "log" / "manifest.json").write_bytes(bytes(4 * KIB))
    (place / USED).touch()
    os.utime(place / USED, (used, used))
    return place


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """Three copies; ``b`` was not used for the longest time."""
    for name, used in (("a", 2000), ("b", 1000), ("c", 3000)):
        copy(tmp_path, name, used)
    return tmp_path


def names(archives: Path) -> list[str]:
    """Of all that is there."""
    return sorted(path.name for path in archives.iterdir())


@pytest.mark.parametrize(
    ("kib", "left"), [(12, "abc"), (11, "ac"), (8, "ac"), (7, "c"), (0, "")], ids=str
)
def test_the_longest_unused_leaves_first(archives: Path, kib: int, left: str) -> None:
    """And no more of them than must."""
    make_room(archives, kib * KIB)
    assert names(archives) == list(left)


def test_what_is_used_stays(archives: Path) -> None:
    """A copy that is read, that is being fetched, or that proves a fork."""
    hold(archives / "b")
    os.utime(archives / "b" / USED, (1000, 1000))
    (archives / "c" / EVIDENCE).touch()
    lock = FolderLock(archives / "a")
    try:
        assert make_room(archives, 0) == []
    finally:
        lock.release()
    assert make_room(archives, 0) == [archives / "a"]
    assert names(archives) == ["b", "c"]


def test_a_copy_that_never_said_when_it_was_used_leaves(archives: Path) -> None:
    """As an earlier program left it; so does the rest of an interrupted removal."""
    (archives / "a" / USED).unlink()
    os.utime(archives / "a", (500, 500))
    (archives / ".leaving-x" / "log").mkdir(parents=True)
    assert make_room(archives, 8 * KIB) == [archives / "a"]
    assert names(archives) == ["b", "c"]


def test_a_fetch_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never removes what it fetched itself, though that is more than may stay."""
    monkeypatch.setattr(fetch_room.make_room, "__defaults__", (1,))
    old = copy(tmp_path / "cache" / "archives", "old", 1000)
    with serving(write_folder(tmp_path / "there"), published=True) as web:
        assert fetch(web.url, cache=tmp_path / "cache").is_dir()
        assert names(old.parent) == [kept_in(web.url, tmp_path / "cache").name]
