"""The archive of a volume: what is written, what is read back, and what is refused."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from bittensor_core import CRYPTO_ED25519, Keypair

from quasar.errors import CannotJudge, Damaged, LogError, QuasarError, TryAgain, UsageError
from quasar.events.envelope import MAX_EVENT_BYTES
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, open_checkpoint, sign_checkpoint
from quasar.log import Log
from quasar.log.archive import ArchiveIdentity, ArchiveLog, ArchiveWriter, Withheld, copy_archive
from quasar.log.frames import FRAME_BYTES, HELD_BYTES, batches, pack
from quasar.log.tiles import tile_name
from quasar.log.zstd import compress

IDENTITY = ArchiveIdentity(
    log_id="0a1b2c3d",
    volume=1,
    netuid=24,
    hotkey=Keypair.from_uri("//Alice").ss58_address,
    genesis="0x" + "ab" * 32,
)
KEY = Keypair.from_seed(b"\x01" * 32, CRYPTO_ED25519)
T = TypeVar("T")
Change = Callable[[Path], object]
Edit = Callable[[list[bytes]], list[bytes]]
FIRST = "segments/00000000000000000001.jsonl.zst"


def lines_of(n: int, start: int = 1) -> list[bytes]:
    """Lines that differ from each other."""
    return [b'{"key":"round.%d"}' % i for i in range(start, start + n)]


def write(folder: Path, *batches: Sequence[bytes], segment_events: int = 100_000) -> Path:
    """An archive of the batches, one flush each, with a checkpoint over all."""
    with ArchiveWriter.open(folder, IDENTITY, segment_events=segment_events) as writer:
        for batch in batches:
            writer.append(batch)
            writer.flush()
        writer.publish(note_of(writer.tree), writer.size)
    return folder


def note_of(tree: Tree, size: int | None = None) -> str:
    """A signed checkpoint over a tree."""
    size = tree.size if size is None else size
    return sign_checkpoint(Checkpoint(IDENTITY.origin, size, tree.root(size)), KEY)


def read_all(folder: Path) -> list[bytes]:
    """All lines; the numbers must count from 1."""
    pairs = list(ArchiveLog(folder).lines())
    assert [seq for seq, _ in pairs] == list(range(1, len(pairs) + 1))
    return [line for _, line in pairs]


def until_damage(items: Iterable[T]) -> tuple[list[T], Damaged]:
    """What is given out before the damage, and the damage."""
    seen: list[T] = []
    with pytest.raises(Damaged) as caught:
        seen.extend(items)
    return seen, caught.value


def damage_of(folder: Path) -> tuple[int, list[int], str]:
    """The first bad event, the numbers given out before it, and the reason."""
    seen, damage = until_damage(ArchiveLog(folder).lines())
    return damage.seq, [seq for seq, _ in seen], damage.reason


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """20 events in segments of 8, flushed as 5, 6 and 9."""
    lines = lines_of(20)
    return write(tmp_path / "a", lines[:5], lines[5:11], lines[11:], segment_events=8)


def edit_manifest(folder: Path, **fields: object) -> None:
    """Give the manifest other values."""
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_round_trip(archive: Path) -> None:
    """Every line comes back, byte for byte, under its number."""
    assert read_all(archive) == lines_of(20)
    assert [line for _, line in ArchiveLog(archive).verified()] == lines_of(20)
    assert next(ArchiveLog(archive).lines(after=13)) == (14, lines_of(20)[13])
    assert not list(ArchiveLog(archive).lines(after=20))


def test_layout(archive: Path) -> None:
    """The files are those that the format names, and none besides."""
    files = {str(p.relative_to(archive)) for p in archive.rglob("*") if p.is_file()}
    assert files == {
        "manifest.json",
        FIRST,
        "segments/00000000000000000009.jsonl.zst",
        "segments/00000000000000000017.jsonl.zst",
        "tile/0/000.p/5",
        "tile/0/000.p/11",
        "tile/0/000.p/20",
        "checkpoint",
        "checkpoints/20",
    }


def test_manifest(archive: Path) -> None:
    """The manifest says whose log this is, which files hold what, and what is left out."""
    manifest = json.loads((archive / "manifest.json").read_text())
    assert manifest["format"] == "quasar-archive/1"
    assert (manifest["first"], manifest["last"]) == (1, 20)
    assert manifest["segments"][1] == {
        "name": "00000000000000000009.jsonl.zst",
        "first": 9,
        "last": 16,
    }
    assert manifest["withheld"] == [
        {"what": "contexts", "why": "regenerated from the revealed seed"}
    ]
    assert ArchiveLog(archive).manifest.identity == IDENTITY


def test_zstdcat_reads_it(archive: Path) -> None:
    """Two standard programs give the whole log as text."""
    if not shutil.which("zstdcat"):
        pytest.skip("zstd is not installed")
    segments = sorted((archive / "segments").iterdir())
    out = subprocess.run(["zstdcat", *segments], capture_output=True, check=True).stdout
    assert out == b"".join(line + b"\n" for line in lines_of(20))


def test_tiles_are_level_0_of_tlog_tiles(tmp_path: Path) -> None:
    """Full tiles are 8192 bytes, the last is partial, and a full one replaces its partial ones."""
    lines = lines_of(600)
    folder = write(tmp_path / "a", lines[:100], lines[100:300], lines[300:])
    tiles = {str(p.relative_to(folder)) for p in (folder / "tile").rglob("*") if p.is_file()}
    assert tiles == {"tile/0/000", "tile/0/001", "tile/0/002.p/88"}
    assert (folder / "tile/0/001").read_bytes() == b"".join(map(leaf_hash, lines[256:512]))
    assert list(ArchiveLog(folder).leaf_hashes()) == list(map(leaf_hash, lines))
    assert ArchiveLog(folder).tree().root() == Tree(map(leaf_hash, lines)).root()


@pytest.mark.parametrize(
    ("index", "width", "name"),
    [
        (0, 256, "tile/0/000"),
        (999, 256, "tile/0/999"),
        (1000, 256, "tile/0/x001/000"),
        (1234067, 256, "tile/0/x001/x234/067"),
        (273, 112, "tile/0/273.p/112"),
    ],
)
def test_tile_names(index: int, width: int, name: str) -> None:
    """Tiles are named as the specification's examples are."""
    assert tile_name(index, width) == name


