"""Log keys that replace one another: what counts under which, in every program that reads a log."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from quasar.errors import CannotJudge, Damaged
from quasar.events.exhibits import open_file
from quasar.events.note import BadSignature, LogKeys, parse_checkpoint
from quasar.events.opening import read_opening
from quasar.events.rotation import keys_after
from quasar.events.signing import Signer
from quasar.log.archive import ArchiveLog, ArchiveWriter
from quasar.log.describe import describe
from quasar.log.prove import Prover
from quasar.log.segment_check import Job, check_segment
from quasar.log.verify import verify_archive
from quasar.log.whole import verify_whole
from quasar.log.withdraw import withdraw_notes
from quasar.replay import audit as audit_log
from quasar.replay.finding import Report
from quasar.replay.volumes import audit_volumes
from tests.builders import LineLog, World
from tests.forging import few_tasks
from tests.rotating import (
    KEY_KINDS,
    SECOND,
    STRANGER,
    THIRD,
    UNSEEN_BY_VERIFY,
    fill,
    rotate,
    rotated,
    write_rotated,
    write_signed,
)
from tests.tampering import IDENTITY, exhibits
from tests.unit.volume_folder import identity_of


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of ``rotated``. Not to be changed."""
    return write_rotated(tmp_path_factory.mktemp("rotated") / "archive")


def audited(folder: Path) -> Report:
    """What ``quasar audit`` finds."""
    return anyio.run(audit_log, ArchiveLog(folder))


def test_an_audit_accepts_each_key_for_its_range(good: Path) -> None:
    """Clean; the event whose note was revoked stays, and is not counted as a proof."""
    told, report = rotated(), audited(good)
    assert report.result == "clean", report.first_divergence
    assert told.second <= told.until < told.withdrawn < told.third < told.end
    counted = {*told.notes, told.end - 1}  # kept ones, and the one that the last event holds
    assert f"{len(counted)} checkpoints signed by the log key" in " ".join(report.proved)


def test_verify_accepts_each_key_for_its_range(good: Path) -> None:
    """The ranges are in the report, and in what an archive says of itself."""
    told, found = rotated(), verify_archive(good, processes=1)
    assert found.checkpoints == len(told.notes)
    shown = [(key.key, key.first, key.last, key.state) for key in found.keys]
    assert shown == [
        (told.first_key.public_key.hex(), 0, told.second - 1, "rotated"),
        (SECOND.public_key.hex(), told.second, told.until, "revoked"),
        (THIRD.public_key.hex(), told.third, None, "in use"),
    ]
    assert describe(ArchiveLog(good)).keys == found.keys
    verify_whole(ArchiveLog(good))


def test_a_rotation_is_found_wherever_it_lies(tmp_path: Path) -> None:
    """Lines come in pieces of 131,072 bytes; one that is cut by their end is seen too."""
    line = rotated().world.lines[rotated().second - 1]
    for i, before in enumerate(range(131_072 - len(line) - 3, 131_072 + 3, 7)):
        with ArchiveWriter.open(tmp_path / str(i), IDENTITY) as writer:
            x, y = [b"x" * 50_000, b"x" * 50_000, b"x" * (before - 100_003)], b"y" * 60_000
            writer.append([*x, line, y, line])
            writer.flush()
        log = ArchiveLog(tmp_path / str(i))
        part = check_segment(Job(str(log.folder), log.manifest.segments[0], 6, []))
        assert part.rotations == [(4, line), (6, line)]


def test_rotations_come_from_other_processes(tmp_path: Path) -> None:
    """Each segment is checked elsewhere, and the keys are put together here."""
    told = rotated()
    with ArchiveWriter.open(
        tmp_path / "archive", identity_of(told.world), segment_events=20
    ) as writer:
        fill(writer, told.world, told.world.lines, told.notes)
    found = verify_archive(tmp_path / "archive", processes=3)
    assert [key.state for key in found.keys] == ["rotated", "revoked", "in use"]


