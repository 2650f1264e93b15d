"""The proof of a fork: made from two sources, checked by a stranger who has neither of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from quasar.cli import app
from quasar.cli.run import run
from quasar.errors import CannotJudge, Damaged, QuasarError
from quasar.events import AnswerReceived, LogKeyRotated
from quasar.events.envelope import Draft, encode
from quasar.events.fork import Forked, open_fork
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import BadSignature, Checkpoint, sign_checkpoint
from quasar.events.rotation import rotation_statement
from quasar.log.archive import ArchiveLog, ArchiveWriter, copy_archive
from quasar.log.fork import find_fork, first_difference
from quasar.log.history import History, read_archive, read_text
from quasar.log.prove import Prover
from tests.builders import edited
from tests.forging import Forging, identity_of, played, write_archive
from tests.tampering import OTHER_KEY
from tests.unit.volume_folder import worlds, write_folder, write_volume

ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
Lines = list[bytes]


@pytest.fixture(scope="module")
def forged() -> tuple[Lines, int]:
    """The log with one answer altered and everything signed again; and that answer's number."""
    forging = Forging(played())
    item = forging.all(AnswerReceived)[-1]
    forging.edit(item, elapsed_ms=item.event.elapsed_ms + 1)
    return forging.lines(), forging.place(item)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What everybody sees. Not to be changed."""
    return write_archive(tmp_path_factory.mktemp("honest") / "a", played(), played().lines)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, forged: tuple[Lines, int]) -> Path:
    """What somebody else was shown. Not to be changed."""
    return write_archive(tmp_path_factory.mktemp("other") / "b", played(), forged[0])


def history(folder: Path) -> History:
    return read_archive(ArchiveLog(folder))


def found(one: History, two: History) -> Forked:
    """What the proof of their fork shows, whichever comes first."""
    files = [find_fork(one, two), find_fork(two, one)]
    shown = [open_fork(file or b"") for file in files]
    assert shown[0].seq == shown[1].seq
    assert {shown[0].first, shown[0].second} == {shown[1].first, shown[1].second}
    return shown[0]


def alone(lines: Lines, size: int, signer: Any = None) -> History:
    """A checkpoint over the first lines, without them."""
    world = played()
    root = Tree(map(leaf_hash, lines)).root(size)
    note = sign_checkpoint(Checkpoint(world.origin, size, root), signer or world.log_key)
    return read_text(f"note over {size}", note)


def test_two_archives(honest: Path, other: Path, forged: tuple[Lines, int]) -> None:
    """The first differing event is named, and shown to be the first, from either side."""
    shown = found(history(honest), history(other))
    lines, seq = forged
    assert (shown.seq, shown.is_first) == (seq, True)
    assert set(shown.lines or ()) == {played().lines[seq - 1], lines[seq - 1]}
    assert shown.hotkey == played().hotkey.ss58_address
    assert shown.first.size >= seq


def test_equal_and_shorter(honest: Path, tmp_path: Path) -> None:
    """A copy, and a log that only was not as far yet, are no fork."""
    copy_archive(honest, tmp_path / "copy")
    shorter = write_archive(tmp_path / "short", played(), played().lines[:100])
    assert find_fork(history(honest), history(tmp_path / "copy")) is None
    assert find_fork(history(honest), history(shorter)) is None
    assert find_fork(history(shorter), history(honest)) is None


@pytest.mark.parametrize("size", [40, 137, 149, 150])
def test_a_checkpoint_alone(honest: Path, forged: tuple[Lines, int], size: int) -> None:
    """A note that somebody kept is enough, of any size: with the archive it proves the fork."""
    lines, seq = forged
    note = alone(lines, size)
    if size < seq:
        assert find_fork(history(honest), note) is None
        return
    shown = found(history(honest), note)
    assert (shown.seq, shown.lines, shown.first.size) == (None, None, size)


def test_two_checkpoints_alone(honest: Path, forged: tuple[Lines, int]) -> None:
    """Two of equal size are compared, once something names the key; of other sizes, nothing."""
    log = ArchiveLog(honest)
    proof = read_text("proof", Prover(log).inclusion(7))
    assert found(proof, alone(forged[0], 150)).first.size == 150
    assert find_fork(proof, alone(played().lines, 150)) is None
    with pytest.raises(CannotJudge, match=r"nothing in proof can be compared with .* 149 events"):
        find_fork(proof, alone(forged[0], 149))
    with pytest.raises(CannotJudge, match="neither source holds the first event"):
        find_fork(alone(played().lines, 150), alone(forged[0], 150))


def test_a_proof_file(honest: Path, other: Path, forged: tuple[Lines, int], tmp_path: Path) -> None:
    """A miner's proof shows another event than the archive, which needs not hold as many."""
    proof = read_text("proof", Prover(ArchiveLog(other)).inclusion(forged[1]))
    short = write_archive(tmp_path / "short", played(), played().lines[: forged[1] + 1])
    for archive in (history(honest), history(short)):
        shown = found(archive, proof)
        assert (shown.seq, shown.is_first) == (forged[1], False)


