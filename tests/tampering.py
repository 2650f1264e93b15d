"""An archive and proofs to tamper with, and every way of doing so that a verifier must see."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from quasar.chain.keys import hotkey_from_seed, log_key_from_seed
from quasar.events import AnyEvent, CheckpointSigned, Draft, LogOpened, PolicyAdopted, RunEnded
from quasar.events.envelope import encode
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.events.signing import Signer, log_id_of, log_key_statement
from quasar.log.archive import ArchiveIdentity, ArchiveWriter
from quasar.log.frames import pack
from quasar.log.zstd import ZstdDecompressor

EVENTS = 600
SEGMENT = 200
SIZES = (260, 530, 540, EVENTS)
"""Of the checkpoints; the tiles of 530 and 540 are needed by these alone."""
SEED = b"tampering".ljust(32, b"\0")
HOTKEY = hotkey_from_seed(SEED, "validator")
LOG_KEY = log_key_from_seed(SEED)
OTHER_KEY = log_key_from_seed(SEED[::-1])
GENESIS = "0x" + "1b" * 32
IDENTITY = ArchiveIdentity(
    log_id=log_id_of(GENESIS, 24, HOTKEY.ss58_address, 1),
    volume=1,
    netuid=24,
    hotkey=HOTKEY.ss58_address,
    genesis=GENESIS,
)
BLOB = b"rules " * 1000

Tamper = Callable[[Path], object]


def opening(key: Signer = LOG_KEY) -> LogOpened:
    """Event 1, signed by the hotkey for the true log key, whatever key it names."""
    statement = log_key_statement(IDENTITY.origin, GENESIS, LOG_KEY.public_key.hex())
    return LogOpened(
        log_id=IDENTITY.log_id,
        log_number=1,
        volume=1,
        netuid=24,
        genesis=GENESIS,
        hotkey=HOTKEY.ss58_address,
        log_key=key.public_key.hex(),
        log_key_signature=HOTKEY.sign(statement).hex(),
        secrets_tip="2c" * 32,
        previous=None,
    )


def make_archive(
    folder: Path, key: Signer = LOG_KEY, *, reason: str = "done", sizes: tuple[int, ...] = SIZES
) -> Path:
    """600 events in three segments, a blob, and four checkpoints, one of them an event too."""
    with ArchiveWriter.open(folder, IDENTITY, segment_events=SEGMENT) as writer:
        blob = writer.put_blob(BLOB)

        def add(event: AnyEvent) -> None:
            seq = writer.size + writer.pending + 1
            writer.append([encode(Draft(actor="test", cause=seq - 1, event=event), seq)])

        add(opening(key))
        add(PolicyAdopted(number=1, name="rules", toml=blob))
        for n in range(3, EVENTS + 1):
            add(RunEnded(run=n, reason=reason) if n != 300 else _signed(writer, key))
            if n in (*sizes, EVENTS):
                writer.flush()
                note = sign_checkpoint(Checkpoint(IDENTITY.origin, n, writer.tree.root()), key)
                if n in sizes:
                    writer.publish(note, n)
    return folder


def _signed(writer: ArchiveWriter, key: Signer) -> CheckpointSigned:
    size, root = writer.size, writer.tree.root()
    note = sign_checkpoint(Checkpoint(IDENTITY.origin, size, root), key)
    return CheckpointSigned(size=size, root=root.hex(), note=note)


def read_lines(path: Path) -> list[bytes]:
    """The lines of a segment."""
    text, rest = b"", path.read_bytes()
    while rest:
        frame = ZstdDecompressor()
        text += frame.decompress(rest)
        rest = frame.unused_data
    return text.splitlines()


def segment(folder: Path, number: int) -> Path:
    """A segment's file, counted from 0."""
    return sorted((folder / "segments").iterdir())[number]


def lines(change: Callable[[list[bytes]], object], number: int = 1) -> Tamper:
    """Change the lines of a segment in place, and pack them again."""

    def tamper(folder: Path) -> None:
        path = segment(folder, number)
        held = read_lines(path)
        change(held)
        path.write_bytes(pack(held))

    return tamper


def edit(name: str, change: Callable[[bytes], bytes]) -> Tamper:
    """Change a file's bytes."""

    def tamper(folder: Path) -> None:
        path = folder / name
        before = path.read_bytes()
        path.write_bytes(change(before))
        assert path.read_bytes() != before

    return tamper


def replace(name: str, old: bytes, new: bytes) -> Tamper:
    """Change text in a file, wherever it stands."""
    return edit(name, lambda data: data.replace(old, new))


def flip(name: str, at: int) -> Tamper:
    """Change a bit of a file."""
    return edit(name, lambda data: data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])


def manifest(change: Callable[[dict[str, Any]], object]) -> Tamper:
    """Change a field of the manifest."""

    def tamper(folder: Path) -> None:
        path = folder / "manifest.json"
        told = json.loads(path.read_bytes())
        change(told)
        path.write_text(json.dumps(told))

    return tamper


