"""Logs that their own validator made to harm whoever reads them: whole, hashed and signed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from quasar.events import (
    AnswerReceived,
    AnyEvent,
    BlockObserved,
    CheckpointSigned,
    Event,
    LogKeyRotated,
    LogOpened,
    MetagraphObserved,
    PolicyAdopted,
    RoundOpened,
    TaskAssigned,
)
from quasar.events.base import Blob
from quasar.events.blobs import name_blob
from quasar.events.envelope import Draft, decode, encode
from quasar.events.log import PreviousVolume
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.log.archive import ArchiveWriter
from quasar.log.frames import pack
from quasar.log.tiles import write_tiles
from tests.faults.hostile_archives import segment, world
from tests.unit.cli_archive import identity_of

E = TypeVar("E", bound=Event)
Lines = list[bytes]
Blobs = list[bytes]
Change = Callable[[Lines, Blobs], object]

EARLY = 8
"""A place before the first answer."""
BIG = 2**53


def write(archive: Path, change: Change, segment_events: int = 100_000) -> None:
    """The log after a change, with all hashes, and signed."""
    of, lines, more = world(), list(world().lines), list[bytes]()
    change(lines, more)
    tree = Tree(map(leaf_hash, lines))
    with ArchiveWriter.open(archive, identity_of(of), segment_events=segment_events) as writer:
        for data in (*of.log.blobs._held.values(), *more):  # type: ignore[attr-defined]
            writer.put_blob(data)
        writer.append([line if _plain(line) else b"x" * n for n, line in enumerate(lines, 1)])
        writer.flush()
    note = sign_checkpoint(Checkpoint(of.origin, tree.size, tree.root()), of.log_key)
    if not all(map(_plain, lines)):  # what the writer would not take
        segment(archive).write_bytes(pack(lines))
        write_tiles(archive, tree, 0, tree.size)
    (archive / "checkpoint").write_text(note)


def _plain(line: bytes) -> bool:
    return 0 < len(line) <= 65_535


def line(text: bytes) -> Change:
    """Another line in the place of one."""
    return lambda lines, _: lines.__setitem__(EARLY, text)


def spelled(old: bytes, new: bytes) -> Change:
    """A line in another spelling."""

    def change(lines: Lines, _: Blobs) -> None:
        at = next(i for i, text in enumerate(lines) if i >= EARLY and old in text)
        lines[at] = lines[at].replace(old, new, 1)

    return change


def value(name: bytes, text: bytes) -> Change:
    """Another number in an envelope."""

    def change(lines: Lines, _: Blobs) -> None:
        lines[EARLY], count = re.subn(
            b'"%s":[0-9]+' % name, b'"%s":%s' % (name, text), lines[EARLY], count=1
        )
        assert count

    return change


def first_at(at: int) -> Change:
    """Event 1 at another time."""

    def change(lines: Lines, _: Blobs) -> None:
        lines[0] = re.sub(b'"at":[0-9]+', b'"at":%d' % at, lines[0])

    return change


def edited(kind: type[E], change: Callable[[E], Any], last: bool = False) -> Change:
    """The first event of a type, or the last, edited."""

    def edit(lines: Lines, _: Blobs) -> None:
        found = [i for i, text in enumerate(lines) if isinstance(decode(text).event, kind)]
        at = found[-1 if last else 0]
        envelope = decode(lines[at])
        event = change(envelope.event)  # type: ignore[arg-type]
        lines[at] = encode(
            Draft(actor=envelope.actor, cause=envelope.cause, event=event), envelope.at
        )

    return edit


def fields(kind: type[E], *, last: bool = False, **new: Any) -> Change:
    """Other values in an event."""
    return edited(kind, lambda event: msgspec.structs.replace(event, **new), last)


def blob(kind: type[E], field: str, data: bytes) -> Change:
    """An event that names a blob of these bytes, which is there."""

    def change(lines: Lines, more: Blobs) -> None:
        more.append(data)
        edited(kind, lambda event: msgspec.structs.replace(event, **{field: name_blob(data)}))(
            lines, more
        )

    return change


def added(*events: AnyEvent) -> Change:
    """More events at the end."""

    def change(lines: Lines, _: Blobs) -> None:
        for event in events:
            at = decode(lines[-1]).at
            lines.append(encode(Draft(actor="supervisor", cause=0, event=event), at))

    return change


def _policy(old: str, new: str) -> Change:
    toml = world().policy.decode()
    assert old in toml
    return blob(PolicyAdopted, "toml", toml.replace(old, new).encode())


ROTATED = LogKeyRotated(
    number=1, log_key="ab" * 32, first=1, until=0, reason="rotated", log_key_signature="cd" * 64
)
NEURON = b'{"uid":1,"hotkey":"%s","endpoint":"127.0.0.1:1"}'


def _rotations(lines: Lines, _: Blobs) -> None:
    """Many lines that pose as rotations, each as long as it may be."""
    text = encode(Draft(actor="supervisor", cause=0, event=ROTATED), decode(lines[-1]).at)
    lines += [text + b" " * (65_000 - len(text))] * 1_500


def _carried(lines: Lines, more: Blobs) -> None:
    """A later volume, and what it says that the one before handed on."""
    state = b"[" * 10**6
    more.append(state)
    previous = PreviousVolume(checkpoint="a\n", state=name_blob(state))
    fields(LogOpened, previous=previous, volume=2)(lines, more)


def _block(**new: Any) -> Change:
    return fields(BlockObserved, last=True, **new)


LINES: dict[str, Change] = {
    "line of 1 MB": line(b"[" + b"1," * 2**19 + b"1]"),
    "line of 16 MB": line(b"a" * 2**24),
    "empty line": line(b""),
    "blank line": line(b" "),
    "deep list": line(b"[" * 60_000),
    "deep object": line(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "deep event": spelled(b'"event":{', b'"event":{"x":' + b"[" * 30_000 + b"]" * 30_000 + b","),
    "key twice": spelled(b'"key":', b'"key":"round.1","key":'),
    "type twice": spelled(b'"type":', b'"type":"LogOpened","type":'),
    "field twice": spelled(b'"event":{"type":', b'"event":{"round":1,"round":1,"type":'),
    "NUL": line(b"\0" * 100),
    "null": line(b"null"),
    "list": line(b"[]"),
    "number": line(b"1"),
    "unknown type": spelled(b'"type":"', b'"type":"New'),
    "type of a megabyte of noise": spelled(b'"type":"', b'"type":"\\u001b[2J' + b"x" * 50_000),
    "more fields": spelled(b'"event":{', b'"event":{"extra":1,'),
    "NaN": value(b"cause", b"NaN"),
    "Infinity": value(b"at", b"Infinity"),
    "1e400": value(b"at", b"1e400"),
    "2**64": value(b"cause", b"18446744073709551616"),
    "60,000 digits": value(b"cause", b"9" * 60_000),
    "60,000 decimals": value(b"cause", b"0." + b"9" * 60_000),
    "time of the far future": value(b"at", b"9223372036854775807"),
    "time of the last day": value(b"at", b"253402300799000000000"),
    "time far behind": value(b"at", b"-9223372036854775808"),
    "log of the far future": first_at(2**63 - 1),
    "negative": value(b"cause", b"-1"),
    "invalid UTF-8": spelled(b'"actor":"', b'"actor":"\xff\xfe'),
    "overlong UTF-8": spelled(b'"actor":"', b'"actor":"\xc0\xaf'),
    "surrogate in UTF-8": spelled(b'"actor":"', b'"actor":"\xed\xa0\x80'),
    "lone surrogate": spelled(b'"actor":"', b'"actor":"\\ud800'),
    "BOM": spelled(b'{"key"', b'\xef\xbb\xbf{"key"'),
    "CRLF": lambda lines, _: lines.__setitem__(slice(None), [text + b"\r" for text in lines]),
    "blanks": spelled(b'"key":', b'"key": '),
    "rotations": _rotations,
    "many small rotations": lambda lines, _: lines.extend(
        [encode(Draft(actor="supervisor", cause=0, event=ROTATED), decode(lines[-1]).at)] * 5_000
    ),
    "rotation by nobody": added(ROTATED),
    "checkpoint of nobody": added(
        CheckpointSigned(size=BIG, root="00" * 32, note="\x1b[2J\n" * 1000)
    ),
    "checkpoint of a huge size": added(
        CheckpointSigned(size=9, root="00" * 32, note="a\n" + "9" * 50_000 + "\nAA==\n\n")
    ),
    "block of the far future": _block(number=BIG),
    "epoch of the far future": _block(epoch=BIG),
    "time beyond the calendar": _block(timestamp_ms=BIG),
    "head of the far future": _block(head=BIG),
    "round of the far future": fields(RoundOpened, last=True, round=BIG),
    "beacon of the far future": fields(RoundOpened, last=True, beacon_block=BIG),
    "deadline of an age": fields(TaskAssigned, deadline_ms=BIG),
    "assignment 2**53": fields(TaskAssigned, n=BIG),
    "task 2**53": fields(TaskAssigned, task=BIG),
    "answer that took an age": fields(AnswerReceived, elapsed_ms=BIG),
    "answer in a blob that is not there": fields(
        AnswerReceived, text=None, blob=Blob(sha256="ab" * 32, bytes=BIG)
    ),
    "blob of 2**53 bytes": fields(PolicyAdopted, toml=Blob(sha256="ab" * 32, bytes=BIG)),
    "policy: empty": blob(PolicyAdopted, "toml", b""),
    "policy: noise": blob(PolicyAdopted, "toml", bytes(range(256))),
    "policy: deep": blob(PolicyAdopted, "toml", b"a=" + b"[" * 30_000),
    "policy: deep keys": blob(PolicyAdopted, "toml", b".".join([b"a"] * 16_000) + b"=1"),
    "policy: many keys": blob(
        PolicyAdopted, "toml", b"".join(b"k%d=1\n" % n for n in range(300_000))
    ),
    "policy: many digits": blob(PolicyAdopted, "toml", b"a=" + b"9" * 30_000),
    "policy: a date": _policy("name =", "when = 9999-99-99\nname ="),
    "policy: nan": _policy("ema_alpha = ", "ema_alpha = nan #"),
    "policy: huge buckets": _policy("tokens = 1_000", "tokens = 1_000_000_000_000"),
    "policy: huge upload": _policy("upload_bytes = ", "upload_bytes = 99999999999999999 #"),
    "policy: endless answers": _policy("max_bytes = 16_384", "max_bytes = 67_108_864"),
    "policy: many tasks": _policy("tasks = 1\n", "tasks = 1_000_000_000\n"),
    "neurons: empty": blob(MetagraphObserved, "neurons", b""),
    "neurons: deep": blob(MetagraphObserved, "neurons", b"[" * 10**6),
    "neurons: half a million": blob(
        MetagraphObserved,
        "neurons",
        b"[" + b",".join([NEURON % (b"5" * 48)] * 500_000) + b"]",
    ),
    "neurons: no text": blob(MetagraphObserved, "neurons", b'["\xff"]'),
    "carried state: deep": _carried,
}
