"""A log fetched from a web server: all of it, then what is new, from whoever serves it."""

import shutil
from pathlib import Path

import anyio
import pytest

from quasar.errors import LogError, QuasarError, TryAgain, UsageError
from quasar.events.fork import open_fork
from quasar.log import fetch_http
from quasar.log.archive import ArchiveWriter
from quasar.log.archive_folders import volumes_of
from quasar.log.archive_reader import ArchiveLog
from quasar.log.fetch import OtherHistory, fetch, kept_in
from quasar.log.whole import verify_whole
from quasar.replay.volumes import audit_volumes
from tests.builders import World
from tests.forging import few_tasks
from tests.unit.volume_folder import (
    extend,
    identity_of,
    snapshot,
    worlds,
    write_folder,
    write_volume,
)
from tests.web import Handler, serving


@pytest.fixture(scope="module")
def world() -> World:
    """Eight rounds, for more than one hash tile."""
    made = World(policy=few_tasks())

    async def play() -> None:
        for number in range(1, 9):
            await made.play_round(number)

    anyio.run(play)
    return made


def grown(world: World, folder: Path, *sizes: int) -> Path:
    """The world's archive up to the last of these sizes, signed at each."""
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        extend(writer, world, *sizes)
    return folder


def copied(folder: Path) -> list[bytes]:
    """The lines of an archive that is whole."""
    (log,) = volumes_of(folder)
    verify_whole(log)
    return [line for _, line in log.lines()]


def test_volumes_are_fetched_and_audit_clean(tmp_path: Path) -> None:
    """Every event and blob; the second time only checkpoints are asked for."""
    folder = write_folder(tmp_path / "there")
    with serving(folder, published=True) as web:
        here = fetch(web.url, cache=tmp_path / "cache")
        report = anyio.run(audit_volumes, volumes_of(here))
        assert (report.result, report.events) == ("clean", sum(len(w.lines) for w in worlds()))
        first = snapshot(here)
        web.asked.clear()
        assert fetch(web.url + "/", cache=tmp_path / "cache") == here
        assert web.asked == [
            *(f"{number}/checkpoint" for number in range(1, 5)),
            "5/manifest.json",
        ]
        assert snapshot(here) == first
        web.asked.clear()
        fetch(web.url, cache=tmp_path / "cache", newest=True)
        assert web.asked == ["4/checkpoint", "5/manifest.json"]


def test_what_is_new_is_fetched_and_no_more(tmp_path: Path, world: World) -> None:
    """A growing archive: no full tile and no blob twice, of the segment its new end alone."""
    size = len(world.lines)
    there = grown(world, tmp_path / "there", 280)
    with serving(there) as web:
        here = fetch(web.url, cache=tmp_path / "cache")
        assert copied(here) == world.lines[:280]
        blobs = {name for name in web.asked if name.startswith("blobs/")}
        for end in (300, size):
            grown(world, there, end)
            web.asked.clear()
            fetch(web.url, cache=tmp_path / "cache")
            assert copied(here) == world.lines[:end]
            assert "tile/0/000" not in web.asked
            assert not blobs & set(web.asked)
            assert list((here / "checkpoints").iterdir()) == [here / "checkpoints" / str(end)]
    assert volumes_of(here)[0].checkpoint_note() == (there / "checkpoint").read_text()


