"""Log keys in a state folder: made, never lost, and which of them the log must be told."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from quasar.chain.keys import create_secret, log_key_from_seed
from quasar.cli.identity import first_log_key, kept_validator
from quasar.cli.key import revoke, show
from quasar.cli.key import rotate as rotate_command
from quasar.errors import TryAgain, UsageError
from quasar.events.note import KeyRange
from quasar.log.archive import ArchiveLog
from quasar.log.files import FolderLock
from quasar.supervisor.log_keys import Ending, ReplacedKey, add_key, kept_keys, replacement
from tests.rotating import SECOND, THIRD, rotated, write_rotated
from tests.tampering import HOTKEY

FIRST = log_key_from_seed(b"first".ljust(32))
ROTATED = Ending(volume=2)


def revoked(until: int, volume: int = 2) -> Ending:
    """An ending."""
    return Ending(reason="revoked", volume=volume, until=until)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A validator's state that never ran."""
    create_secret(tmp_path / "home" / "master.key")
    return tmp_path / "home"


def test_keys_follow_one_another(home: Path) -> None:
    """Each is kept, with why it ended; the newest signs."""
    assert kept_keys(home, FIRST) == (FIRST, ())
    two = add_key(home, ROTATED)
    three = add_key(home, revoked(7))
    newest, replaced = kept_keys(home, FIRST)
    assert newest.public_key == three.public_key
    assert [key.signer.public_key for key in replaced] == [FIRST.public_key, two.public_key]
    assert [key.ending for key in replaced] == [ROTATED, revoked(7)]
    assert len({FIRST.public_key, two.public_key, three.public_key}) == 3
    for path in (home / "log-keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "log-keys").stat().st_mode) == 0o700


def test_a_validator_starts_with_its_newest_key(home: Path) -> None:
    """And its hotkey and its rounds' secret stay what they were."""
    before = kept_validator(HOTKEY, home)
    made = add_key(home, ROTATED)
    after = kept_validator(HOTKEY, home)
    assert after.log_key.public_key == made.public_key
    assert [key.signer.public_key for key in after.replaced] == [before.log_key.public_key]
    assert (after.hotkey, after.master) == (before.hotkey, before.master)
    assert first_log_key(home).public_key == before.log_key.public_key


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda folder: (folder / "1.json").unlink(), "a file is missing"),
        (lambda folder: (folder / "2.json").write_text("{}"), "does not hold a log key"),
        (lambda folder: (folder / "2.json").write_bytes(b"\xff"), "does not hold a log key"),
        (lambda folder: (folder / "2.json").chmod(0o640), "others may read"),
    ],
    ids=["missing", "empty", "no text", "open"],
)
def test_a_key_that_was_harmed(home: Path, harm: object, reason: str) -> None:
    """No validator starts without one of its keys."""
    add_key(home, ROTATED)
    add_key(home, ROTATED)
    harm(home / "log-keys")  # type: ignore[operator]
    with pytest.raises(UsageError, match=reason):
        kept_keys(home, FIRST)


@pytest.mark.parametrize(
    ("endings", "known", "expected"),
    [
        ([], FIRST, None),
        ([ROTATED], SECOND, None),
        ([ROTATED], FIRST, ("rotated", None)),
        ([revoked(30)], FIRST, ("revoked", 30)),
        ([revoked(2)], FIRST, ("revoked", 9)),
        ([revoked(30, volume=1)], FIRST, ("revoked", 9)),
        ([ROTATED, ROTATED], FIRST, ("rotated", None)),
        ([revoked(40), revoked(30)], FIRST, ("revoked", 30)),
        ([ROTATED, revoked(30)], FIRST, ("revoked", 30)),
        ([revoked(30), ROTATED], SECOND, ("rotated", None)),
    ],
)
def test_what_the_log_must_be_told(
    endings: list[Ending], known: object, expected: tuple[str, int | None] | None
) -> None:
    """From the key that it knows, in volume 2 from size 10 on, to the newest, in one event."""
    keys = [FIRST, SECOND, THIRD]
    replaced = [ReplacedKey(key, ending) for key, ending in zip(keys, endings, strict=False)]
    current = KeyRange(known.public_key, 10, None)  # type: ignore[attr-defined]
    found = replacement(keys[len(endings)], replaced, 2, current)
    assert (found and (found.reason, found.until)) == expected
    assert found is None or found.old is known


def test_a_log_key_that_is_not_here() -> None:
    """A state folder from an old backup signs nothing."""
    with pytest.raises(UsageError, match="put its log-keys and"):
        replacement(FIRST, [], 1, KeyRange(SECOND.public_key, 10, None))