@pytest.mark.anyio
async def test_it_is_a_log(archive: Path) -> None:
    """An archive reads like any log, ends, and takes no events."""
    log: Log = ArchiveLog(archive)
    assert await log.head() == 20
    assert [pair async for pair in log.read(17)] == [
        (i, line) for i, line in enumerate(lines_of(20), 1) if i > 17
    ]
    with pytest.raises(UsageError, match="read only"):
        await log.append([])
    with pytest.raises(UsageError, match="read only"):
        log.blobs.put(b"x")


def test_blobs(archive: Path) -> None:
    """Blobs that the writer stored are read through the log."""
    with ArchiveWriter.open(archive, IDENTITY, segment_events=8) as writer:
        blob = writer.put_blob(b"a metagraph")
        assert writer.blobs.get(blob) == b"a metagraph"
    assert ArchiveLog(archive).blobs.get(blob) == b"a metagraph"


def test_resume(tmp_path: Path) -> None:
    """A writer goes on where the last one ended, in the same tree."""
    folder = write(tmp_path / "a", lines_of(300))
    with ArchiveWriter.open(folder, IDENTITY) as writer:
        assert writer.size == 300
        assert writer.tree.root() == Tree(map(leaf_hash, lines_of(300))).root()
        writer.append(lines_of(5, start=301))
        assert (writer.size, writer.pending) == (300, 5)
        assert writer.flush() == 305
    assert read_all(folder) == lines_of(305)


