"""Backup and restore: what is in the file, what never is, and that nothing is half made."""

import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cyclopts import App

from quasar.chain.keys import create_secret
from quasar.cli import restore as restore_command
from quasar.cli.backup import backup
from quasar.cli.restore import home_of, restore
from quasar.cli.run import run
from quasar.cli.source import volumes_of
from quasar.errors import CannotJudge, Damaged, LogError, TryAgain, UsageError
from quasar.events.note import BadSignature
from quasar.log.archive import ArchiveWriter
from quasar.log.backup import BackupWriter, BadBackup, check_backup
from quasar.log.files import FolderLock
from quasar.log.prune import prune
from tests.unit.volume_folder import identity_of, snapshot, worlds, write_folder

COLDKEY = b"never-to-be-seen-anywhere"
STREAM = "nats/jetstream/jetstream/$G/streams/Q-1-1"
KEPT = {
    "nats/access.json": b'{"user":"quasar","password":"p","port":4222}',
    f"{STREAM}/meta.inf": b"{}",
    f"{STREAM}/msgs/1.blk": bytes(range(256)) * 20,
    f"contexts/7/{'ab' * 32}.zst": b"packed",
    "log-keys/1.json": b"the second log key",
    "log-keys/2.json": b"the third",
}
LEFT = {
    "nats/nats.conf": b"made anew",
    "nats/server.log": b"words",
    "nats/ports/nats-server_1.ports": b"{}",
    f"contexts/7/{'ab' * 32}.part": b"half",
    "contexts/notes.txt": COLDKEY,
    "log-keys/3.json.0a1b2c3d": COLDKEY,
    "coldkey": COLDKEY,
    "wallets/default/coldkey": COLDKEY,
    "wallets/default/hotkeys/default": COLDKEY,
    "master.key.old": COLDKEY,
    "archive/coldkey": COLDKEY,
    "archive/1/wallet": COLDKEY,
}


@pytest.fixture(name="home")
def fixture_home(tmp_path: Path) -> Path:
    """A stopped validator's folder, with things in it that are none of a backup's business."""
    home = tmp_path / "old"
    home.mkdir(mode=0o700)
    create_secret(home / "master.key")
    write_folder(home / "archive")
    for name, data in {**KEPT, **LEFT}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    (home / "nats/access.json").chmod(0o600)
    return home


@pytest.fixture(name="file")
def fixture_file(home: Path, tmp_path: Path) -> Path:
    backup(home, to=tmp_path / "q.tar")
    return tmp_path / "q.tar"


def kept(home: Path) -> dict[str, bytes]:
    """What a backup is made of: everything but the strangers and the server's own lock."""
    left = {*LEFT, "nats/lock"}
    return {name: data for name, data in snapshot(home).items() if name not in left}


def modes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): stat.S_IMODE(p.stat().st_mode) for p in files}


def test_everything_comes_back_and_nothing_else(home: Path, file: Path, tmp_path: Path) -> None:
    """Bytes and modes, in a private folder; no coldkey and no wallet on the way."""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert COLDKEY not in file.read_bytes()
    restore(file, state=tmp_path / "new")
    assert snapshot(tmp_path / "new") == kept(home)
    old = modes(home)
    assert modes(tmp_path / "new") == {name: old[name] for name in kept(home)}
    assert old["master.key"] == 0o600
    for private in ("", "nats", "contexts", "log-keys"):
        assert stat.S_IMODE((tmp_path / "new" / private).stat().st_mode) == 0o700
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_state_and_archive_go_where_they_are_sent(home: Path, tmp_path: Path) -> None:
    """From two folders into two others, or one inside the other."""
    (home / "archive").rename(tmp_path / "out")
    backup(home, to=tmp_path / "q.tar", out=tmp_path / "out")
    archive = {n: d for n, d in snapshot(tmp_path / "out").items() if f"archive/{n}" not in LEFT}
    restore(tmp_path / "q.tar", state=tmp_path / "a", out=tmp_path / "b")
    assert snapshot(tmp_path / "b") == archive
    assert snapshot(tmp_path / "a") == kept(home)
    restore(tmp_path / "q.tar", state=tmp_path / "c", out=tmp_path / "c" / "deep" / "er")
    assert snapshot(tmp_path / "c" / "deep" / "er") == archive
    for out in (tmp_path / "d", tmp_path):
        with pytest.raises(UsageError, match="state folder"):
            restore(tmp_path / "q.tar", state=tmp_path / "d", out=out)
    assert not (tmp_path / "d").exists()