def rotate(home: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """What the command says."""
    assert rotate_command(home, json=True) == 0
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def test_rotate_twice_is_rotate_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Until the validator starts again the new key is pending, and no other is made."""
    first, second = rotate(home, capsys), rotate(home, capsys)
    assert (first["made"], second["made"], first["key"]) == (True, False, second["key"])
    assert len(list((home / "log-keys").iterdir())) == 1
    assert rotate_command(home) == 0
    assert "waits for the validator's next start" in capsys.readouterr().err


def test_revoke_after_a_pending_rotation(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The pending key lay beside the one that got out, so another is made; but only once."""
    rotate(home, capsys)
    for made in (True, False):
        assert revoke(home, since="0", json=True) == 0
        assert json.loads(capsys.readouterr().out)["made"] is made
    assert [key.ending.reason for key in kept_keys(home, FIRST)[1]] == ["rotated", "revoked"]


CRASH = """
import os, shutil, sys
from pathlib import Path
from quasar.cli.key import rotate

template, work = Path(sys.argv[1]), Path(sys.argv[2])
CALLS = ("mkdir", "open", "fsync", "link", "unlink")

def die_at(step):
    def wrap(call):
        def wrapped(*args, **kwargs):
            nonlocal step
            step -= 1
            if step == 0:
                os._exit(9)
            return call(*args, **kwargs)
        return wrapped
    for name in CALLS:
        setattr(os, name, wrap(getattr(os, name)))

for step in range(1, 100):
    home = shutil.copytree(template, work / str(step))
    if os.fork() == 0:
        die_at(step)
        rotate(home)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.wait()[1]) == 0:
        break
"""


def test_a_crash_at_each_step(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is as before or holds the whole new key; the command can be called again."""
    work = tmp_path / "work"
    subprocess.run([sys.executable, "-c", CRASH, home, work], check=True, timeout=60)
    made = []
    for copy in sorted(work.iterdir(), key=lambda path: int(path.name)):
        first = first_log_key(copy)
        newest, replaced = kept_keys(copy, first)
        made.append(len(replaced))
        again = rotate(copy, capsys)
        assert again["made"] is not bool(replaced)
        assert replaced == () or again["key"] == newest.public_key.hex()
        assert len(kept_keys(copy, first)[1]) == 1
        left = [path for path in (copy / "log-keys").iterdir() if path.name != "1.json"]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in left)
    assert made == sorted(made)
    assert len(made) >= 7
    assert {0, 1} == set(made)


def archived(home: Path) -> Path:
    """Beside it the archive of the log whose keys were rotated and revoked."""
    return write_rotated(home.parent / "out")


@pytest.mark.parametrize(
    ("since", "until"),
    [("5", 5), ("0", 0), ("checkpoint", None)],
)
def test_since_when_a_key_is_revoked(home: Path, since: str, until: int | None) -> None:
    """A number of events in the newest volume, or its newest checkpoint."""
    out = archived(home)
    assert revoke(home, since=since, out=out) == 0
    ending = kept_keys(home, FIRST)[1][-1].ending
    assert ending == revoked(rotated().end if until is None else until, volume=1)


@pytest.mark.parametrize(
    ("since", "reason"),
    [("100000", "holds"), ("-1", "neither"), ("now", "neither"), ("٣", "neither")],
)
def test_a_since_that_cannot_be(home: Path, since: str, reason: str) -> None:
    """Told at once; no key is made."""
    with pytest.raises(UsageError, match=reason):
        revoke(home, since=since, out=archived(home))
    assert kept_keys(home, FIRST)[1] == ()


def test_show_lists_ranges(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of each volume, by the hotkey's word, and the key that will be next."""
    out, told = archived(home), rotated()
    assert show(home, out=out) == 0
    shown = capsys.readouterr().out.splitlines()
    assert f"signed checkpoints from 0 to {told.second - 1}" in shown[0]
    assert f"revoked, signed checkpoints from {told.second} to {told.until}" in shown[1]
    assert f"{THIRD.public_key.hex()} signs checkpoints from {told.third} on" in shown[2]
    key = rotate(home, capsys)["key"]
    assert show(home, out=out, json=True) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["newest"], facts["pending"]) == (key, True)
    assert [k["state"] for k in facts["volumes"][0]["keys"]] == ["rotated", "revoked", "in use"]


def test_a_running_validator_keeps_its_key(home: Path) -> None:
    """The command waits for nobody: exit code 75."""
    out = archived(home)
    lock = FolderLock(ArchiveLog(out).folder)
    try:
        with pytest.raises(TryAgain, match="stop it first"):
            rotate_command(home, out=out)
    finally:
        lock.release()
    assert kept_keys(home, FIRST)[1] == ()


def test_a_folder_without_keys(tmp_path: Path) -> None:
    """A demo's keys are public, and a wrong folder has none."""
    with pytest.raises(UsageError, match="holds no master"):
        rotate_command(tmp_path)
    create_secret(tmp_path / "master.key")
    with pytest.raises(UsageError, match="holds no archive"):
        show(tmp_path, out=tmp_path / "nowhere")