def test_an_unsigned_end_proves_nothing(
    honest: Path, forged: tuple[Lines, int], tmp_path: Path
) -> None:
    """Lines that differ where nobody signed are no evidence."""
    with ArchiveWriter.open(tmp_path / "live", identity_of(played())) as writer:
        writer.append(forged[0])
        writer.flush()
    with pytest.raises(CannotJudge, match=f"differ from event {forged[1]} on, and .*live has no"):
        find_fork(history(honest), history(tmp_path / "live"))


def test_another_key(honest: Path, forged: tuple[Lines, int]) -> None:
    """A checkpoint under a key that the hotkey never named is nobody's word."""
    with pytest.raises(CannotJudge, match="not the validator's word"):
        find_fork(history(honest), alone(forged[0], 150, OTHER_KEY))


def rotated(folder: Path, reason: Literal["rotated", "revoked"], until: int) -> Path:
    """The honest log with a new key at its end, and a checkpoint under that."""
    world = played()
    event = LogKeyRotated(
        number=1,
        log_key=OTHER_KEY.public_key.hex(),
        first=151,
        until=until,
        reason=reason,
        log_key_signature="00" * 64,
    )
    statement = rotation_statement(world.origin, world.genesis, event)
    event = msgspec.structs.replace(event, log_key_signature=world.hotkey.sign(statement).hex())
    line = encode(Draft(actor="supervisor", cause=150, event=event), 0)
    with ArchiveWriter.open(folder, identity_of(world)) as writer:
        writer.append([*world.lines, line])
        writer.flush()
        head = Checkpoint(world.origin, 151, writer.tree.root())
        writer.publish(sign_checkpoint(head, OTHER_KEY), 151)
    return folder


def test_rotated_keys(forged: tuple[Lines, int], other: Path, tmp_path: Path) -> None:
    """Each history stands under its own key, and the hotkey's word for both is in the file."""
    archive = history(rotated(tmp_path / "new", "rotated", 150))
    shown = found(archive, history(other))
    assert (shown.seq, shown.second.size) == (forged[1], 151)
    assert shown.keys[0] != shown.keys[1]


def test_a_revoked_key(forged: tuple[Lines, int], tmp_path: Path) -> None:
    """What a thief signed with a key that was revoked is not held against the validator."""
    archive = history(rotated(tmp_path / "new", "revoked", 140))
    assert found(archive, alone(forged[0], 140)).first.size == 140
    with pytest.raises(CannotJudge, match="its key was revoked, and counts up to 140 events"):
        find_fork(archive, alone(forged[0], 141))


def test_first_difference() -> None:
    """The first number with different leaves, wherever it is."""
    leaves = [leaf_hash(b"%d" % i) for i in range(9)]
    assert first_difference(Tree(leaves), Tree(leaves[:5])) is None
    for seq in range(1, 10):
        changed = [*leaves[: seq - 1], bytes(32), *leaves[seq:]]
        assert first_difference(Tree(leaves), Tree(changed)) == seq


