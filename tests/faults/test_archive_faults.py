"""The archive under crashes, flipped bits and bombs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from bittensor_core import CRYPTO_ED25519, Keypair
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.errors import Damaged, LogError, QuasarError
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, open_checkpoint, sign_checkpoint
from quasar.log.archive import ArchiveIdentity, ArchiveLog, ArchiveWriter
from quasar.log.zstd import CompressionParameter, compress

IDENTITY = ArchiveIdentity(
    log_id="0a1b2c3d",
    volume=1,
    netuid=24,
    hotkey=Keypair.from_uri("//Alice").ss58_address,
    genesis="0x" + "ab" * 32,
)
KEY = Keypair.from_seed(b"\x01" * 32, CRYPTO_ED25519)
LINES = [b'{"key":"round.%d"}' % i for i in range(300)]
OLD, NEW, SEGMENT = 250, 262, 256
"""A flush that crosses both a tile and a segment."""


class Killed(BaseException):
    """The process dies here; nothing but the operating system acts on it."""


def open_writer(folder: Path) -> ArchiveWriter:
    """A writer with segments of one tile."""
    return ArchiveWriter.open(folder, IDENTITY, segment_events=SEGMENT)


def extend(folder: Path, size: int) -> None:
    """Bring the archive to a size with one flush and a checkpoint."""
    with open_writer(folder) as writer:
        writer.append(LINES[writer.size : size])
        writer.flush()
        head = Checkpoint(IDENTITY.origin, size, writer.tree.root())
        writer.publish(sign_checkpoint(head, KEY), size)


def check(folder: Path) -> int:
    """A small audit: every line against its hash, the hashes against the signed root."""
    log = ArchiveLog(folder)
    lines = [line for _, line in log.verified()]
    note = log.checkpoint_note()
    if note is not None:
        head = open_checkpoint(note, IDENTITY.origin, KEY.public_key)
        if head.size > len(lines) or log.tree().root(head.size) != head.root:
            raise Damaged(head.size, "not what was signed")
    assert lines == LINES[: len(lines)]
    return len(lines)


def check_reopened(folder: Path, least: int, most: int) -> None:
    """The archive opens to a prefix that holds what was durable, and goes on from there."""
    with open_writer(folder) as writer:
        assert least <= writer.size <= most
        assert writer.tree.root() == Tree(map(leaf_hash, LINES[: writer.size])).root()
        assert check(folder) == writer.size
    assert not list(folder.rglob("*.tmp"))
    extend(folder, len(LINES))
    assert check(folder) == len(LINES)


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> bool:
    """Whether ``act`` was killed: before its step-th fsync or rename."""
    steps = count()

    def dying(call: Callable[..., None]) -> Callable[..., None]:
        def run(*args: object, **kwargs: object) -> None:
            if next(steps) == step:
                raise Killed
            call(*args, **kwargs)

        return run

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dying(os.fsync))
        patch.setattr(Path, "replace", dying(Path.replace))
        try:
            act()
        except Killed:
            return True
    return False


@pytest.fixture(scope="module", autouse=True)
def quick_disk() -> Iterator[None]:
    """No test here cuts the power, so none waits for the disk; kills count the calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with OLD events."""
    folder = tmp_path_factory.mktemp("durable") / "a"
    extend(folder, OLD)
    return folder


@pytest.fixture(scope="module")
def grown(durable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same archive after one more flush."""
    folder = tmp_path_factory.mktemp("grown") / "a"
    shutil.copytree(durable, folder)
    extend(folder, NEW)
    return folder