def test_opening_alone_changes_nothing(archive: Path) -> None:
    """An archive that is whole is left as it is."""
    before = {p: p.read_bytes() for p in archive.rglob("*") if p.is_file()}
    with ArchiveWriter.open(archive, IDENTITY, segment_events=8) as writer:
        assert writer.flush() == 20
    assert {p: p.read_bytes() for p in archive.rglob("*") if p.is_file()} == before


def test_unflushed_lines_are_dropped(archive: Path) -> None:
    """Closing keeps what was flushed, as a crash would."""
    with ArchiveWriter.open(archive, IDENTITY, segment_events=8) as writer:
        writer.append(lines_of(1, start=21))
    assert read_all(archive) == lines_of(20)


def test_an_empty_archive(tmp_path: Path) -> None:
    """Before the first event there is a manifest, and nothing to read."""
    folder = write(tmp_path / "a")
    assert read_all(folder) == []
    assert ArchiveLog(folder).tree().root() == Tree().root()
    with ArchiveWriter.open(folder, IDENTITY) as writer:
        assert writer.size == 0


def test_one_writer_at_a_time(archive: Path) -> None:
    """A second writer is told to wait, until the first has closed; no file is left for it."""
    with ArchiveWriter.open(archive, IDENTITY, segment_events=8):
        with pytest.raises(TryAgain, match="another process"):
            ArchiveWriter.open(archive, IDENTITY, segment_events=8)
        assert read_all(archive) == lines_of(20)
    ArchiveWriter.open(archive, IDENTITY, segment_events=8).close()


def test_a_closed_writer(archive: Path) -> None:
    """A closed writer refuses all work."""
    writer = ArchiveWriter.open(archive, IDENTITY, segment_events=8)
    writer.close()
    with pytest.raises(LogError, match="closed"):
        writer.append([b"x"])
    with pytest.raises(LogError, match="closed"):
        writer.flush()


@pytest.mark.parametrize("line", [b"", b"a\nb", b"x" * (MAX_EVENT_BYTES + 1)])
def test_what_is_no_line(tmp_path: Path, line: bytes) -> None:
    """A line that no reader would take is not stored, nor any of its batch."""
    with ArchiveWriter.open(tmp_path / "a", IDENTITY) as writer:
        writer.append([b"x"])
        with pytest.raises(UsageError, match="event 3 "):
            writer.append([b"good", line])
        assert writer.flush() == 1


def test_the_longest_line(tmp_path: Path) -> None:
    """65,535 bytes pass."""
    assert read_all(write(tmp_path / "a", [b"x" * MAX_EVENT_BYTES] * 2)) == [b"x" * 65_535] * 2


