"""Pruning a volume: only what is proved to be elsewhere is removed, and that is said."""

import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from cyclopts import App

from quasar.cli.log_prune import prune
from quasar.cli.run import run
from quasar.cli.source import volumes_of
from quasar.errors import CannotJudge, Damaged, LogError, TryAgain, UsageError
from quasar.events.note import BadSignature
from quasar.log import prune as log_prune
from quasar.log.archive import copy_archive
from quasar.log.archive_reader import ArchiveLog
from quasar.log.files import FolderLock
from quasar.log.whole import is_pruned, is_sealed, verify_whole
from quasar.log.zstd import compress
from quasar.replay.volumes import audit_volumes
from tests.unit.volume_folder import snapshot, worlds, write_folder, write_volume

KEPT = {"manifest.json", "checkpoint"}


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    """Three sealed volumes and an open one."""
    return write_folder(tmp_path / "log")


@pytest.fixture(name="copy")
def fixture_copy(tmp_path: Path, folder: Path) -> Path:
    """The same again, on what shall be another disk."""
    return shutil.copytree(folder, tmp_path / "copy")


def test_only_manifest_and_checkpoints_stay(folder: Path, copy: Path) -> None:
    """Of that volume; the others are untouched, and the copy is."""
    before, other = snapshot(folder), snapshot(copy)
    assert prune(folder, volume=1, copy=copy, yes=True) == 0
    after = snapshot(folder)
    gone = before.keys() - after.keys()
    assert gone == {n for n in before if n.startswith(("1/segments", "1/tile", "1/blobs"))}
    assert {n for n in after if after[n] != before[n]} == {"1/manifest.json"}
    assert snapshot(copy) == other
    log = volumes_of(folder)[0]
    assert is_pruned(log)
    assert is_sealed(log)
    verify_whole(log)
    assert log.checkpoint_note(log.manifest.last)


def test_what_is_left_audits_clean(folder: Path, copy: Path) -> None:
    """From a state that is taken on trust; with the pruned volumes' copy, from none."""
    for number in (1, 2):
        prune(folder, volume=number, copy=copy, yes=True)
    logs = volumes_of(folder)
    assert [is_pruned(log) for log in logs] == [True, True, False, False]
    report = anyio.run(audit_volumes, logs[2:])
    assert report.result == "clean", report.first_divergence
    assert report.assumed["carried_state"] == 1
    _, opened = next(logs[2].lines())
    seal = logs[1].checkpoint_note()
    assert seal
    assert seal.splitlines()[2].encode() in opened
    whole = [*volumes_of(copy)[:2], *logs[2:]]
    assert anyio.run(audit_volumes, whole).assumed["carried_state"] == 0


def test_nothing_happens_without_yes(folder: Path, copy: Path) -> None:
    """It is checked, said, and left alone."""
    before = snapshot(folder)
    with pytest.raises(UsageError, match="repeat with --yes"):
        prune(folder, volume=1, copy=copy)
    assert snapshot(folder) == before


def test_a_copy_may_be_the_volume_alone(folder: Path, tmp_path: Path) -> None:
    """As `quasar log export` writes it."""
    copy_archive(folder / "1", tmp_path / "one")
    assert prune(folder, volume=1, copy=tmp_path / "one", yes=True) == 0


@pytest.mark.parametrize(
    ("number", "reason"),
    [(2, "volume 1 is older"), (3, "older"), (4, "older"), (5, "holds no volume 5"), (0, "no vol")],
)
def test_only_old_volumes_in_their_order(
    folder: Path, copy: Path, number: int, reason: str
) -> None:
    """From the oldest on."""
    with pytest.raises(UsageError, match=reason):
        prune(folder, volume=number, copy=copy, yes=True)


def test_the_newest_sealed_volume_stays(folder: Path, copy: Path) -> None:
    """A validator that starts takes its state from it; nor does an open one leave."""
    for number in (1, 2):
        prune(folder, volume=number, copy=copy, yes=True)
    before = snapshot(folder)
    for number in (3, 4):
        if number == 4:  # even if the one before were gone
            shutil.rmtree(folder / "3")
            before = snapshot(folder)
        with pytest.raises(UsageError, match="is needed to go on"):
            prune(folder, volume=number, copy=copy, yes=True)
        assert snapshot(folder) == before


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def one(folder: Path, pattern: str) -> Path:
    return next(path for path in sorted((folder / "1").glob(pattern)) if path.is_file())


