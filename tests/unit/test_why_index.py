"""The index beside an archive: quicker, and never believed."""

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import anyio
import msgspec
import pytest

from quasar.errors import Damaged
from quasar.events.exhibits import open_file
from quasar.events.merkle import HASH_BYTES
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.log.archive_beside import Beside
from quasar.log.archive_places import Mark, PlacedLines, pieces
from quasar.log.frames import pack
from quasar.log.zstd import compress
from quasar.replay import index_events
from quasar.replay.index import Block, Index, Row, decode_index, encode_index
from quasar.replay.index_events import FILE, proved_log
from quasar.replay.index_growth import grow
from quasar.replay.why import Why, why
from tests.builders import LineLog, World
from tests.forging import few_tasks, identity_of, played, write_archive
from tests.rotating import write_rotated
from tests.unit.volume_folder import extend

RECORDED = [
    path.parent
    for root in (Path(__file__).parents[1] / "golden", Path(__file__).parents[2] / "quasar")
    for path in sorted(root.rglob("manifest.json"))
]
MINER = next(iter(played().miners))
Lie = Callable[[Index], object]


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every log is long enough for an index that is kept, in a home of the test's own."""
    monkeypatch.setattr(index_events, "KEPT_FROM", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three rounds of three miners."""
    return write_archive(tmp_path / "archive", played(), played().lines)


def explained(folder: Path, hotkey: str = MINER) -> Why:
    return anyio.run(why, ArchiveLog(folder), hotkey)


@cache
def truth() -> Why:
    """The same log, read whole."""
    return anyio.run(why, LineLog(played().lines, played().log.blobs), MINER)


@cache
def longer() -> World:
    """Nine rounds, so that there is more than one hash tile. Not to be changed."""
    world = World(miners=3, policy=few_tasks())

    async def play() -> None:
        for number in range(1, 10):
            await world.play_round(number)

    anyio.run(play)
    return world


def never(*_: object) -> None:
    raise AssertionError("the log was read again")


@pytest.mark.parametrize("folder", RECORDED, ids=lambda path: path.parent.name)
def test_the_answer_is_that_of_the_whole_log(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of recorded logs: by reading everything, by an index just made, and by a kept one."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    log = ArchiveLog(copy)
    hotkey = min(proved_log(log).index.told)
    (copy / FILE).unlink()
    whole = LineLog([line for _, line in log.lines()], log.blobs)
    expected = anyio.run(why, whole, hotkey)
    assert explained(copy, hotkey) == expected
    assert (copy / FILE).exists()
    monkeypatch.setattr(index_events, "grow", never)
    assert explained(copy, hotkey) == expected
    assert expected.differences == []


def test_an_index_grows_with_its_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It equals one that is made at once, wherever it stopped, and reads no line before that."""
    world, folder = longer(), tmp_path / "archive"
    sizes = (30, 31, 256, 300, len(world.lines))
    grown: list[tuple[int, int]] = []

    def watched(index: Index, log: ArchiveLog, size: int, progress: object = None) -> None:
        grown.append((index.size, size))
        grow(index, log, size)

    monkeypatch.setattr(index_events, "grow", watched)
    with ArchiveWriter.open(folder, identity_of(world), segment_events=100) as writer:
        for size in sizes:
            extend(writer, world, size)
            found = proved_log(ArchiveLog(folder)).index
            fresh = Index(origin=found.origin)
            grow(fresh, ArchiveLog(folder), size)
            assert msgspec.structs.replace(found, marks=[]) == msgspec.structs.replace(
                fresh, marks=[]
            )
    assert grown == list(zip((0, *sizes), sizes, strict=False))
    whole = LineLog(world.lines, world.log.blobs)
    assert explained(folder) == anyio.run(why, whole, MINER)


def test_an_index_of_another_history_is_made_anew(tmp_path: Path) -> None:
    """The archive was replaced by a shorter one, or by another of the same length."""
    world = longer()
    archive = write_archive(tmp_path / "archive", world, world.lines)
    expected = explained(archive)
    shorter = write_archive(tmp_path / "shorter", world, world.lines[:-20])
    shutil.copy(archive / FILE, shorter / FILE)
    assert explained(shorter).size == len(world.lines) - 20
    right, beside = (archive / FILE).read_bytes(), Beside(ArchiveLog(archive), FILE)
    (index,) = filter(None, map(decode_index, beside.found()))
    index.tiles[0] ^= 1
    beside.keep(encode_index(index))
    assert (archive / FILE).read_bytes() != right
    assert explained(archive) == expected
    assert (archive / FILE).read_bytes() == right


@pytest.mark.parametrize("at", [0, 31, 32, 40, -1])
def test_a_damaged_index_is_made_anew(archive: Path, at: int) -> None:
    """A flipped bit anywhere, or a torn end."""
    explained(archive)
    data = bytearray((archive / FILE).read_bytes())
    data[at] ^= 4
    for bad in (bytes(data), bytes(data[:at]), b""):
        (archive / FILE).write_bytes(bad)
        assert explained(archive) == truth()


def test_a_strangers_index_is_not_believed(archive: Path, tmp_path: Path) -> None:
    """One that came with the archive hides the newest row: nobody here vouches for it."""
    index = proved_log(ArchiveLog(archive)).index
    index.rows.pop()
    ours = os.environ.pop("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path / "stranger")
    Beside(ArchiveLog(archive), FILE).keep(encode_index(index))
    assert explained(archive).weight_seq < truth().weight_seq, "their own key vouches for it"
    os.environ["XDG_CACHE_HOME"] = ours
    assert explained(archive) == truth()


def moved(places: dict[int, int]) -> None:
    """The newest round stands where the first one does."""
    places[max(places)] = places[min(places)]


LIES: dict[str, Lie] = {
    "row": lambda i: i.rows.append(Row(i.rows[-1].seq - 1, 300, True)),
    "row of another epoch": lambda i: i.rows.append(Row(2, 300, True)),
    "scored": lambda i: moved(i.scored),
    "scored dropped": lambda i: i.scored.pop(2),
    "opened": lambda i: moved(i.opened),
    "revealed": lambda i: moved(i.revealed),
    "revealed dropped": lambda i: i.revealed.pop(2),
    "policy": lambda i: i.policies.append(4),
    "no policy": lambda i: i.policies.clear(),
    "no run": lambda i: i.runs.append(5),
    "metagraph": lambda i: i.metagraphs.append(i.size),
    "rotation": lambda i: i.rotations.append(9),
    "marks": lambda i: i.marks.append(Mark(2, 1, 7)),
    "marks shifted": lambda i: i.marks.append(Mark(5, 1, 0)),
    "mark nowhere": lambda i: i.marks.append(Mark(5, 1, 2**40)),
    "tiles": lambda i: i.tiles.extend(bytes(HASH_BYTES)),
    "size": lambda i: setattr(i, "size", i.size - 1),
    "answers of another": lambda i: i.told[MINER].update(i.told[max(i.told)]),
    "answers of another round": lambda i: i.told[MINER].update({3: i.told[MINER][1]}),
    "no answers": lambda i: i.told[MINER].pop(3),
    "beyond": lambda i: i.scored.update({3: 10**9}),
    "blocks": lambda i: i.blocks.insert(0, Block(1, 1)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_index_never_changes_what_is_shown(archive: Path, lie: str) -> None:
    """Even where our own key vouches for it: an error, a difference named, or the truth."""
    index = proved_log(ArchiveLog(archive)).index
    LIES[lie](index)
    Beside(ArchiveLog(archive), FILE).keep(encode_index(index))
    try:
        found = explained(archive)
    except Damaged:
        return
    assert found.differences or found == truth()


def test_a_closed_folder_gets_its_index_in_the_cache(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the name is taken by a folder, nothing can be written under it."""
    (archive / FILE).mkdir()
    assert explained(archive) == truth()
    assert len(list((tmp_path / "cache" / "quasar" / "beside").iterdir())) == 1
    monkeypatch.setattr(index_events, "grow", never)
    assert explained(archive) == truth()


def test_where_nothing_can_be_kept_the_answer_is_the_same(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No home, so no key: every run reads the log."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert explained(archive) == explained(archive) == truth()
    assert not (archive / FILE).exists()


def test_links_lead_nowhere(archive: Path, tmp_path: Path) -> None:
    """An index behind a link is not read, and writing one leaves the link's target alone."""
    explained(archive)
    shutil.move(archive / FILE, tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").read_bytes()
    (archive / FILE).symlink_to(tmp_path / "elsewhere")
    assert not list(Beside(ArchiveLog(archive), FILE).found())
    assert explained(archive) == truth()
    assert not (archive / FILE).is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == before


def test_a_changed_line_is_named(archive: Path) -> None:
    """In an event that is shown, also behind an index that was made before."""
    seq = explained(archive).rounds[-1].answers[0].score_seq
    lines = list(played().lines)
    lines[seq - 1] = lines[seq - 1].replace(b'"reward":1.0', b'"reward":0.5')
    (segment,) = (archive / "segments").iterdir()
    segment.write_bytes(pack(lines))
    with pytest.raises(Damaged, match=f"event {seq}: the stored bytes do not match"):
        explained(archive)
    (archive / FILE).unlink()
    with pytest.raises(Damaged, match=f"event {seq}: the stored bytes do not match"):
        explained(archive)


@pytest.mark.parametrize("step", [1, 1000, 4096, 10**6])
def test_single_lines_are_found_in_any_frames(archive: Path, step: int) -> None:
    """Also where frames end inside a line, as no writer of ours ends them."""
    lines = played().lines
    text = b"".join(line + b"\n" for line in lines)[: 200_000 if step > 1 else 3_000]
    size = text.count(b"\n")
    text = text[: text.rindex(b"\n") + 1]
    (segment,) = (archive / "segments").iterdir()
    frames = [text[i : i + step] for i in range(0, len(text), step)]
    segment.write_bytes(b"".join(map(compress, frames)))
    log = ArchiveLog(archive)
    marks = [piece.mark for piece in pieces(log, size) if piece.mark]
    assert marks
    for known in (marks, marks[:1], []):
        placed = PlacedLines(log, known)
        for seq in (size, 1, size // 2, size - 1):
            assert placed.line(seq) == lines[seq - 1]
    with pytest.raises(Damaged):
        PlacedLines(log, marks).line(len(lines) + 1)


def test_a_log_of_some_events_keeps_no_index(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read in a glance leaves no file behind."""
    monkeypatch.setattr(index_events, "KEPT_FROM", len(played().lines) + 1)
    explained(archive)
    assert not (archive / FILE).exists()


def test_events_behind_the_checkpoint_do_not_count(tmp_path: Path) -> None:
    """A writer's archive may be longer than what was signed: only that is shown."""
    world: World = played()
    folder, size = tmp_path / "archive", len(world.lines) - 10
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        extend(writer, world, size)
        writer.append(world.lines[size:])
        writer.flush()
    found = explained(folder)
    assert found.size == size
    assert max(event.seq for event in found.events) <= size


def test_a_rotated_key_is_followed(tmp_path: Path) -> None:
    """The newest checkpoint is the third key's; every proof file shows both rotations."""
    log = proved_log(ArchiveLog(write_rotated(tmp_path / "rotated")))
    assert len(log.index.rotations) == 2
    hotkey = min(log.index.told)
    assert explained(log.log.folder, hotkey).differences == []
    proved = open_file(log.proof(5))
    assert set(proved.lines) == {1, 5, *log.index.rotations}
    log.index.rotations.pop()
    Beside(log.log, FILE).keep(encode_index(log.index))
    assert len(proved_log(log.log).index.rotations) == 2, "without it, no key signed the note"


def test_the_key_is_the_users_own(archive: Path, tmp_path: Path) -> None:
    """Nobody else reads it; who loses it loses the index, and makes both anew."""
    explained(archive)
    key = tmp_path / "cache" / "quasar" / "beside.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(list(Beside(ArchiveLog(archive), FILE).found())) == 1
    for lost in (key.unlink, lambda: key.write_bytes(b"short")):
        lost()
        assert not list(Beside(ArchiveLog(archive), FILE).found())
        assert explained(archive) == truth()
        assert len(key.read_bytes()) == 32