def test_another_log(archive: Path) -> None:
    """An archive is not continued with another log's events."""
    other = msgspec.structs.replace(IDENTITY, volume=2)
    with pytest.raises(UsageError, match="not of quasar"):
        ArchiveWriter.open(archive, other, segment_events=8)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    """Nothing is written among other files."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="empty folder"):
        ArchiveWriter.open(tmp_path, IDENTITY)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_an_identity_that_cannot_be() -> None:
    """A malformed hotkey is met before anything is written."""
    with pytest.raises(ValueError, match="hotkey"):
        ArchiveIdentity(log_id="0a1b2c3d", volume=1, netuid=1, hotkey="me", genesis="0x" + "0" * 64)


def test_checkpoints(archive: Path) -> None:
    """The newest note and each older one can be read; an older one does not replace a newer."""
    with ArchiveWriter.open(archive, IDENTITY, segment_events=8) as writer:
        writer.publish(note_of(writer.tree, 7), 7)
        newest, older = note_of(writer.tree), note_of(writer.tree, 7)
    log = ArchiveLog(archive)
    assert log.checkpoint_note() == newest
    assert log.checkpoint_note(7) == older
    assert log.checkpoint_note(8) is None
    assert log.checkpoint_sizes() == [7, 20]
    assert (archive / "tile/0/000.p/7").stat().st_size == 7 * 32
    checkpoint = open_checkpoint(newest, IDENTITY.origin, KEY.public_key)
    assert checkpoint.root == log.tree().root(checkpoint.size)


def test_no_checkpoint_yet(tmp_path: Path) -> None:
    """An archive that nobody signed says so."""
    ArchiveWriter.open(tmp_path / "a", IDENTITY).close()
    assert ArchiveLog(tmp_path / "a").checkpoint_note() is None
    assert ArchiveLog(tmp_path / "a").checkpoint_sizes() == []


def test_only_durable_events_are_published(archive: Path) -> None:
    """A note over more than is flushed, over other lines or of another log is refused."""
    with ArchiveWriter.open(archive, IDENTITY, segment_events=8) as writer:
        writer.append([b"x"])
        more = Tree(map(leaf_hash, [*lines_of(20), b"x"]))
        with pytest.raises(UsageError, match="only 20 are durable"):
            writer.publish(note_of(more), 21)
        with pytest.raises(UsageError, match="over the first 20"):
            writer.publish(note_of(Tree([bytes(32)] * 20)), 20)
        with pytest.raises(UsageError, match="over the first 19"):
            writer.publish(note_of(writer.tree), 19)
        foreign = sign_checkpoint(Checkpoint("x/y", 20, writer.tree.root()), KEY)
        with pytest.raises(UsageError, match="over the first 20"):
            writer.publish(foreign, 20)
        with pytest.raises(UsageError, match="not a checkpoint"):
            writer.publish("hello", 20)


def test_withheld(archive: Path) -> None:
    """What is left out stands in the manifest, once, also after a resume."""
    for _ in range(2):
        with ArchiveWriter.open(archive, IDENTITY, segment_events=8) as writer:
            writer.withhold("corpus longbench", "licence")
    assert ArchiveLog(archive).manifest.withheld[1:] == [
        Withheld(what="corpus longbench", why="licence")
    ]


def test_large_flushes_become_frames_that_readers_can_check(tmp_path: Path) -> None:
    """No frame holds more than a reader holds back, and nothing is lost at the seams."""
    lines = [b"%d" % i * 10_000 for i in range(10, 250)]
    parts = list(batches(lines))
    assert [line for part in parts for line in part] == lines
    assert len(parts) > 1
    assert all(sum(len(line) + 1 for line in part) <= FRAME_BYTES for part in parts)
    assert read_all(write(tmp_path / "a", lines)) == lines


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: None, "not a folder"),
        (lambda f: f.write_text("x"), "not a folder"),
        (lambda f: f.mkdir(), "has no manifest.json"),
        (lambda f: (f / "manifest.json").mkdir(parents=True), "not a regular file"),
        (lambda f: (f.mkdir(), (f / "manifest.json").write_text("{")), "not a manifest"),
        (lambda f: (f.mkdir(), (f / "manifest.json").write_bytes(b"\xff")), "not a manifest"),
        (lambda f: (f.mkdir(), (f / "manifest.json").write_text("[" * 10**6)), "not a manifest"),
        (
            lambda f: (
                f.mkdir(),
                (f / "manifest.json").write_text('{"format":"quasar-archive/9"}'),
            ),
            "install the quasar-subnet",
        ),
        (
            lambda f: (
                f.mkdir(),
                (f / "manifest.json").write_text('{"format":"quasar-archive/1"}'),
            ),
            "not a manifest",
        ),
    ],
)
def test_what_is_no_archive(tmp_path: Path, make: Change, message: str) -> None:
    """Each ends in one clear line and exit code 2."""
    make(tmp_path / "a")
    with pytest.raises(UsageError, match=message) as caught:
        ArchiveLog(tmp_path / "a")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_linked_manifest(archive: Path, tmp_path: Path) -> None:
    """The manifest is not looked for behind a link."""
    (archive / "manifest.json").rename(tmp_path / "m")
    (archive / "manifest.json").symlink_to(tmp_path / "m")
    with pytest.raises(UsageError, match="symbolic link"):
        ArchiveLog(archive)


def test_an_archive_behind_a_link(archive: Path, tmp_path: Path) -> None:
    """The folder itself may be named through a link: the person chose it."""
    (tmp_path / "link").symlink_to(archive)
    assert read_all(tmp_path / "link") == lines_of(20)


def test_a_missing_segment(archive: Path) -> None:
    """The first event of the missing file is named, after those before it."""
    (archive / "segments/00000000000000000009.jsonl.zst").unlink()
    assert damage_of(archive)[:2] == (9, list(range(1, 9)))


def test_a_linked_segment(archive: Path, tmp_path: Path) -> None:
    """A segment behind a link is not read, even if its bytes are right."""
    path = archive / "segments/00000000000000000009.jsonl.zst"
    path.rename(tmp_path / "s")
    path.symlink_to(tmp_path / "s")
    seq, _, reason = damage_of(archive)
    assert (seq, "symbolic link" in reason) == (9, True)


@pytest.mark.parametrize("name", ["00000000000000000021.jsonl.zst", "junk", "1.jsonl.zst"])
def test_an_extra_segment(archive: Path, name: str) -> None:
    """A file that the manifest does not list is named after all listed events."""
    (archive / "segments" / name).write_bytes(pack([b"x"]))
    seq, seen, reason = damage_of(archive)
    assert (seq, len(seen)) == (21, 20)
    assert name in reason


def test_a_corrupt_frame(archive: Path) -> None:
    """The first event of the first frame that cannot be unpacked is named."""
    path = archive / "segments/00000000000000000009.jsonl.zst"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert damage_of(archive)[:2] == (12, list(range(1, 12)))


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_cut_segment(archive: Path, cut: int) -> None:
    """A file that ends inside a frame gives what stands before that frame."""
    path = archive / "segments/00000000000000000009.jsonl.zst"
    path.write_bytes(path.read_bytes()[:-cut])
    assert damage_of(archive)[0] == 12


@pytest.mark.parametrize(
    ("lines", "seq"),
    [
        (lines_of(8)[:5], 6),
        ([*lines_of(8), b"more"], 9),
        ([*lines_of(3), b"", *lines_of(4)], 4),
        ([*lines_of(6), b"x" * (MAX_EVENT_BYTES + 1), b"y"], 7),
        ([*lines_of(6), b"x" * 10**6, b"y"], 7),
    ],
)
def test_bad_lines(archive: Path, lines: list[bytes], seq: int) -> None:
    """Missing, extra, empty and overlong lines in an intact frame are named by number."""
    (archive / FIRST).write_bytes(pack(lines))
    assert damage_of(archive)[:2] == (seq, list(range(1, seq)))


def test_a_last_line_without_its_newline(archive: Path) -> None:
    """A line that lacks its end is cut off."""
    (archive / FIRST).write_bytes(compress(b"\n".join(lines_of(8))))
    assert damage_of(archive)[0] == 8


@pytest.mark.parametrize(
    "tail",
    [
        pack([]),
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd",
        b"\n",
        bytes(64),
        pack([b"hidden"]),
    ],
)
def test_bytes_behind_the_last_event(archive: Path, tail: bytes) -> None:
    """An empty, skippable or further frame, and plain bytes, are all named as extra."""
    path = archive / "segments/00000000000000000017.jsonl.zst"
    path.write_bytes(path.read_bytes() + tail)
    assert damage_of(archive)[:2] == (21, list(range(1, 21)))


def test_frames_made_by_others(archive: Path) -> None:
    """How lines are packed is free: one frame, many, no size in the header, lines across frames."""
    text = b"".join(line + b"\n" for line in lines_of(8))
    (archive / FIRST).write_bytes(
        b"".join(compress(text[i : i + 7]) for i in range(0, len(text), 7))
    )
    assert read_all(archive) == lines_of(20)
    (archive / FIRST).write_bytes(compress(text, level=19))
    assert read_all(archive) == lines_of(20)


@pytest.mark.parametrize(
    ("fields", "seq"),
    [
        ({"first": 2}, 21),
        ({"last": 21}, 21),
        ({"last": 19}, 20),
        ({"last": 0}, 1),
        ({"segments": []}, 1),
    ],
)
def test_a_manifest_against_itself(archive: Path, fields: dict[str, object], seq: int) -> None:
    """Segments that do not add up to the manifest's events are damage."""
    edit_manifest(archive, **fields)
    assert damage_of(archive)[0] == seq


