"""An archive that anyone may have touched: whatever was changed, the audit never says clean."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from quasar.draw import Draw
from quasar.errors import Damaged, UsageError
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.log.frames import pack
from quasar.log.zstd import compress
from quasar.replay import Report, audit
from tests.forging import identity_of, played, write_archive

FLIPS = 40 * int(os.environ.get("QUASAR_FAULT_TURNS", "4"))
SEGMENT = "segments/00000000000000000001.jsonl.zst"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean archive. Not to be changed."""
    return write_archive(tmp_path_factory.mktemp("good") / "archive", played(), played().lines)


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(good, tmp_path / "archive"))


def verdict(folder: Path) -> tuple[str, int]:
    """The result and the first bad event, however the audit says it."""
    try:
        report: Report = anyio.run(audit, ArchiveLog(folder))
    except Damaged as damage:
        return "divergent", damage.seq
    first = report.first_divergence
    return report.result, first.seq if first else 0


def files(folder: Path) -> list[Path]:
    """Every file that an audit reads, but the manifest, which has tests of its own.

    Older checkpoints keep narrower tiles for other readers of tiles; the newest has all hashes.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    narrow = [path for path in found if path.parent.name == "000.p" and path.name != "150"]
    return [path for path in found if path.name != "manifest.json" and path not in narrow]


def lines(folder: Path) -> Iterator[tuple[int, bytes]]:
    """What can be read of the lines."""
    with contextlib.suppress(Damaged):
        yield from ArchiveLog(folder).lines()


def test_the_archive_is_clean(good: Path) -> None:
    """Undamaged, it is clean, with every checkpoint verified."""
    report = anyio.run(audit, ArchiveLog(good))
    assert report.result == "clean"
    assert report.events == len(played().lines)
    assert "4 checkpoints signed by the log key" in report.proved
    assert report.checkpoint_root == ArchiveLog(good).tree().root().hex()


def test_no_flipped_byte_is_clean(copy: Path) -> None:
    """Any byte of any file changed is damage, with a number of an event to look at.

    Zstandard leaves a bit here and there unused: what unpacks to the same lines is not damaged.
    """
    draw = Draw(b"flips", "positions")
    places = [(path, draw.below(path.stat().st_size)) for path in files(copy) for _ in range(20)]
    for path, at in draw.sample(places, min(FLIPS, len(places))):
        data = path.read_bytes()
        flip = 1 << draw.below(8)
        path.write_bytes(data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :])
        result, seq = verdict(copy)
        where = f"{path.relative_to(copy)} byte {at} bit {flip}"
        slack = path.parent.name == "segments" and [e for _, e in lines(copy)] == played().lines
        assert result == ("clean" if slack else "divergent"), where
        assert slack or 1 <= seq <= len(played().lines) + 1, where
        path.write_bytes(data)
    assert verdict(copy) == ("clean", 0)


@pytest.mark.parametrize("name", ["checkpoint", SEGMENT, "tile/0", "blobs"])
def test_a_missing_file_is_never_clean(copy: Path, name: str) -> None:
    """Without its newest checkpoint, its lines, hashes or blobs an archive proves nothing."""
    path = copy / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert verdict(copy)[0] == "divergent"


def repacked(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change lines and pack them again, without the keys to sign anything."""
    (folder / SEGMENT).write_bytes(pack(change(list(played().lines))))


CHANGES: list[tuple[str, Callable[[list[bytes]], list[bytes]], int]] = [
    ("dropped", lambda e: e[:49] + e[50:], 50),
    ("first dropped", lambda e: e[1:], 1),
    ("last dropped", lambda e: e[:-1], 150),
    ("doubled", lambda e: [*e[:50], e[49], *e[50:]], 51),
    ("swapped", lambda e: [*e[:49], e[50], e[49], *e[51:]], 50),
    ("appended", lambda e: [*e, e[49]], 151),
    ("emptied", lambda e: [*e[:49], b"", *e[50:]], 50),
    ("one byte", lambda e: [*e[:49], e[49].replace(b"a", b"b", 1), *e[50:]], 50),
    ("cut short", lambda e: e[:49], 50),
    ("another's", lambda e: [b"{}" for _ in e], 1),
]


@pytest.mark.parametrize(("name", "change", "seq"), CHANGES, ids=[c[0] for c in CHANGES])
def test_the_first_bad_line_is_named(
    copy: Path, name: str, change: Callable[[list[bytes]], list[bytes]], seq: int
) -> None:
    """A line dropped, doubled, swapped, appended or emptied is named exactly."""
    repacked(copy, change)
    assert verdict(copy) == ("divergent", seq)


def test_a_line_appended_as_a_frame_of_its_own_is_named(copy: Path) -> None:
    """What stands behind the last event of the manifest is not overlooked."""
    path = copy / SEGMENT
    path.write_bytes(path.read_bytes() + pack([played().lines[-1]]))
    assert verdict(copy) == ("divergent", 151)


def test_a_frame_that_hides_bytes_is_named(copy: Path) -> None:
    """39: neither a skippable frame nor an empty one may stand among the lines."""
    for hidden in (b"\x50\x2a\x4d\x18\x04\x00\x00\x00spam", compress(b"")):
        path = copy / SEGMENT
        data = path.read_bytes()
        path.write_bytes(data + hidden)
        assert verdict(copy) == ("divergent", 151)
        path.write_bytes(hidden + data)
        assert verdict(copy) == ("divergent", 1)
        path.write_bytes(data)