def changed(path: str, value: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    """Alters one field of the file, named by its path."""
    *parents, last = path.split(".")

    def alter(fork: dict[str, Any]) -> None:
        place = fork
        for name in parents:
            place = place[name]
        place[last] = value(place[last])

    return alter


def named(line: str, key: str) -> str:
    """The line as if it named another log key."""
    return edited(line.encode(), log_key=key).decode()


def swapped(fork: dict[str, Any]) -> None:
    """Both histories shown by the events of the other."""
    differs = fork["differs"]
    differs["first"], differs["second"] = differs["second"], differs["first"]


def without_lines(fork: dict[str, Any]) -> None:
    """Roots of two sizes, and nothing that leads from one to the other."""
    fork["differs"] = None
    fork["second"] = json.loads(json.dumps(fork["first"]))


TAMPERED: dict[str, Callable[[dict[str, Any]], None]] = {
    "origin": changed("origin", lambda o: o[:-1] + "2"),
    "genesis": changed("genesis", lambda g: g[:-1] + ("0" if g[-1] != "0" else "1")),
    "key": changed("first.names_key", lambda v: v.replace('"log_key":"', '"log_key":"0', 1)),
    "another key": changed("first.names_key", lambda v: named(v, OTHER_KEY.public_key.hex())),
    "statement": changed(
        "second.names_key", lambda v: v.replace('_signature":"', '_signature":"0')
    ),
    "no key": changed("second.names_key", lambda _: played().lines[1].decode()),
    "note": changed("first.note", lambda n: n.replace("\n", "\n1", 1)),
    "seq": changed("differs.seq", lambda s: s - 1),
    "event": changed("differs.first.event", lambda e: e.replace('"elapsed_ms":', '"elapsed_ms":1')),
    "hashes": changed("differs.second.hashes", lambda h: h[:-1]),
    "shared": changed("differs.first.shared", lambda h: [*h[1:], h[0]]),
    "shared root": changed("differs.shared_root", lambda r: "A" + r[1:]),
    "same events": lambda fork: fork["differs"].update(second=fork["differs"]["first"]),
    "events exchanged": swapped,
    "same history": without_lines,
    "format": changed("format", lambda _: "quasar-fork/2"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_an_altered_proof(honest: Path, other: Path, name: str) -> None:
    """Whatever was altered, it proves nothing any more."""
    data = find_fork(history(honest), history(other)) or b""
    fork = msgspec.json.decode(data)
    TAMPERED[name](fork)
    with pytest.raises((Damaged, BadSignature, CannotJudge)):
        open_fork(msgspec.json.encode(fork))


def test_a_prefix_is_no_fork(honest: Path) -> None:
    """A file that says that a log does not begin with its own past is refused."""
    archive, note = history(honest), alone(played().lines, 100)
    data = find_fork(archive, alone([*played().lines[:99], b"{}"], 100)) or b""
    fork = msgspec.json.decode(data)
    fork["first"]["note"] = note.notes[100]
    with pytest.raises(Damaged, match="the longer history begins with the shorter"):
        open_fork(msgspec.json.encode(fork))


def test_the_signer_can_be_named(honest: Path, other: Path) -> None:
    """A proof about another validator is refused."""
    data = find_fork(history(honest), history(other)) or b""
    assert open_fork(data, played().hotkey.ss58_address).hotkey == played().hotkey.ss58_address
    with pytest.raises(BadSignature, match="this is the log of"):
        open_fork(data, ALICE)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "{" * 99_999, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_what_is_no_proof(text: str | bytes) -> None:
    """Anything else ends with one error, whatever it is."""
    with pytest.raises(QuasarError):
        open_fork(text if isinstance(text, bytes) else text.encode())


class TestCommand:
    """``quasar diff`` as a person meets it."""

    def run(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
        code = run(app, [str(a) for a in arguments])
        return code, *capsys.readouterr()

    def test_fork(
        self, capsys: pytest.CaptureFixture[str], honest: Path, other: Path, tmp_path: Path
    ) -> None:
        """Exit 1 and a file; ``proof verify`` says who, which log, and from which event on."""
        file = tmp_path / "fork.json"
        code, said, _ = self.run(capsys, "diff", honest, other, "--evidence", "--out", file)
        assert (code, "FORK" in said) == (1, True)
        code, said, _ = self.run(capsys, "proof", "verify", file)
        assert code == 0
        for word in (
            "a fork",
            played().origin,
            played().hotkey.ss58_address,
            "they part   at event",
        ):
            assert word in said
        code, said, _ = self.run(capsys, "proof", "verify", file, "--json")
        shown = json.loads(said)
        assert (shown["kind"], shown["is_first"], len(shown["histories"])) == ("fork", True, 2)
        assert self.run(capsys, "proof", "verify", file, "--hotkey", ALICE)[0] == 1
        file.write_text(file.read_text().replace('"seq": ', '"seq": 1'))
        assert self.run(capsys, "proof", "verify", file)[0] == 1

    def test_a_checkpoint_file(
        self, capsys: pytest.CaptureFixture[str], honest: Path, other: Path, tmp_path: Path
    ) -> None:
        """The other archive's checkpoint alone is enough; its own past is no fork."""
        file = tmp_path / "fork.json"
        named = ("diff", "--evidence", honest)
        code, said, _ = self.run(capsys, *named, other / "checkpoint", "-o", file, "--json")
        assert (code, json.loads(said)["seq"]) == (1, None)
        oldest = min((other / "checkpoints").iterdir(), key=lambda path: int(path.name))
        code, said, _ = self.run(capsys, *named, oldest, "--json")
        assert (code, json.loads(said)["result"]) == (0, "consistent")

    def test_volumes(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """Volumes are compared each with its own; one with no counterpart is of no other log."""
        write_folder(tmp_path / "all")
        write_volume(worlds()[2], tmp_path / "three")
        code, said, _ = self.run(capsys, "diff", "--evidence", tmp_path / "all", tmp_path / "three")
        assert (code, "NO FORK" in said) == (0, True)
        code, _, said = self.run(capsys, "diff", "--evidence", "sample", tmp_path / "three")
        assert (code, said.count("\n"), "one log" in said) == (2, 1, True)

    def test_a_seal(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """The next volume names how the one before ended: another end of that is a fork."""
        one, two = worlds()[:2]
        write_volume(two, tmp_path / "two")
        write_volume(one, tmp_path / "one")
        named = ("diff", "--evidence", tmp_path / "two", "-o", tmp_path / "fork.json")
        assert self.run(capsys, *named, tmp_path / "one")[0] == 0
        with ArchiveWriter.open(tmp_path / "other", identity_of(one)) as writer:
            writer.append([*one.lines[:-1], edited(one.lines[-1], events=1)])
            writer.flush()
            head = Checkpoint(one.origin, writer.size, writer.tree.root())
            writer.publish(sign_checkpoint(head, one.log_key), writer.size)
        code, said, _ = self.run(capsys, *named, tmp_path / "other")
        assert (code, one.origin in said) == (1, True)

    def test_damaged(
        self, capsys: pytest.CaptureFixture[str], honest: Path, tmp_path: Path
    ) -> None:
        """A damaged archive is no evidence: exit 2, one line, no file."""
        copy_archive(honest, tmp_path / "copy")
        (tile,) = (tmp_path / "copy" / "tile").rglob("150")
        tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
        file = tmp_path / "fork.json"
        named = ("diff", "--evidence", honest, tmp_path / "copy", "-o", file)
        code, said, error = self.run(capsys, *named)
        assert (code, said, error.count("\n")) == (2, "", 1)
        assert "is damaged (event" in error
        assert self.run(capsys, "diff", honest, tmp_path / "copy")[0] == 2
        assert not file.exists()

    def test_numbers(
        self,
        capsys: pytest.CaptureFixture[str],
        honest: Path,
        other: Path,
        forged: tuple[Lines, int],
    ) -> None:
        """Without --evidence it says from where on two copies of a log differ."""
        code, said, _ = self.run(capsys, "diff", honest, other, "--json")
        assert (code, json.loads(said)["seq"]) == (1, forged[1])
        code, _, said = self.run(capsys, "diff", honest, "sample")
        assert (code, "the same miner" in said) == (2, True)
        code, said, _ = self.run(capsys, "diff", honest, honest)
        assert (code, "every event is equal" in said) == (0, True)