def test_the_usual_places_need_no_names(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only validator of this user; restored to where ``quasar validate`` looks for it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    with pytest.raises(UsageError, match="none"):
        backup(to=tmp_path / "q.tar")
    place = home_of(identity_of(worlds()[0]))
    place.parent.mkdir(parents=True)
    home.rename(place)
    before = kept(place)
    backup(to=tmp_path / "q.tar")
    shutil.rmtree(place)
    restore(tmp_path / "q.tar")
    assert snapshot(place) == before
    (place.parent / "other").mkdir()
    with pytest.raises(UsageError, match="other"):
        backup(to=tmp_path / "r.tar")


def test_a_running_validator_is_not_backed_up(home: Path, tmp_path: Path) -> None:
    """Neither while its server runs, nor while its archive is written."""
    for held in (home / "nats" / "lock", home / "archive" / "4"):
        (home / "nats" / "lock").touch()
        lock = FolderLock(held)
        with pytest.raises(TryAgain, match="stop it first"):
            backup(home, to=tmp_path / "q.tar")
        lock.release()
    assert not (tmp_path / "q.tar").exists()
    backup(home, to=tmp_path / "q.tar")
    FolderLock(home / "nats" / "lock").release()


def test_what_a_killed_writer_left_behind_is_cut_off(home: Path, tmp_path: Path) -> None:
    """Lines that the manifest does not know: the store has them, and the validator goes on."""
    folder, world = home / "archive" / "4", worlds()[3]
    (segment,) = (folder / "segments").iterdir()
    whole = segment.read_bytes()
    segment.write_bytes(whole + b"torn")
    backup(home, to=tmp_path / "q.tar")
    restore(tmp_path / "q.tar", state=tmp_path / "new")
    moved = tmp_path / "new" / "archive" / "4"
    assert (moved / "segments" / segment.name).read_bytes() == whole
    with ArchiveWriter.open(moved, identity_of(world)) as writer:
        assert writer.size == len(world.lines)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("part", ["segments/*", "tile/0/**/*", "blobs/*/*", "checkpoints/*"])
def test_a_damaged_archive_is_not_backed_up(home: Path, tmp_path: Path, part: str) -> None:
    """A copy of damage would be believed; the first bad event is named, and no file is left."""
    flip(next(path for path in (home / "archive/2").glob(part) if path.is_file()))
    with pytest.raises((Damaged, CannotJudge, BadSignature)):
        backup(home, to=tmp_path / "q.tar")
    assert {path.name for path in tmp_path.iterdir()} == {"old"}


@pytest.mark.parametrize("link", ["master.key", f"{STREAM}/msgs/1.blk", f"{STREAM}/linked"])
def test_links_are_not_followed(home: Path, tmp_path: Path, link: str) -> None:
    """A link could lead to a coldkey."""
    (tmp_path / "coldkey").write_bytes(COLDKEY)
    (home / link).unlink(missing_ok=True)
    (home / link).symlink_to(tmp_path / "coldkey")
    with pytest.raises(LogError, match="link"):
        backup(home, to=tmp_path / "q.tar")
    assert not list(tmp_path.glob("*q.tar*"))


def test_nothing_is_written_over(home: Path, file: Path, tmp_path: Path) -> None:
    """Neither a backup nor a folder with anything in it, nor what a link leads to."""
    before = file.read_bytes()
    with pytest.raises(UsageError, match="exists"):
        backup(home, to=file)
    assert file.read_bytes() == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for state, out in (
        (tmp_path / "full", None),
        (tmp_path / "link", None),
        (tmp_path / "new", tmp_path / "full"),
        (file, None),
    ):
        with pytest.raises(UsageError, match="not empty"):
            restore(file, state=state, out=out)
    assert not (tmp_path / "new").exists()
    restore(file, state=tmp_path / "empty")
    assert snapshot(tmp_path / "empty") == kept(home)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def no_list(file: Path) -> None:
    """As a crash on the way would leave it, if it left anything."""
    data = file.read_bytes()
    file.write_bytes(data[: data.index(b"backup.json")] + bytes(10240))


@pytest.mark.parametrize("change", [flip, cut, no_list, lambda f: f.write_bytes(b"no tar" * 999)])
def test_a_damaged_backup_is_refused(
    file: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    """Before anything is written; exit 1."""
    change(file)
    with pytest.raises(BadBackup) as refused:
        restore(file, state=tmp_path / "new")
    assert refused.value.exit_code == 1
    assert {path.name for path in tmp_path.iterdir()} == {"old", "q.tar"}


def test_every_flipped_byte_is_seen(file: Path, tmp_path: Path) -> None:
    """All over the file: refused, or it lay in padding and changes nothing."""
    data, wanted_parts = file.read_bytes(), check_backup(file).parts
    broken = tmp_path / "broken.tar"
    for at in range(0, len(data), 4093):
        changed = bytearray(data)
        changed[at] ^= 0x40
        broken.write_bytes(changed)
        try:
            assert check_backup(broken).parts == wanted_parts
        except BadBackup:
            continue


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "state/../../x",
        "/state/x",
        "state",
        "state//x",
        "other/x",
        "state/a\\b",
        "state/./x",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """Also in a list that fits its parts."""
    (tmp_path / "x").write_bytes(b"data")
    with BackupWriter.open(tmp_path / "q.tar") as writer, (tmp_path / "x").open("rb") as file:
        writer._add(file, name, None)
        writer.finish(identity_of(worlds()[0]), 1, 1)
    with pytest.raises(BadBackup, match="no part of a backup"):
        restore(tmp_path / "q.tar", state=tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()


def test_a_tar_of_links_is_no_backup(tmp_path: Path) -> None:
    """Only files are taken."""
    with tarfile.open(tmp_path / "q.tar", "w") as tar:
        member = tarfile.TarInfo("state/master.key")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(BadBackup, match="no file"):
        check_backup(tmp_path / "q.tar")


def test_a_crash_leaves_nothing_half_made(
    file: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure on the way: no folder. A kill: one with another name, which the next one clears."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restore_command, "_sync_all", fail)
    with pytest.raises(LogError, match="No space left"):
        restore(file, state=tmp_path / "new", out=tmp_path / "out")
    monkeypatch.undo()
    assert {path.name for path in tmp_path.iterdir()} == {"old", "q.tar"}
    left = tmp_path / ".new.restoring"
    (left / "nats").mkdir(parents=True)
    (left / "stale").touch()
    lock = FolderLock(left)
    with pytest.raises(TryAgain):
        restore(file, state=tmp_path / "new")
    lock.release()
    restore(file, state=tmp_path / "new")
    assert snapshot(tmp_path / "new") == kept(home)


def test_a_full_disk_leaves_no_backup(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing under its name, and no rest."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LogError, match="No space left"):
        backup(home, to=tmp_path / "q.tar")
    assert {path.name for path in tmp_path.iterdir()} == {"old"}


def test_a_pruned_volume_travels_as_it_is(home: Path, tmp_path: Path) -> None:
    """Manifest and checkpoints."""
    prune(volumes_of(home / "archive")[0])
    backup(home, to=tmp_path / "q.tar")
    restore(tmp_path / "q.tar", state=tmp_path / "new")
    assert snapshot(tmp_path / "new") == kept(home)


def test_the_commands(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is said, in words and in JSON; one line and exit 2 for a slip of the pen."""
    app = App(name="quasar")
    app.command(backup, name="backup")
    app.command(restore, name="restore")
    file, new = str(tmp_path / "q.tar"), str(tmp_path / "new")
    assert run(app, ["backup", str(home), "--to", file, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    events = sum(len(world.lines) for world in worlds())
    assert (shown["events"], shown["volumes"]) == (events, 4)
    assert shown["keys"] is shown["store"] is True
    assert run(app, ["restore", file, "--state", new, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == new
    (home / "master.key").unlink()
    shutil.rmtree(home / "nats")
    assert run(app, ["backup", str(home), "--to", file + "2"]) == 0
    said = capsys.readouterr()
    assert "--seed" in said.err
    assert "without the server's store" in said.err
    assert "keep it private" in said.err
    for words in (
        ["backup", str(home)],
        ["backup", new + "x", "--to", file + "3"],
        ["backup", str(tmp_path), "--to", file + "3"],
        ["restore", file + "x"],
        ["restore", file, "--state", new],
        ["backup", str(home), "--to", str(tmp_path / "no" / "where.tar")],
    ):
        assert run(app, words) == 2, words
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
