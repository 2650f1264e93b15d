"""Only an older demo makes room for a new one."""

from pathlib import Path
from typing import Literal

import pytest

from quasar.cli.replace import room
from quasar.errors import TryAgain, UsageError
from quasar.log.archive import ArchiveLog, ArchiveWriter
from tests.builders import World, edited
from tests.unit.cli_archive import identity_of, write

pytestmark = pytest.mark.anyio


async def archive(folder: Path, mode: Literal["demo", "mock", "live", "simulation"]) -> Path:
    world = World()
    await world.open()
    world.log._lines[1] = edited(world.lines[1], mode=mode)
    write(world, folder)
    return folder


def emptied(folder: Path) -> list[str]:
    """What a new demo finds in its folder."""
    with room(folder):
        return [path.name for path in folder.iterdir()]


async def test_a_demo_makes_room(tmp_path: Path) -> None:
    """Its folder is empty afterwards; so is one that was not there."""
    assert emptied(await archive(tmp_path / "a", "demo")) == ["segments"]
    assert emptied(tmp_path / "new" / "b") == ["segments"]


@pytest.mark.parametrize("mode", ["mock", "live", "simulation"])
async def test_no_other_log_does(
    tmp_path: Path, mode: Literal["mock", "live", "simulation"]
) -> None:
    """A validator's archive stays, whoever names it."""
    folder = await archive(tmp_path / "a", mode)
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError, match="name another --out"):
        emptied(folder)
    assert sorted(folder.rglob("*")) == before


async def test_one_that_is_being_written_stays(tmp_path: Path) -> None:
    """Two demos never share a folder."""
    folder = await archive(tmp_path / "a", "demo")
    with (
        ArchiveWriter.open(folder, identity_of(World())),
        pytest.raises(TryAgain, match="another demo"),
    ):
        emptied(folder)
    assert (folder / "manifest.json").exists()


async def test_one_that_only_just_starts_has_its_folder(tmp_path: Path) -> None:
    """The second of two demos is turned away before the first has written anything."""
    with room(tmp_path / "a"):
        with pytest.raises(TryAgain, match="another demo"):
            emptied(tmp_path / "a")
        assert emptied(tmp_path / "b") == ["segments"]
    assert not (tmp_path / "a").exists()


async def test_a_played_archive_stays(tmp_path: Path) -> None:
    """The archive's writer finds the folder free, and what it wrote is left."""
    with room(tmp_path / "a"):
        world = World()
        await world.open()
        write(world, tmp_path / "a")
    assert ArchiveLog(tmp_path / "a").manifest.last == len(world.lines)


async def test_a_folder_without_a_play_is_gone(tmp_path: Path) -> None:
    """Stopped while it starts, a demo leaves nothing; what a killed one leaves makes room."""
    with room(tmp_path / "a"):
        pass
    assert not (tmp_path / "a").exists()
    with room(tmp_path / "a"), ArchiveWriter.open(tmp_path / "a", identity_of(World())):
        pass
    assert not (tmp_path / "a").exists()
    (tmp_path / "a" / "segments").mkdir(parents=True)
    assert emptied(tmp_path / "a") == ["segments"]


async def test_one_that_was_killed_before_its_first_event_makes_room(tmp_path: Path) -> None:
    """An archive without events loses nothing."""
    with ArchiveWriter.open(tmp_path / "a", identity_of(World())):
        pass
    assert emptied(tmp_path / "a") == ["segments"]


async def test_links_are_removed_not_followed(tmp_path: Path) -> None:
    """What a link in the folder leads to stays."""
    folder = await archive(tmp_path / "a", "demo")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("mine")
    for path in (folder / "checkpoints").iterdir():
        path.unlink()
    (folder / "checkpoints").rmdir()
    (folder / "checkpoints").symlink_to(tmp_path / "kept")
    assert emptied(folder) == ["segments"]
    assert (tmp_path / "kept" / "file").read_text() == "mine"