def test_what_a_newer_program_wrote_is_not_called_damaged(good: Path) -> None:
    """Neither an opening nor a rotation of a kind that this program does not know."""
    lines = dict(ArchiveLog(good).lines())
    opening = read_opening(lines[1])
    with pytest.raises(CannotJudge, match="LogOpened2"):
        read_opening(lines[1].replace(b'"type":"LogOpened"', b'"type":"LogOpened2"'))
    seq = rotated().second
    newer = lines[seq].replace(b'"type":"LogKeyRotated"', b'"type":"LogKeyRotated2"')
    assert newer != lines[seq]
    with pytest.raises(CannotJudge, match="LogKeyRotated2"):
        keys_after(opening, [(seq, newer)])


def test_proofs_show_the_keys(good: Path) -> None:
    """Any event under any checkpoint, and growth across keys; the file needs nothing beside it."""
    told, log = rotated(), ArchiveLog(good)
    for size in told.notes:
        prover = Prover(log, size)
        for seq in {1, 2, size, min(told.second, size)}:
            assert open_file(prover.inclusion(seq)).checkpoint.size == size
        for old in (n for n in told.notes if n <= size):
            proved = open_file(prover.consistency(old))
            assert (proved.older and proved.older.size, proved.checkpoint.size) == (old, size)


def test_a_proof_that_hides_a_rotation(good: Path) -> None:
    """Without the event that names it, a key is a stranger's."""
    text = Prover(ArchiveLog(good)).inclusion(2)

    def hide(keep: int) -> str:
        return exhibits(text, lambda e: e.update(others=e["others"][:keep]))

    assert [e["index"] for e in _others(text)] == [0, rotated().second - 1, rotated().third - 1]
    for keep in (1, 2):
        with pytest.raises(BadSignature, match="is not signed by key"):
            open_file(hide(keep))


def _others(text: str) -> list[dict[str, int]]:
    found: list[dict[str, int]] = []
    exhibits(text, lambda e: found.extend(e["others"]))
    return found


def test_a_note_that_was_kept_from_a_revoked_key(good: Path, tmp_path: Path) -> None:
    """It proves no growth: who has the key could have written it."""
    told = rotated()
    folder = write_signed(
        tmp_path / "other", told.world, told.world.lines, {told.withdrawn: SECOND}
    )
    note = ArchiveLog(folder).checkpoint_note(told.withdrawn) or ""
    with pytest.raises(BadSignature, match=f"revoked after {told.until}"):
        Prover(ArchiveLog(good)).consistency(note)


@pytest.mark.parametrize(("make", "place", "reason"), KEY_KINDS.values(), ids=KEY_KINDS)
def test_an_audit_names_it(
    tmp_path: Path, make: Callable[[Path], Path], place: str, reason: str
) -> None:
    """The event, and why."""
    report = audited(make(tmp_path / "archive"))
    first = report.first_divergence
    assert report.result == "divergent"
    assert first is not None
    assert reason in first.reason
    assert first.seq in (getattr(rotated(), place), getattr(rotated(), place) + 1)


@pytest.mark.parametrize(
    ("make", "place", "reason"),
    [kind for name, kind in KEY_KINDS.items() if name not in UNSEEN_BY_VERIFY],
    ids=[name for name in KEY_KINDS if name not in UNSEEN_BY_VERIFY],
)
def test_verify_names_it(
    tmp_path: Path, make: Callable[[Path], Path], place: str, reason: str
) -> None:
    """The same event, for the same reason, without any rule."""
    with pytest.raises(Damaged) as caught:
        verify_archive(make(tmp_path / "archive"), processes=1)
    assert reason in caught.value.reason
    assert caught.value.seq == getattr(rotated(), place)