def test_a_broken_off_download_goes_on(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it stopped, in the next call too; what was torn is never taken for the whole."""
    monkeypatch.setattr(fetch_http, "TRIES", 1)
    there = grown(world, tmp_path / "there", len(world.lines))
    (segment,) = (f"segments/{path.name}" for path in (there / "segments").iterdir())
    data = (there / segment).read_bytes()
    starts: list[str | None] = []

    def half(handler: Handler) -> bool:
        if handler.path != f"/{segment}":
            return False
        starts.append(handler.headers.get("Range"))
        if len(starts) > 1:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.close_connection = True
        return True

    with serving(there, half) as web:
        with pytest.raises(TryAgain, match="goes on where it stopped"):
            fetch(web.url, cache=tmp_path / "cache")
        assert not (kept_in(web.url, tmp_path / "cache") / "log" / "manifest.json").exists()
        assert copied(fetch(web.url, cache=tmp_path / "cache")) == world.lines
    assert starts == [None, f"bytes={len(data) // 2}-"]


def test_a_wrong_half_is_fetched_anew(tmp_path: Path, world: World) -> None:
    """What lies in the cache is compared with the hashes like everything else."""
    there = grown(world, tmp_path / "there", len(world.lines))
    with serving(there) as web:
        parts = kept_in(web.url, tmp_path / "cache") / "parts" / "0" / "segments"
        parts.mkdir(parents=True)
        (parts / next((there / "segments").iterdir()).name).write_bytes(b"x" * 500)
        assert copied(fetch(web.url, cache=tmp_path / "cache")) == world.lines


def test_an_older_history_is_named(tmp_path: Path, world: World) -> None:
    """A server that went back shows less than it did; nothing here is lost, and no fork claimed."""
    whole = grown(world, tmp_path / "whole", 100, len(world.lines))
    older = grown(world, tmp_path / "older", 100)
    with serving(whole) as web:
        here = fetch(web.url, cache=tmp_path / "cache")
        web.folder = older
        with pytest.raises(OtherHistory, match="ends with event 100, and") as found:
            fetch(web.url, cache=tmp_path / "cache")
        assert (found.value.exit_code, found.value.evidence) == (1, None)
        assert copied(here) == world.lines
        web.folder = whole
        assert fetch(web.url, cache=tmp_path / "cache") == here


def test_a_volume_that_is_gone_is_named(tmp_path: Path) -> None:
    """Fewer volumes than before are an older history too."""
    there = write_folder(tmp_path / "there")
    with serving(there) as web:
        fetch(web.url, cache=tmp_path / "cache")
        shutil.rmtree(there / "4")
        with pytest.raises(OtherHistory, match="volume 4 was there before"):
            fetch(web.url, cache=tmp_path / "cache")


@pytest.mark.parametrize("at", [250, 300], ids=["as-long", "longer"])
def test_another_history_is_proved(tmp_path: Path, world: World, at: int) -> None:
    """Both signed: a file that convinces a stranger; what was fetched first stays."""
    other = World(policy=few_tasks())
    anyio.run(_other, other)
    there = grown(world, tmp_path / "there", 250)
    forked = grown(other, tmp_path / "forked", at)
    with serving(there) as web:
        here = fetch(web.url, cache=tmp_path / "cache")
        web.folder = forked
        with pytest.raises(OtherHistory, match="proves that its validator signed both") as found:
            fetch(web.url, cache=tmp_path / "cache")
        assert found.value.evidence is not None
        forked_log = open_fork(found.value.evidence.read_bytes())
        assert forked_log is not None
        assert copied(here) == world.lines[:250]
        web.folder = grown(world, there, 300)
        assert copied(fetch(web.url, cache=tmp_path / "cache")) == world.lines[:300]


async def _other(world: World) -> None:
    for number in range(1, 9):
        await world.play_round(number, lambda w, d: b"another answer")


def test_damage_there_is_damage_here(tmp_path: Path, world: World) -> None:
    """The audit names it; once it is mended there, the next call fetches it anew."""
    there = grown(world, tmp_path / "there", len(world.lines))
    (path,) = (there / "segments").iterdir()
    good = path.read_bytes()
    path.write_bytes(good[:-40])
    with serving(there) as web:
        here = fetch(web.url, cache=tmp_path / "cache")
        with pytest.raises(LogError):
            copied(here)
        path.write_bytes(good)
        assert copied(fetch(web.url, cache=tmp_path / "cache")) == world.lines


def test_a_blob_with_other_bytes_is_not_kept(tmp_path: Path) -> None:
    """It is missing until the server has the right one."""
    there = write_volume(worlds()[0], tmp_path / "there")
    path = next(p for p in (there / "blobs").rglob("*") if p.is_file())
    good = path.read_bytes()
    path.write_bytes(b"!" + good[1:])
    with serving(there) as web:
        here = fetch(web.url, cache=tmp_path / "cache")
        name = path.relative_to(there)
        assert not (here / name).exists()
        path.write_bytes(good)
        fetch(web.url, cache=tmp_path / "cache")
        assert (here / name).read_bytes() == good


def test_nothing_is_published_or_nobody_is_there(tmp_path: Path) -> None:
    """What to do is said."""
    (tmp_path / "empty").mkdir()
    nothing = pytest.raises(UsageError, match="publishes no log")
    with serving(tmp_path / "empty") as web, nothing:
        fetch(web.url, cache=tmp_path / "cache")
    with pytest.raises(TryAgain, match="refused"):
        fetch(web.url, cache=tmp_path / "cache")


def test_a_pruned_volume_keeps_what_was_fetched(tmp_path: Path) -> None:
    """What the server removed is still here; what was never fetched is a pruned volume."""
    from tests.unit.test_opened_log import prune

    there = write_folder(tmp_path / "there")
    with serving(there) as web:
        here = fetch(web.url, cache=tmp_path / "cache")
        before = snapshot(here / "1")
        prune(ArchiveLog(there / "1"))
        (there / "1" / "checkpoint").unlink()
        assert fetch(web.url, cache=tmp_path / "cache") == here
        assert snapshot(here / "1") == before
        fresh = fetch(web.url, cache=tmp_path / "second")
        report = anyio.run(audit_volumes, volumes_of(fresh)[1:])
        assert report.result == "clean"


def test_errors_are_ours() -> None:
    """A command shows them without a traceback."""
    assert issubclass(OtherHistory, QuasarError)


def test_of_a_folder_that_is_being_written_the_signed_part_is_fetched(
    tmp_path: Path, world: World
) -> None:
    """Where somebody else serves its files as they are."""
    with ArchiveWriter.open(tmp_path / "there", identity_of(world)) as writer:
        extend(writer, world, 200)
        writer.append(world.lines[200:290])
        writer.flush()
        with serving(tmp_path / "there") as web:
            here = fetch(web.url, cache=tmp_path / "cache")
            assert copied(here) == world.lines[:200]
            extend(writer, world, 300)
            fetch(web.url, cache=tmp_path / "cache")
            assert copied(here) == world.lines[:300]


def test_a_beginning_is_published_with_its_last_tile(tmp_path: Path, world: World) -> None:
    """Also where the writer is past that tile, and keeps only the full one."""

    def place(text: str, number: int) -> int:
        wanted = text % number
        return next(i for i, line in enumerate(world.lines, 1) if wanted.encode() in line)

    number = next(n for n in range(1, 9) if place('"key":"revealed.%d"', n) > 257)
    shown = place('"key":"task.%d.0"', number) - 2
    with ArchiveWriter.open(tmp_path / "there", identity_of(world)) as writer:
        extend(writer, world, shown, place('"key":"revealed.%d"', number) - 1)
        assert shown < 256 < writer.size
        assert not (tmp_path / "there" / "tile" / "0" / f"000.p/{shown}").exists()
        with serving(tmp_path / "there", published=True) as web:
            assert copied(fetch(web.url, cache=tmp_path / "cache")) == world.lines[:shown]