@pytest.mark.parametrize(
    ("segment", "seq"),
    [
        ({"name": "00000000000000000010.jsonl.zst", "first": 10, "last": 16}, 9),
        ({"name": "00000000000000000008.jsonl.zst", "first": 8, "last": 16}, 9),
        ({"name": "../../x", "first": 9, "last": 16}, 9),
        ({"name": "00000000000000000009.jsonl.zst", "first": 9, "last": 8}, 9),
    ],
)
def test_gaps_between_segments(archive: Path, segment: dict[str, object], seq: int) -> None:
    """Segments must follow one another and have the one name that they can have."""
    segments = json.loads((archive / "manifest.json").read_text())["segments"]
    edit_manifest(archive, segments=[segments[0], segment, segments[2]])
    assert damage_of(archive)[0] == seq


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        (lambda lines: [*lines[:3], b"other", *lines[4:]], 4),
        (lambda lines: lines[:3] + lines[4:], 4),
        (lambda lines: lines[:4] + lines[3:], 5),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], 4),
        (lambda lines: lines[1:], 1),
        (lambda lines: lines[:-1], 8),
    ],
)
def test_an_edited_line(archive: Path, change: Edit, seq: int) -> None:
    """A changed, dropped, doubled or swapped line is named exactly by its hash."""
    (archive / FIRST).write_bytes(pack(change(lines_of(8))))
    assert until_damage(ArchiveLog(archive).verified())[1].seq == seq


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        (lambda p: p.unlink(), 257),
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), 296),
        (lambda p: p.write_bytes(p.read_bytes()[:64]), 259),
        (lambda p: p.write_bytes(p.read_bytes() + b"x"), 257),
        (lambda p: p.write_bytes(p.read_bytes() + bytes(9000)), 257),
        (lambda p: (p.rename(p.with_name("x")), p.symlink_to(p.with_name("x"))), 257),
        (lambda p: (p.unlink(), p.mkdir()), 257),
    ],
)
def test_missing_hashes(tmp_path: Path, change: Change, seq: int) -> None:
    """The first event without a hash is named, after all hashes before it."""
    folder = write(tmp_path / "a", lines_of(296))
    change(folder / "tile/0/001.p/40")
    hashes, damage = until_damage(ArchiveLog(folder).leaf_hashes())
    assert damage.seq == seq
    assert "its hash" in damage.reason
    assert hashes == list(map(leaf_hash, lines_of(seq - 1)))
    assert until_damage(ArchiveLog(folder).verified())[1].seq == seq


