"""Verdicts on closed volumes that are kept, so that a daily audit reads one day."""

import shutil
from pathlib import Path

import anyio
import pytest

from quasar.events.note import Checkpoint, parse_checkpoint
from quasar.log.archive_folders import volumes_of
from quasar.replay.audit import ALONE
from quasar.replay.audited import Kept
from quasar.replay.finding import Report
from quasar.replay.volumes import audit_volumes
from tests.unit.volume_folder import worlds, write_folder

AGAIN = "volumes 1 to 3: as audited before, not read again; --fresh reads everything"


@pytest.fixture(scope="module", name="audited")
def fixture_audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """A folder with four volumes in ``log``, its verdicts in ``kept``, and the report."""
    work = tmp_path_factory.mktemp("audited")
    write_folder(work / "log")
    return work, audit(work)


@pytest.fixture(name="work")
def fixture_work(audited: tuple[Path, Report], tmp_path: Path) -> Path:
    """A copy of both, to be changed."""
    return shutil.copytree(audited[0], tmp_path / "work")


def kept(work: Path, *, hotkey: str | None = None, fresh: bool = False) -> Kept:
    return Kept(work / "kept", levels=ALONE, hotkey=hotkey, fresh=fresh)


def audit(work: Path, *, fresh: bool = False) -> Report:
    return anyio.run(lambda: audit_volumes(volumes_of(work / "log"), kept=kept(work, fresh=fresh)))


def found(work: Path) -> list[bool]:
    """Of each volume, whether its verdict counts."""
    return [kept(work).find(log) is not None for log in volumes_of(work / "log")]


def test_closed_volumes_are_read_once(audited: tuple[Path, Report], work: Path) -> None:
    """The second report says the same, and that it did not read them; nor does it."""
    first = audited[1]
    assert (first.result, found(work)) == ("clean", [True, True, True, False])
    assert not [line for line in first.not_checked if line.endswith("reads everything")]
    for number in (1, 2, 3):
        shutil.rmtree(work / "log" / str(number) / "segments")
    second = audit(work)
    assert second.not_checked == [*first.not_checked, AGAIN]
    second.not_checked.remove(AGAIN)
    assert second == first


def test_fresh_reads_everything(work: Path) -> None:
    """What was altered behind its checkpoint is found then, and its old verdict stays."""
    (segment,) = (work / "log" / "2" / "segments").iterdir()
    segment.write_bytes(segment.read_bytes()[:-9])
    assert audit(work).result == "clean"
    report = audit(work, fresh=True)
    assert report.first_divergence is not None
    assert (report.result, report.first_divergence.volume) == ("divergent", 2)


def test_a_missing_volume_is_still_missing(work: Path) -> None:
    """Known verdicts are linked to each other as read ones are."""
    shutil.rmtree(work / "log" / "2")
    first = audit(work).first_divergence
    assert first is not None
    assert (first.volume, first.reason) == (3, "volume 2 is missing, or stands elsewhere")


@pytest.mark.parametrize("what", ["unsigned", "manifest", "gone", "longer"])
def test_a_volume_that_says_something_else_is_read(work: Path, what: str) -> None:
    """Its checkpoint must be signed over what was audited, and its manifest agree."""
    folder = work / "log" / "2"
    note, manifest = folder / "checkpoint", folder / "manifest.json"
    if what == "unsigned":
        head, _, signature = note.read_text().rpartition(" ")
        note.write_text(f"{head} {signature[:20]}AAAA{signature[24:]}")
    elif what == "manifest":
        other = worlds()[0].genesis
        manifest.write_text(manifest.read_text().replace(other, "0x" + "9" * 64))
    elif what == "gone":
        note.unlink()
    else:
        size = len(worlds()[1].lines)
        shutil.copy(note, folder / "checkpoints" / str(size + 1))
    assert found(work) == [True, False, True, False]


def test_what_is_kept_is_for_one_purpose(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program, other levels or another pinned hotkey make another verdict."""
    log = volumes_of(work / "log")[0]
    assert kept(work).find(log)
    assert not kept(work, hotkey=worlds()[0].hotkey.ss58_address).find(log)
    assert not Kept(work / "kept", levels=["structure"], hotkey=None).find(log)
    monkeypatch.setattr("quasar.replay.audited.code_digest", lambda: "another")
    assert not kept(work).find(log)


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b"\xff" * 100, None],
    ids=["empty", "foreign", "noise", "one-bit"],
)
def test_a_damaged_verdict_is_ignored(work: Path, damage: bytes | None) -> None:
    """The volume is read again, and its verdict written anew."""
    for path in (work / "kept").iterdir():
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data) if damage is None else damage)
    assert found(work) == [False] * 4
    assert audit(work).result == "clean"
    assert found(work) == [True, True, True, False]


def test_another_volumes_verdict_is_ignored(work: Path) -> None:
    """Even under the right name."""
    one, two = (kept(work)._path(note) for note in notes(work)[:2])
    shutil.copy(one, two)
    assert found(work) == [True, False, True, False]


def notes(work: Path) -> list[Checkpoint]:
    texts = [log.checkpoint_note() for log in volumes_of(work / "log")]
    return [parse_checkpoint(text) for text in texts if text]


def test_a_divergent_verdict_is_not_kept(audited: tuple[Path, Report], tmp_path: Path) -> None:
    """Whoever looks for its reason wants it read."""
    shutil.copytree(audited[0] / "log", tmp_path / "log")
    other = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
    pinned = Kept(tmp_path / "kept", levels=ALONE, hotkey=other)
    logs = volumes_of(tmp_path / "log")[:1]
    report = anyio.run(lambda: audit_volumes(logs, hotkey=other, kept=pinned))
    assert report.result == "divergent"
    assert not (tmp_path / "kept").exists()


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    """The verdict is the same, and not kept."""
    (tmp_path / "kept").write_bytes(b"a file stands here")
    write_folder(tmp_path / "log")
    assert audit(tmp_path).result == "clean"
    assert (tmp_path / "kept").read_bytes() == b"a file stands here"
