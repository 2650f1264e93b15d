"""``quasar log verify``: what it accepts, what it names, and that processes change nothing."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quasar.errors import CannotJudge, Damaged, LogError, UsageError
from quasar.events.note import BadSignature
from quasar.log import segment_processes
from quasar.log.archive import ArchiveLog, ArchiveWriter, copy_archive
from quasar.log.frames import pack
from quasar.log.segment_check import Job, check_segment
from quasar.log.verify import Verified, verify_archive
from quasar.log.zstd import CompressionParameter, compress
from tests.forging import played, write_archive
from tests.tampering import (
    ARCHIVE_KINDS,
    BLOB,
    EVENTS,
    HOTKEY,
    IDENTITY,
    LOG_KEY,
    SECOND,
    SIZES,
    Tamper,
    blob_file,
    make_archive,
    read_lines,
    replaced_key,
    segment,
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that is whole. Not to be changed."""
    return make_archive(tmp_path_factory.mktemp("good") / "archive")


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    """The same, to be tampered with."""
    return Path(shutil.copytree(good, tmp_path / "archive"))


def verified(folder: Path) -> Verified:
    """The verdict of one process."""
    return verify_archive(folder, processes=1)


def damage(folder: Path, processes: int = 1) -> Damaged:
    """What is wrong with an archive."""
    with pytest.raises(Damaged) as caught:
        verify_archive(folder, processes=processes)
    return caught.value


def test_a_whole_archive(good: Path) -> None:
    """Everything that was found is in the report."""
    found = verified(good)
    assert found.events == EVENTS
    assert found.root == ArchiveLog(good).tree().root().hex()
    assert (found.hotkey, found.origin) == (HOTKEY.ss58_address, IDENTITY.origin)
    assert found.log_key == LOG_KEY.public_key.hex()
    assert (found.checkpoints, found.unsigned, found.blobs) == (len(SIZES), 0, 1)
    assert not found.pinned


def test_a_validator_s_archive(tmp_path: Path) -> None:
    """Real events, answers in blobs, and a copy of them."""
    folder = write_archive(tmp_path / "archive", played(), played().lines)
    copy_archive(folder, tmp_path / "copy")
    found = verified(folder)
    assert found.blobs >= 3
    assert verified(tmp_path / "copy") == found


def test_processes_change_nothing(good: Path) -> None:
    """Three segments on three processes, or here, give the same, and progress in order."""
    seen: list[int] = []
    assert verify_archive(good, processes=3, progress=seen.append) == verified(good)
    assert seen == [200, 400, 600]


def test_the_hotkey(good: Path) -> None:
    """The validator can be named, and another one is refused with exit code 1."""
    assert verify_archive(good, hotkey=HOTKEY.ss58_address, processes=1).pinned
    with pytest.raises(BadSignature, match="this is the log of") as caught:
        verify_archive(good, hotkey="5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty", processes=1)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(("tamper", "seq"), ARCHIVE_KINDS.values(), ids=ARCHIVE_KINDS)
def test_tampering_is_named(copy: Path, tamper: Tamper, seq: int) -> None:
    """The first event that is not what it should be."""
    tamper(copy)
    assert damage(copy).seq == seq


@pytest.mark.parametrize(("tamper", "seq"), ARCHIVE_KINDS.values(), ids=ARCHIVE_KINDS)
def test_damage_has_the_same_words_as_line_by_line(copy: Path, tamper: Tamper, seq: int) -> None:
    """Where one reader alone, going line by line, finds damage, verify says the very same."""
    tamper(copy)
    alone = ""
    try:
        for _ in ArchiveLog(copy).verified():
            pass
    except Damaged as found:
        alone = str(found)
    assert alone in ("", str(damage(copy)))


@pytest.mark.parametrize("kind", ["two lines swapped", "a segment missing", "a segment too many"])
def test_damage_is_the_same_from_processes(copy: Path, kind: str) -> None:
    """A verdict that comes from another process is the one that this process would give."""
    ARCHIVE_KINDS[kind][0](copy)
    assert str(damage(copy, processes=2)) == str(damage(copy))


def test_blobs_can_be_left_alone(copy: Path) -> None:
    """Without them the lines are judged alone, in either way of reading."""
    ARCHIVE_KINDS["a blob missing"][0](copy)
    assert verify_archive(copy, blobs=False, processes=1).blobs == 0
    path = copy / SECOND
    path.write_bytes(compress(b"".join(line + b"\n" for line in read_lines(path))))
    assert verify_archive(copy, blobs=False, processes=1).events == EVENTS


def test_the_first_of_two_is_named(copy: Path) -> None:
    """Damage in a later segment waits for the earlier ones."""
    ARCHIVE_KINDS["the last line dropped"][0](copy)
    ARCHIVE_KINDS["a byte of a line"][0](copy)
    assert damage(copy, processes=3).seq == 250


def test_another_log_key(tmp_path: Path) -> None:
    """An archive that is whole in itself, and whose log key the hotkey never signed."""
    assert "did not sign this log key" in damage(replaced_key(tmp_path / "archive")).reason


def test_a_signed_checkpoint_beyond_the_end(copy: Path) -> None:
    """A log that was cut back to an older checkpoint: one that was kept tells of it."""
    shutil.copy(copy / "checkpoint", copy / "checkpoints" / "700")
    found = damage(copy)
    assert (found.seq, found.reason) == (601, "missing: checkpoints/700 covers it")


