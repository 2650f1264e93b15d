"""Only an older demo makes room for a new one."""

from pathlib import Path
from typing import Literal

import pytest

from quasar.cli.replace import make_room
from quasar.errors import TryAgain, UsageError
from quasar.log.archive import ArchiveWriter
from tests.builders import World, edited
from tests.unit.cli_archive import identity_of, write

pytestmark = pytest.mark.anyio


async def archive(folder: Path, mode: Literal["demo", "mock", "live", "simulation"]) -> Path:
    world = World()
    await world.open()
    world.log._lines[1] = edited(world.lines[1], mode=mode)
    write(world, folder)
    return folder


async def test_a_demo_makes_room(tmp_path: Path) -> None:
    """Its folder is empty afterwards; so is one that was not there."""
    assert list(make_room(await archive(tmp_path / "a", "demo")).iterdir()) == []
    assert list(make_room(tmp_path / "new" / "b").iterdir()) == []


@pytest.mark.parametrize("mode", ["mock", "live", "simulation"])
async def test_no_other_log_does(
    tmp_path: Path, mode: Literal["mock", "live", "simulation"]
) -> None:
    """A validator's archive stays, whoever names it."""
    folder = await archive(tmp_path / "a", mode)
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError, match="name another --out"):
        make_room(folder)
    assert sorted(folder.rglob("*")) == before


async def test_one_that_is_being_written_stays(tmp_path: Path) -> None:
    """Two demos never share a folder."""
    folder = await archive(tmp_path / "a", "demo")
    with (
        ArchiveWriter.open(folder, identity_of(World())),
        pytest.raises(TryAgain, match="another demo"),
    ):
        make_room(folder)
    assert (folder / "manifest.json").exists()


async def test_one_that_was_killed_before_its_first_event_makes_room(tmp_path: Path) -> None:
    """An archive without events loses nothing."""
    with ArchiveWriter.open(tmp_path / "a", identity_of(World())):
        pass
    assert list(make_room(tmp_path / "a").iterdir()) == []


async def test_links_are_removed_not_followed(tmp_path: Path) -> None:
    """What a link in the folder leads to stays."""
    folder = await archive(tmp_path / "a", "demo")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("mine")
    for path in (folder / "checkpoints").iterdir():
        path.unlink()
    (folder / "checkpoints").rmdir()
    (folder / "checkpoints").symlink_to(tmp_path / "kept")
    assert list(make_room(folder).iterdir()) == []
    assert (tmp_path / "kept" / "file").read_text() == "mine"