@pytest.mark.parametrize("change", [flip, Path.unlink, lambda p: p.write_bytes(b"")])
@pytest.mark.parametrize(
    "pattern",
    ["segments/*", "tile/0/**/*", "blobs/*/*", "checkpoint", "checkpoints/*", "manifest.json"],
)
@pytest.mark.parametrize("side", ["copy", "folder"])
def test_a_difference_keeps_the_volume(
    folder: Path, copy: Path, side: str, pattern: str, change: Callable[[Path], object]
) -> None:
    """One bit, one file, on either side: nothing is removed."""
    change(one(copy if side == "copy" else folder, pattern))
    if side == "folder" and change is Path.unlink and pattern in {"tile/0/**/*", "blobs/*/*"}:
        assert prune(folder, volume=1, copy=copy, yes=True) == 0  # the copy has what is gone here
        return
    before = snapshot(folder)
    with pytest.raises((UsageError, Damaged, CannotJudge, BadSignature)):
        prune(folder, volume=1, copy=copy, yes=True)
    assert snapshot(folder) == before


def test_the_same_volume_is_no_second_copy(folder: Path, tmp_path: Path) -> None:
    """Not by another path, nor by a link of the folder or of each file."""
    (tmp_path / "link").symlink_to(folder)
    linked = shutil.copytree(folder, tmp_path / "hard", copy_function=hard_link)
    for copy, reason in (
        (folder, "very volume"),
        (folder / "1", "very volume"),
        (folder / ".." / "log", "very volume"),
        (tmp_path / "link", "very volume"),
        (Path(linked), "very file"),
        (tmp_path, "holds no copy"),
        (folder / "2", "holds no copy"),
    ):
        with pytest.raises(UsageError, match=reason):
            prune(folder, volume=1, copy=copy, yes=True)
    assert not is_pruned(volumes_of(folder)[0])


def hard_link(source: str, target: str) -> str:
    Path(target).hardlink_to(source)
    return target


def test_a_pruned_copy_is_no_copy(folder: Path, copy: Path, tmp_path: Path) -> None:
    """Two places cannot vouch for each other and both forget."""
    prune(folder, volume=1, copy=copy, yes=True)
    with pytest.raises(UsageError, match="pruned itself"):
        prune(copy, volume=1, copy=folder, yes=True)


def test_a_crash_on_the_way_is_finished_later(
    folder: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark comes first: leftovers are no damage, and the next prune removes them."""

    def crash(path: Path) -> None:
        if path.name == "tile":
            raise OSError(5, "Input/output error")
        shutil.rmtree(path)

    monkeypatch.setattr(log_prune, "rmtree", crash)
    with pytest.raises(LogError, match="cannot be pruned"):
        prune(folder, volume=1, copy=copy, yes=True)
    monkeypatch.undo()
    assert is_pruned(volumes_of(folder)[0])
    assert (folder / "1" / "tile").exists()
    assert prune(folder, volume=1, copy=copy, yes=True) == 0
    assert not (folder / "1" / "tile").exists()
    assert {p.name for p in (folder / "1").iterdir()} == KEPT | {"checkpoints"}


def test_a_held_volume_is_left_alone(folder: Path, copy: Path) -> None:
    """Another process has it: try again."""
    lock = FolderLock(folder / "1")
    with pytest.raises(TryAgain):
        prune(folder, volume=1, copy=copy, yes=True)
    lock.release()
    assert not is_pruned(volumes_of(folder)[0])


def test_the_command(folder: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit 2 without --yes; what was freed with it."""
    app = App(name="quasar")
    app.command(prune, name="prune")
    words = ["prune", str(folder), "--volume", "1", "--copy", str(copy)]
    assert run(app, words) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert run(app, [*words, "--yes"]) == 0
    assert "freed" in capsys.readouterr().out


def test_an_audit_says_what_was_pruned(
    folder: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest is judged; where nothing is left, nothing can be."""
    from quasar.cli import app as program

    prune(folder, volume=1, copy=copy, yes=True)
    assert run(program, ["audit", str(folder)]) == 0
    assert "volumes 1 to 1 were pruned here: audit their copy" in capsys.readouterr().out
    assert run(program, ["audit", str(folder / "1")]) == 2
    assert "were pruned: audit the other copy" in capsys.readouterr().err
    with pytest.raises(UsageError, match="were pruned"):
        copy_archive(folder / "1", folder.parent / "again")


def test_a_killed_writer_leaves_its_volume_unsealed(tmp_path: Path) -> None:
    """Lines behind the manifest's last, as a kill leaves them, do not keep the next start out."""
    world = worlds()[-1]
    folder = write_volume(world, tmp_path / "1")
    (segment,) = (folder / "segments").iterdir()
    segment.write_bytes(segment.read_bytes() + compress(world.lines[0] + b"\n"))
    log = ArchiveLog(folder)
    with pytest.raises(Damaged, match="goes on behind"):
        list(log.lines())
    assert not is_sealed(log)