def remove(name: str) -> Tamper:
    """Take a file away."""
    return lambda folder: (folder / name).unlink()


def blob_file(folder: Path) -> Path:
    """The one blob."""
    return next((folder / "blobs").glob("*/*"))


def _swap(held: list[bytes]) -> None:
    held[49], held[50] = held[50], held[49]


def _replace(at: int, old: bytes, new: bytes) -> Callable[[list[bytes]], None]:
    def change(held: list[bytes]) -> None:
        assert old in held[at]
        held[at] = held[at].replace(old, new)

    return change


def _hex(key: Signer) -> bytes:
    return key.public_key.hex().encode()


def _other_root(note: bytes) -> bytes:
    told = note.split(b"\n")
    told[2] = base64.b64encode(bytes(32))
    return b"\n".join(told)


def _foreign(folder: Path) -> None:
    """The newest checkpoint under the key of somebody else, who says the same."""
    body = (folder / "checkpoint").read_text().split("\n")
    head = Checkpoint(IDENTITY.origin, EVENTS, base64.b64decode(body[2]))
    (folder / "checkpoint").write_text(sign_checkpoint(head, OTHER_KEY))


def _rewritten(folder: Path) -> None:
    """The validator itself writes another history and signs it; one old note was kept."""
    kept = (folder / "checkpoints" / "260").read_bytes()
    _empty(folder)
    make_archive(folder, reason="better", sizes=(EVENTS,))
    (folder / "checkpoints" / "260").write_bytes(kept)


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def _rolled_back(folder: Path) -> None:
    """An older checkpoint poses as the newest."""
    (folder / "checkpoint").write_bytes((folder / "checkpoints" / "540").read_bytes())


TILE = f"tile/0/002.p/{EVENTS - 512}"
FIRST = "segments/00000000000000000001.jsonl.zst"
SECOND = "segments/00000000000000000201.jsonl.zst"

ARCHIVE_KINDS: dict[str, tuple[Tamper, int]] = {
    "a byte of a line": (lines(_replace(49, b"done", b"dOne")), 250),
    "a line dropped": (lines(lambda held: held.pop(49)), 250),
    "the first line dropped": (lines(lambda held: held.pop(0), 0), 1),
    "the last line dropped": (lines(lambda held: held.pop(), 2), 600),
    "a line doubled": (lines(lambda held: held.insert(49, held[49])), 251),
    "two lines swapped": (lines(_swap), 250),
    "a line appended": (lines(lambda held: held.append(held[0]), 2), 601),
    "a line emptied": (lines(lambda held: held.__setitem__(49, b"")), 250),
    "a line in another spelling": (lines(_replace(49, b'"key":', b'"key": ')), 250),
    "a segment cut short": (edit(SECOND, lambda data: data[:-20]), 261),
    "a segment renamed": (
        lambda f: (f / SECOND).rename(f / "segments" / "00000000000000000202.jsonl.zst"),
        201,
    ),
    "a segment missing": (remove(SECOND), 201),
    "a segment too many": (
        lambda f: (f / "segments" / "00000000000000000601.jsonl.zst").write_bytes(pack([b"{}"])),
        601,
    ),
    "bytes behind a segment": (edit(FIRST, lambda data: data + b"more"), 201),
    "a full tile": (flip("tile/0/001", 40), 258),
    "a tile missing": (remove("tile/0/001"), 257),
    "a tile cut short": (edit("tile/0/001", lambda data: data[:-32]), 512),
    "the newest tile": (flip(TILE, 40), 514),
    "an older partial tile": (flip("tile/0/002.p/18", 40), 514),
    "an older partial tile cut short": (edit("tile/0/002.p/18", lambda data: data[:-32]), 513),
    "a tile beyond the end": (
        lambda f: (f / "tile" / "0" / "003").write_bytes(bytes(8192)),
        601,
    ),
    "the checkpoint's root": (edit("checkpoint", _other_root), 600),
    "the checkpoint's size": (replace("checkpoint", b"\n600\n", b"\n599\n"), 600),
    "the checkpoint's origin": (replace("checkpoint", b"/24/", b"/25/"), 600),
    "the checkpoint's signature": (flip("checkpoint", -20), 600),
    "a foreign checkpoint": (_foreign, 600),
    "no checkpoint": (remove("checkpoint"), 600),
    "an older checkpoint as the newest": (_rolled_back, 541),
    "a kept checkpoint": (flip("checkpoints/260", -20), 600),
    "a kept checkpoint under another size": (
        lambda f: (f / "checkpoints/260").rename(f / "checkpoints/261"),
        260,
    ),
    "a history rewritten and signed again": (_rewritten, 260),
    "a blob": (lambda f: blob_file(f).write_bytes(BLOB.replace(b"s", b"z", 1)), 2),
    "a blob too long": (lambda f: blob_file(f).write_bytes(BLOB + b"s"), 2),
    "a blob missing": (lambda f: blob_file(f).unlink(), 2),
    "the manifest's last": (manifest(lambda m: m.update(last=599)), 600),
    "the manifest's first": (manifest(lambda m: m.update(first=2)), 601),
    "a segment's first in the manifest": (
        manifest(lambda m: m["segments"][1].update(first=202)),
        201,
    ),
    "a segment left out of the manifest": (manifest(lambda m: m["segments"].pop(1)), 201),
    "the manifest's hotkey": (
        manifest(lambda m: m.update(hotkey=hotkey_from_seed(SEED, "other").ss58_address)),
        1,
    ),
    "the log key in event 1": (
        lines(_replace(0, _hex(LOG_KEY), _hex(OTHER_KEY)), 0),
        1,
    ),
}  # fmt: skip
"""What was done, and the first bad event."""