def test_an_altered_hash(archive: Path) -> None:
    """A hash that its line does not have is named like a line that its hash does not have."""
    path = archive / "tile/0/000.p/20"
    path.write_bytes(path.read_bytes()[:320] + bytes(32) + path.read_bytes()[352:])
    assert until_damage(ArchiveLog(archive).verified())[1].seq == 11


@pytest.mark.parametrize("data", [b"\xff", b"x" * 200_000])
def test_a_checkpoint_that_is_no_text(archive: Path, data: bytes) -> None:
    """A checkpoint that cannot be a note leaves the lines readable, and cannot be judged by."""
    (archive / "checkpoint").write_bytes(data)
    assert read_all(archive) == lines_of(20)
    with pytest.raises(CannotJudge, match="get another copy"):
        ArchiveLog(archive).checkpoint_note()


def test_copy(archive: Path, tmp_path: Path) -> None:
    """A copy has the same files, byte for byte, and nothing that does not belong."""
    with ArchiveWriter.open(archive, IDENTITY, segment_events=8) as writer:
        blob = writer.put_blob(b"a metagraph")
    (archive / "tile/0/.junk.tmp").write_text("left over")
    (archive / "README").write_text("not part of it")
    (archive / "blobs/leak").symlink_to("/etc")
    copy = copy_archive(archive, tmp_path / "b")
    assert copy.blobs.get(blob) == b"a metagraph"
    copied = {p.relative_to(copy.folder): p for p in copy.folder.rglob("*") if p.is_file()}
    assert {p: f.read_bytes() for p, f in copied.items()} == {
        p: (archive / p).read_bytes() for p in copied
    }
    assert Path("README") not in copied
    assert {Path("checkpoint"), Path("checkpoints/20"), Path("manifest.json")} < set(copied)
    with ArchiveWriter.open(tmp_path / "b", IDENTITY, segment_events=8) as writer:
        assert writer.size == 20