def test_a_kill_at_every_step(
    durable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a flush and its checkpoint are cut short, a prefix with all durable events opens."""
    for step in count():
        folder = tmp_path / str(step)
        shutil.copytree(durable, folder)
        killed = killed_at(step, monkeypatch, partial(extend, folder, NEW))
        check_reopened(folder, OLD, NEW)
        shutil.rmtree(folder)
        if not killed:
            break
    assert step > 20


def test_a_kill_at_every_step_of_the_first_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that was only just begun can be begun again."""
    for step in count():
        folder = tmp_path / str(step) / "deep"
        killed = killed_at(step, monkeypatch, partial(extend, folder, 3))
        check_reopened(folder, 0, 3)
        if not killed:
            break
    assert step > 10


def test_the_order_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines reach the disk before their hashes, those before the manifest, each with its name."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    with open_writer(tmp_path) as writer:
        writer.append(LINES[:5])
        synced.clear()
        writer.flush()
    names = [
        "segments/00000000000000000001.jsonl.zst",
        "segments",
        "tile/0/000.p/5",
        "tile/0/000.p",
        "manifest.json",
    ]
    inodes = [(tmp_path / name).stat().st_ino for name in names]
    assert [inode for inode in synced if inode in inodes] == inodes
    assert synced[-2:] == [inodes[-1], tmp_path.stat().st_ino]


def unsynced(durable: Path, grown: Path) -> Iterator[Path]:
    """Segments that the last flush changed, by name."""
    for path in sorted((grown / "segments").iterdir()):
        before = durable / "segments" / path.name
        if not before.exists() or before.read_bytes() != path.read_bytes():
            yield path


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_power_cut_before_the_fsync(
    durable: Path, grown: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """What was not synced may be there in part, or as zeros or garbage: it is cut off."""
    folder = tmp_path_factory.mktemp("cut") / "a"
    shutil.copytree(durable, folder)
    path = data.draw(st.sampled_from(list(unsynced(durable, grown))))
    earlier = [p for p in unsynced(durable, grown) if p.name < path.name]
    for whole in earlier:  # each segment is synced before the next is begun
        shutil.copy(whole, folder / "segments")
    old = durable / "segments" / path.name
    start = old.stat().st_size if old.exists() else 0
    new = path.read_bytes()[start:]
    kept = data.draw(st.integers(0, len(new)))
    tail = data.draw(st.sampled_from([b"", bytes(40), b"garbage", new[kept:][::-1]]))
    with (folder / "segments" / path.name).open("ab") as file:
        file.write(new[:kept] + tail)
    check_reopened(folder, OLD, NEW)
    shutil.rmtree(folder.parent)


def test_lost_durable_events_stop_the_writer(grown: Path, tmp_path: Path) -> None:
    """A segment shorter than the manifest says is no torn end but a loss, and is named."""
    folder = tmp_path / "a"
    shutil.copytree(grown, folder)
    newest = max((folder / "segments").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(Damaged, match="event 257: it was durable"):
        open_writer(folder)
    newest.unlink()
    with pytest.raises(Damaged, match="event 257: it was durable"):
        open_writer(folder)
    assert not newest.exists()


def test_an_altered_hash_or_checkpoint_stops_the_writer(grown: Path, tmp_path: Path) -> None:
    """Nothing is signed on top of lines that differ from their hashes or from their checkpoint."""
    folder = tmp_path / "a"
    shutil.copytree(grown, folder)
    tile = folder / "tile/0/001.p/6"
    tile.write_bytes(tile.read_bytes()[:-1] + b"x")
    with pytest.raises(Damaged, match="event 262: the stored line differs"):
        open_writer(folder)
    shutil.copy(grown / "tile/0/001.p/6", tile)
    for size, root in ((NEW, bytes(32)), (NEW + 1, bytes(32))):
        forged = sign_checkpoint(Checkpoint(IDENTITY.origin, size, root), KEY)
        (folder / "checkpoint").write_text(forged, "utf-8")
        with pytest.raises(Damaged, match="checkpoint"):
            open_writer(folder)


def test_a_full_disk(durable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that the disk refused does no more work; opened anew it goes on."""
    folder = tmp_path / "a"
    shutil.copytree(durable, folder)

    def fail(_: object) -> None:
        raise OSError(28, "No space left on device")

    with open_writer(folder) as writer:
        writer.append(LINES[OLD:NEW])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(LogError, match="No space left"):
                writer.flush()
        with pytest.raises(LogError, match="open it again"):
            writer.flush()
        with pytest.raises(LogError, match="open it again"):
            writer.append([b"x"])
    check_reopened(folder, OLD, NEW)


WRITER = """
import sys
from pathlib import Path
from tests.faults.test_archive_faults import open_writer
with open_writer(Path(sys.argv[1])) as writer:
    while True:
        writer.append([b'{"key":"round.%d"}' % i for i in range(writer.size, writer.size + 7)])
        print(writer.flush(), flush=True)
"""


@pytest.mark.parametrize("flushes", [1, 12, 50])
def test_kill_9(tmp_path: Path, flushes: int) -> None:
    """A process killed while it writes leaves all that it had acknowledged."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "a")], stdout=subprocess.PIPE, cwd=root
    ) as process:
        assert process.stdout is not None
        acknowledged = 0
        for _ in range(flushes):
            acknowledged = int(process.stdout.readline())
        process.kill()
    with open_writer(tmp_path / "a") as writer:
        assert writer.size >= acknowledged == 7 * flushes
        lines = [line for _, line in ArchiveLog(tmp_path / "a").verified()]
    assert lines == [b'{"key":"round.%d"}' % i for i in range(len(lines))]
    assert len(lines) >= acknowledged


@pytest.mark.parametrize("name", ["segments/00000000000000000001.jsonl.zst", "tile", "checkpoint"])
@pytest.mark.parametrize("mask", [0x01, 0x10, 0x80, 0xFF])
def test_every_flipped_byte_is_found(tmp_path: Path, name: str, mask: int) -> None:
    """No byte of a segment, a tile or the checkpoint can change without an error."""
    extend(tmp_path / "a", 3)
    extend(tmp_path / "a", 6)
    assert check(tmp_path / "a") == 6
    path = tmp_path / "a" / ("tile/0/000.p/6" if name == "tile" else name)
    good = path.read_bytes()
    for i in range(len(good)):
        path.write_bytes(good[:i] + bytes([good[i] ^ mask]) + good[i + 1 :])
        with pytest.raises(QuasarError):
            check(tmp_path / "a")


@pytest.mark.parametrize("name", ["segments/00000000000000000001.jsonl.zst", "tile/0/000.p/6"])
def test_every_cut_is_found(tmp_path: Path, name: str) -> None:
    """No file can lose its end without Damaged naming an event of it."""
    extend(tmp_path / "a", 3)
    extend(tmp_path / "a", 6)
    path = tmp_path / "a" / name
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(Damaged) as caught:
            check(tmp_path / "a")
        assert 1 <= caught.value.seq <= 6


READER = """
import re, sys
from pathlib import Path
from quasar.errors import Damaged
from quasar.log.archive import ArchiveLog
try:
    for _ in ArchiveLog(Path(sys.argv[1])).lines(): pass
except Damaged as error:
    print(error)
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]))
"""


def read_apart(folder: Path) -> tuple[str, int]:
    """The error of reading in a process of its own, and the memory that it took at most."""
    run = subprocess.run(
        [sys.executable, "-c", READER, str(folder)], capture_output=True, check=True, text=True
    )
    error, peak = run.stdout.splitlines()
    return error, int(peak)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (lambda: bytes(2**30), "event 1: the line is longer"),
        (lambda: b"a\n" * 2**27, "event 7: segments/"),
        (lambda: b"\n" * 2**27, "event 1: the line is empty"),
    ],
    ids=["zeros", "short-lines", "newlines"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_bombs(tmp_path: Path, text: Callable[[], bytes], error: str) -> None:
    """A small file that unpacks to a large one ends in one line, within 100 MB."""
    extend(tmp_path / "a", 6)
    segment = tmp_path / "a/segments/00000000000000000001.jsonl.zst"
    segment.write_bytes(compress(text()))
    assert segment.stat().st_size < 40_000
    said, peak = read_apart(tmp_path / "a")
    assert said.startswith(error)
    assert peak < 100 * 10**6


def test_a_frame_that_wants_much_memory_is_refused(tmp_path: Path) -> None:
    """A window above 8 MiB is damage, whatever it holds."""
    extend(tmp_path / "a", 6)
    segment = tmp_path / "a/segments/00000000000000000001.jsonl.zst"
    text = b"".join(line + b"\n" for line in LINES[:6]) + bytes(2**25)
    segment.write_bytes(compress(text, options={CompressionParameter.window_log: 25}))
    with pytest.raises(Damaged, match=r"event 1: .*cannot be unpacked"):
        check(tmp_path / "a")