def replaced_key(folder: Path) -> Path:
    """A whole archive by somebody who has no hotkey: another log key, everything signed with it."""
    return make_archive(folder, OTHER_KEY)


def exhibits(text: str, change: Callable[[dict[str, Any]], object]) -> str:
    """The proof with what it carries changed."""
    head, found, rest = text.partition("extra ")
    extra, newline, behind = rest.partition("\n")
    told = json.loads(base64.b64decode(extra))
    change(told)
    again = base64.b64encode(msgspec.json.encode(told)).decode()
    return head + found + again + newline + behind


def _shown(told: dict[str, Any], tag: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e for e in told["others"] if f'"type":"{tag}"' in e["event"])
    return found


def _in(tag: str, old: str, new: str) -> Callable[[str], str]:
    def change(told: dict[str, Any]) -> None:
        shown = _shown(told, tag)
        assert old in shown["event"]
        shown["event"] = shown["event"].replace(old, new, 1)

    return lambda text: exhibits(text, change)


def _hashes(change: Callable[[list[str]], object]) -> Callable[[str], str]:
    """Change the lines between index and checkpoint."""

    def tamper(text: str) -> str:
        head, found, note = text.partition("\n\n")
        top, *hashes = head.split("\nindex ")
        index, *listed = hashes[0].split("\n")
        change(listed)
        return "\n".join([f"{top}\nindex {index}", *listed]) + found + note

    return tamper


def _note(old: str, new: str) -> Callable[[str], str]:
    def tamper(text: str) -> str:
        head, found, note = text.partition("\n\n")
        assert old in note
        return head + found + note.replace(old, new, 1)

    return tamper


def _index(text: str) -> str:
    head, found, rest = text.partition("\nindex ")
    index, newline, behind = rest.partition("\n")
    return f"{head}{found}{int(index) ^ 1}{newline}{behind}"


SCORE_KINDS: dict[str, Callable[[str], str]] = {
    "the index": _index,
    "a hash": _hashes(lambda h: h.__setitem__(0, "A" * 43 + "=")),
    "a hash dropped": _hashes(lambda h: h.pop()),
    "a hash too many": _hashes(lambda h: h.append("A" * 43 + "=")),
    "two hashes swapped": _hashes(lambda h: h.insert(0, h.pop(1))),
    "the proved line": lambda t: exhibits(
        t, lambda told: told.update(event=told["event"].replace('"reward":0.0', '"reward":1.0'))
    ),
    "the answer": _in("AnswerReceived", "ANSWER: ", "ANSWER: 9"),
    "the receipt's request": _in("AnswerReceived", '"request":"', '"request":"0'),
    "the question": _in("TaskAssigned", '"text":"', '"text":"No. '),
    "another event's place": lambda t: exhibits(
        t, lambda told: _shown(told, "TaskAssigned").update(index=5)
    ),
    "another event's hash": lambda t: exhibits(
        t, lambda told: _shown(told, "TaskAssigned")["hashes"].__setitem__(0, "A" * 43 + "=")
    ),
    "the request": lambda t: exhibits(
        t, lambda told: told.update(request=told["request"].replace('"n":', '"n":1'))
    ),
    "no request": lambda t: exhibits(t, lambda told: told.update(request=None)),
    "no answer": lambda t: exhibits(
        t, lambda told: told["others"].remove(_shown(told, "AnswerReceived"))
    ),
    "no event 1": lambda t: exhibits(
        t, lambda told: told["others"].remove(_shown(told, "LogOpened"))
    ),
    "the log key": _in("LogOpened", '"log_key":"', '"log_key":"0'),
    "the checkpoint's origin": _note("/24/", "/25/"),
    "the checkpoint's size": lambda t: t.replace("\n150\n", "\n151\n"),
    "the checkpoint's signature": lambda t: t[:-30] + ("B" if t[-30] == "A" else "A") + t[-29:],
    "no checkpoint": lambda t: t.partition("\n\n")[0] + "\n\n",
}
"""Ways to tamper with the proof of a score that was 0."""