def test_copy_beside_a_writer(archive: Path, tmp_path: Path) -> None:
    """What a writer adds meanwhile is left out of a reader's view and of a copy."""
    reader = ArchiveLog(archive)
    with ArchiveWriter.open(archive, IDENTITY, segment_events=8) as writer:
        writer.append(lines_of(300, start=21))
        writer.flush()
        writer.publish(note_of(writer.tree), writer.size)
        assert [line for _, line in reader.verified()] == lines_of(20)
        assert reader.checkpoint_sizes() == [20]
        note = reader.checkpoint_note()
        assert note is not None
        assert open_checkpoint(note, IDENTITY.origin, KEY.public_key).size == 20
        manifest = reader.manifest_bytes
        with (archive / "segments/00000000000000000313.jsonl.zst").open("ab") as torn:
            torn.write(pack([b"being written"])[:9])
        assert len(read_all(archive)) == 320
        assert len(list(copy_archive(archive, tmp_path / "b").lines())) == 320
    assert manifest != ArchiveLog(archive).manifest_bytes


def test_copy_refuses(archive: Path, tmp_path: Path) -> None:
    """A used target, a damaged source or blob and a source that is no archive are refused."""
    with pytest.raises(UsageError, match="not empty"):
        copy_archive(archive, archive)
    with pytest.raises(UsageError, match="not a folder"):
        copy_archive(tmp_path / "none", tmp_path / "b")
    with ArchiveWriter.open(archive, IDENTITY, segment_events=8) as writer:
        sha256 = writer.put_blob(b"a metagraph").sha256
    (archive / "blobs" / sha256[:2] / sha256).write_bytes(b"another one")
    with pytest.raises(Damaged, match="other bytes"):
        copy_archive(archive, tmp_path / "b")
    assert not (tmp_path / "b" / "manifest.json").exists()
    (archive / FIRST).write_bytes(pack(lines_of(7)))
    with pytest.raises(Damaged, match="event 8"):
        copy_archive(archive, tmp_path / "c")


def test_every_error_of_a_hostile_manifest_is_ours(archive: Path) -> None:
    """However a byte of the manifest is changed, reading ends well or with one of our errors."""
    path = archive / "manifest.json"
    good = path.read_bytes()
    for i in range(len(good)):
        path.write_bytes(good[:i] + bytes([good[i] ^ 0x13]) + good[i + 1 :])
        try:
            list(ArchiveLog(archive).verified())
        except QuasarError:
            continue


def test_held_bytes_exceed_a_frame() -> None:
    """Frames that this program writes are always held back whole."""
    assert HELD_BYTES > FRAME_BYTES + MAX_EVENT_BYTES