@pytest.mark.parametrize(
    "repack",
    [
        lambda data: compress(data),
        lambda data: b"".join(pack([line]) for line in data.splitlines()),
        lambda data: compress(data, options={CompressionParameter.checksum_flag: 0}),
    ],
)
def test_the_way_of_packing_is_free(copy: Path, repack: Callable[[bytes], bytes]) -> None:
    """The same lines in other frames are the same log."""
    path = copy / SECOND
    path.write_bytes(repack(b"".join(line + b"\n" for line in read_lines(path))))
    assert verified(copy).events == EVENTS


def test_long_lines_and_many_pieces(tmp_path: Path) -> None:
    """Lines longer than a piece of unpacked text, and up to the longest, come out whole."""
    held = [b"x" * n for n in (65_535, 1, 65_535, 65_535, 200, 65_534, 65_535)]
    with ArchiveWriter.open(tmp_path / "archive", IDENTITY) as writer:
        writer.append(held)
        writer.flush()
        tree = writer.tree
    log = ArchiveLog(tmp_path / "archive")
    part = check_segment(Job(str(log.folder), log.manifest.segments[0], 7, [2, 5]))
    assert part.damage is None
    assert part.nodes == {2: [tree.root(2)], 5: [tree.root(4), tree.leaves(4, 5)], 7: part.nodes[7]}


def test_a_blob_named_across_pieces(tmp_path: Path) -> None:
    """A blob is found wherever its name falls, and the first event that names it is told."""
    with ArchiveWriter.open(tmp_path / "archive", IDENTITY) as writer:
        blob = writer.put_blob(BLOB)
        name = b'{"sha256":"%s","bytes":%d}' % (blob.sha256.encode(), blob.bytes)
        writer.append([b"y" * (131_072 // 3 + n) for n in range(3)])
        writer.append([b"y" * (65_000 - n) + name for n in (0, 300)])
        writer.flush()
    log = ArchiveLog(tmp_path / "archive")
    job = Job(str(log.folder), log.manifest.segments[0], 5, [])
    assert check_segment(job).blobs == 1
    blob_file(log.folder).unlink()
    found = check_segment(job).damage
    assert found is not None
    assert found[0] == 4


def test_a_log_that_is_being_written(tmp_path: Path) -> None:
    """Unsigned events at the end are counted while a writer holds the archive, and damage after."""
    make_archive(tmp_path / "archive", sizes=(260, 530))
    writer = ArchiveWriter.open(tmp_path / "archive", IDENTITY, segment_events=200)
    try:
        assert verified(tmp_path / "archive").unsigned == 70
    finally:
        writer.close()
    assert damage(tmp_path / "archive").seq == 531


def test_no_events_and_no_archive(tmp_path: Path) -> None:
    """What holds nothing cannot be judged: exit code 2."""
    ArchiveWriter.open(tmp_path / "empty", IDENTITY).close()
    with pytest.raises(CannotJudge, match="holds no event yet"):
        verified(tmp_path / "empty")
    with pytest.raises(UsageError, match="not a folder"):
        verified(tmp_path / "nothing")


def test_a_process_that_dies(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's failure is no verdict on the log, whose segment another one had claimed."""
    monkeypatch.setattr(segment_processes, "_claim", lambda _: None)  # leaves all to the other
    monkeypatch.setattr(segment_processes, "_PROGRAM", "import os; os.read(0, 24); os._exit(3)")
    with pytest.raises(LogError, match="ended with 3") as caught:
        verify_archive(good, processes=2)
    assert caught.value.exit_code == 2


def test_a_process_that_cannot_start(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another one did not claim is checked here."""
    monkeypatch.setattr(segment_processes, "_PROGRAM", "import os; os._exit(3)")
    assert verify_archive(good, processes=2) == verified(good)


def test_rotations_are_bounded(tmp_path: Path) -> None:
    """What poses as a rotation of the log key is no way to fill a reader's memory."""
    mark = b'{"event":{"type":"LogKeyRotated","number":1'
    long = [b"{}"] * 3 + [mark + b" " * 1024] + [mark] * 5
    many = [b"{}"] * 3 + [mark] * 1001
    for name, lines, seq, reason in (
        ("long", long, 4, "takes at most 1024 bytes"),
        ("many", many, 1004, "at most 1000 times"),
    ):
        with ArchiveWriter.open(tmp_path / name, IDENTITY, segment_events=600) as writer:
            writer.append(lines)
            writer.flush()
        for processes in (1, 2):
            found = damage(tmp_path / name, processes)
            assert found.seq == seq
            assert reason in found.reason


def test_a_key_twice_in_the_manifest(copy: Path) -> None:
    """Two readers could read two archives out of it."""
    path = copy / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"last"', b'"last": 7, "last"', 1))
    with pytest.raises(UsageError, match="a key stands there twice"):
        verified(copy)


def test_the_others_do_what_is_not_done_here(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is busy is waited for by nobody: the others take its share."""
    monkeypatch.setattr(segment_processes, "_claim", lambda _: None)
    assert verify_archive(good, processes=3) == verified(good)


def test_processes_end_with_a_verdict(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process outlives the damage that another one found."""
    started: list[int] = []
    popen = subprocess.Popen

    def remember(*args: Any, **kwargs: Any) -> "subprocess.Popen[bytes]":
        process = popen(*args, **kwargs)
        started.append(process.pid)
        return process

    monkeypatch.setattr(subprocess, "Popen", remember)
    segment(copy, 0).unlink()
    damage(copy, processes=3)
    assert len(started) == 2  # and this process is the third
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