def test_a_cut_log_that_goes_on_under_the_old_key(tmp_path: Path) -> None:
    """A fork: alone it is whole, and only beside a note of the true log it is seen."""
    told = rotated()
    lines = told.world.lines[: told.second - 1]
    fork = write_signed(tmp_path / "fork", told.world, lines, {len(lines): told.first_key})
    assert verify_archive(fork, processes=1).events == told.second - 1
    true = write_rotated(tmp_path / "true")
    note = ArchiveLog(true).checkpoint_note() or ""
    with pytest.raises(BadSignature, match="is not signed by key"):
        Prover(ArchiveLog(fork)).consistency(note)


def test_withdrawn_notes_leave_the_archive(tmp_path: Path) -> None:
    """Only those in the gap; the newest that counts takes the place of one that does not."""
    told = rotated()
    lines, keys = told.world.lines[: told.third - 1], (told.first_key, SECOND)
    notes = {told.early: keys[0], told.until: keys[1], told.withdrawn: keys[1]}
    folder = write_signed(tmp_path / "archive", told.world, lines, notes)
    known = LogKeys.of(keys[0].public_key).rotated(keys[1].public_key, told.second)
    assert withdraw_notes(folder, known) == 0
    revoked = known.revoked(THIRD.public_key, told.third, told.until)
    for count in (1, 0):
        assert withdraw_notes(folder, revoked) == count
        log = ArchiveLog(folder)
        assert log.checkpoint_sizes() == [told.early, told.until]
        assert parse_checkpoint(log.checkpoint_note() or "").size == told.until
    none = LogKeys.of(keys[0].public_key).revoked(THIRD.public_key, told.third, 0)
    assert withdraw_notes(folder, none) == 2
    assert ArchiveLog(folder).checkpoint_note() is None


def volumes(rotates: bool, second_key: Signer, seal_key: Signer | None = None) -> list[World]:
    """Two volumes; the first one rotates its key or not, the second is opened with a given one."""
    one = World(policy=few_tasks())

    async def play() -> World:
        await one.play_round(1)
        if rotates:
            await rotate(one, SECOND)
        await one.close()
        own = one.log_key
        one.log_key = seal_key or own
        two = World(policy=few_tasks(), before=one)
        two.log_key = second_key
        await two.open()
        await two.block(120, epoch=1, metagraph=True)
        one.log_key = own
        return two

    return [one, anyio.run(play)]


def audit_all(worlds: list[World]) -> Report:
    """As one log."""
    return anyio.run(audit_volumes, [LineLog(w.lines, w.log.blobs) for w in worlds])


@pytest.mark.parametrize(
    ("rotates", "second_key"),
    [(True, SECOND), (True, THIRD), (False, SECOND)],
    ids=["in the first", "in the first and between", "between"],
)
def test_volumes_under_several_keys(rotates: bool, second_key: Signer) -> None:
    """Clean as one log; the second alone says whose seal it could not judge."""
    worlds = volumes(rotates, second_key)
    report = audit_all(worlds)
    assert report.result == "clean", report.first_divergence
    assert not [line for line in report.not_checked if "seal" in line]
    alone = audit_all(worlds[1:])
    assert alone.result == "clean", alone.first_divergence
    unsure = [line for line in alone.not_checked if line.startswith("seal of the volume before")]
    assert len(unsure) == (second_key is not SECOND or not rotates)


@pytest.mark.parametrize(
    ("rotates", "seal_key", "reason"),
    [
        (False, STRANGER, "is not signed by key"),
        (False, SECOND, "is not signed by key"),
        (True, World().log_key, "by a key replaced after"),
    ],
    ids=["a stranger", "the key of the next volume", "the key before the rotation"],
)
def test_a_seal_by_a_key_that_was_not_good(rotates: bool, seal_key: Signer, reason: str) -> None:
    """Only the volume before knows, and the volume that names the seal is told."""
    first = audit_all(volumes(rotates, SECOND, seal_key)).first_divergence
    assert first is not None
    assert (first.volume, first.seq) == (2, 1)
    assert "the seal of the volume before" in first.reason
    assert reason in first.reason