def test_an_unlisted_segment_is_named(copy: Path) -> None:
    """A second segment that the manifest does not list is not overlooked."""
    (copy / "segments/00000000000000000151.jsonl.zst").write_bytes(pack([played().lines[-1]]))
    assert verdict(copy) == ("divergent", 151)


def test_a_longer_signed_log_is_missed(copy: Path, tmp_path: Path) -> None:
    """A shorter archive beside a signed checkpoint over more events: the lost ones are missed."""
    short = write_archive(tmp_path / "short", played(), played().lines[:120])
    (short / "checkpoint").write_bytes((copy / "checkpoint").read_bytes())
    assert verdict(short) == ("divergent", 121)


def test_unsigned_events_at_the_end_are_named(tmp_path: Path) -> None:
    """Every event must be under a signed checkpoint."""
    folder = write_archive(tmp_path / "archive", played(), played().lines[:120])
    with ArchiveWriter.open(folder, identity_of(played())) as writer:
        writer.append(played().lines[120:])
        writer.flush()
    assert verdict(folder) == ("divergent", 121)


def test_a_checkpoint_of_another_size_is_named(copy: Path) -> None:
    """A kept checkpoint must stand under its own size."""
    sizes = ArchiveLog(copy).checkpoint_sizes()
    (copy / f"checkpoints/{sizes[0]}").write_bytes((copy / f"checkpoints/{sizes[1]}").read_bytes())
    assert verdict(copy) == ("divergent", sizes[1])


def test_a_checkpoint_that_is_no_text_is_named(copy: Path) -> None:
    """Bytes that cannot be read as a note are damage, in the newest and in a kept one."""
    for name in ("checkpoint", f"checkpoints/{ArchiveLog(copy).checkpoint_sizes()[0]}"):
        note = (copy / name).read_bytes()
        (copy / name).write_bytes(b"\xff" + note)
        assert verdict(copy) == ("divergent", 150)
        (copy / name).write_bytes(note)


HOTKEY = min(played().miners)
FIELDS: list[tuple[str, Any, str, int]] = [
    ("log_id", "00000000", "divergent", 1),
    ("volume", 2, "divergent", 1),
    ("netuid", 25, "divergent", 1),
    ("hotkey", HOTKEY, "divergent", 1),
    ("genesis", "0x" + "00" * 32, "divergent", 1),
    ("first", 2, "divergent", 151),
    ("last", 149, "divergent", 150),
    ("last", 151, "divergent", 1),
    ("last", 0, "divergent", 1),
    ("segments", [], "divergent", 1),
    ("withheld", [], "clean", 0),
]
"""What the manifest may say of itself: identity and numbers must be the log's; ``withheld`` is a
remark for people, and what is missing without being listed cannot be judged anyway."""


@pytest.mark.parametrize(("name", "value", "result", "seq"), FIELDS)
def test_the_manifest_must_agree_with_the_log(
    copy: Path, name: str, value: object, result: str, seq: int
) -> None:
    """Each field of the manifest, edited: detected, or harmless."""
    manifest = json.loads((copy / "manifest.json").read_bytes())
    manifest[name] = value
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert verdict(copy) == (result, seq)


@pytest.mark.parametrize(
    ("field", "value", "seq"), [("name", "../x", 1), ("first", 2, 1), ("last", 149, 150)]
)
def test_the_segments_of_the_manifest_must_cover_the_log(
    copy: Path, field: str, value: object, seq: int
) -> None:
    """A segment that is named, begins or ends otherwise is damage."""
    manifest = json.loads((copy / "manifest.json").read_bytes())
    manifest["segments"][0][field] = value
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert verdict(copy) == ("divergent", seq)


def test_an_empty_archive_is_not_clean(tmp_path: Path) -> None:
    """No event at all is a log that lacks its first."""
    folder = tmp_path / "archive"
    ArchiveWriter.open(folder, identity_of(played())).close()
    assert verdict(folder) == ("divergent", 1)


def one_clear_line(folder: Path) -> None:
    with pytest.raises(UsageError) as problem:
        ArchiveLog(folder)
    assert problem.value.exit_code == 2
    assert "\n" not in str(problem.value)


def test_what_is_no_archive_is_said_in_one_line(tmp_path: Path) -> None:
    """A missing folder, a file, an empty folder and one with other things end with exit 2."""
    one_clear_line(tmp_path / "nowhere")
    (tmp_path / "file").write_bytes(b"x")
    one_clear_line(tmp_path / "file")
    one_clear_line(tmp_path)


@pytest.mark.parametrize(
    "manifest",
    [b"", b"\xff\xfe", b"{}", b"[" * 100_000, b"null", b'{"format":"quasar-archive/9"}'],
    ids=["empty", "binary", "no fields", "deep", "null", "newer"],
)
def test_an_unreadable_manifest_is_said_in_one_line(copy: Path, manifest: bytes) -> None:
    """Whatever stands in the place of the manifest ends with exit 2 and one line."""
    (copy / "manifest.json").write_bytes(manifest)
    one_clear_line(copy)


def test_a_report_tells_nothing_of_the_machine(good: Path, copy: Path) -> None:
    """Two copies in two folders give the same report, clean or damaged, without either's path."""
    repacked(copy, CHANGES[0][1])
    twin = copy.parent / "twin"
    shutil.copytree(copy, twin)
    for one, two in ((good, good), (copy, twin)):
        reports = [anyio.run(audit, ArchiveLog(folder)) for folder in (one, two)]
        assert reports[0] == reports[1]
        assert str(one.parent) not in repr(reports[0])
