"""Archives whose files somebody changed to harm whoever reads them; nothing is signed again."""

import json
import os
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import msgspec

from quasar.log.frames import pack
from quasar.log.zstd import CompressionParameter, compress
from tests.builders import World
from tests.forging import few_tasks
from tests.unit.cli_archive import write

Tamper = Callable[[Path], object]
GB = 2**30


@cache
def world() -> World:
    """A round of two miners, half of its answers in; nothing is revealed, so audits are quick."""
    made = World(miners=2, policy=few_tasks())

    async def play() -> None:
        await made.start_round(1)
        for d in made.open_deliveries()[::2]:
            await made.deliver(d, made.acceptance(d), made.received(d, b"ANSWER: 1"))

    anyio.run(play)
    return made


def honest(folder: Path) -> None:
    """The archive before anything is done to it."""
    write(world(), folder)


def segment(folder: Path) -> Path:
    """Its only segment."""
    return next((folder / "segments").iterdir())


def tile(folder: Path) -> Path:
    """Its newest hash tile."""
    return max((folder / "tile/0/000.p").iterdir(), key=lambda path: int(path.name))


def blob(folder: Path) -> Path:
    """The policy."""
    return min((folder / "blobs").glob("*/*"), key=lambda path: path.stat().st_size)


def note(folder: Path) -> Path:
    """The newest checkpoint."""
    return folder / "checkpoint"


def manifest(folder: Path) -> Path:
    """What the archive says of itself."""
    return folder / "manifest.json"


# What can stand in the place of a file.


def holds(data: bytes) -> Tamper:
    """Other bytes."""
    return lambda path: path.write_bytes(data)


def sparse(path: Path) -> None:
    """A terabyte of zeros that takes no room."""
    path.unlink()
    with path.open("wb") as file:
        file.truncate(2**40)


def fifo(path: Path) -> None:
    """A pipe that nobody writes to: who opens it waits for ever."""
    path.unlink()
    os.mkfifo(path)


def endless(path: Path) -> None:
    """A link to a device that never ends."""
    path.unlink()
    path.symlink_to("/dev/zero")


def device(path: Path) -> None:
    """The device itself, where this user may make one; else a link to it."""
    path.unlink()
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def listening(path: Path) -> None:
    """A socket."""
    path.unlink()
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path.parent)  # a socket's path may have 108 bytes only
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


def folder(path: Path) -> None:
    """A folder."""
    path.unlink()
    path.mkdir()


def elsewhere(path: Path) -> None:
    """A link to the same bytes outside the archive."""
    path.rename(outside := path.parents[1] / f"outside-{path.name}")
    path.symlink_to(outside)


ALL = int(os.environ.get("QUASAR_FAULT_TURNS", "1")) > 1
"""Whether every command meets every archive; by default some take turns, and some stay out."""
PLACES: dict[str, Callable[[Path], Path]] = {
    "segment": segment,
    "tile": tile,
    "blob": blob,
    "checkpoint": note,
    "manifest": manifest,
}
KINDS: dict[str, Tamper] = {
    "sparse": sparse,
    "fifo": fifo,
    "folder": folder,
    "empty": holds(b""),
    "noise": holds(bytes(range(256)) * 400),
}
RARE: dict[str, Tamper] = {"link to a device": endless, "device": device, "socket": listening}


def at(place: Callable[[Path], Path], kind: Tamper) -> Tamper:
    """Something in the place of a file."""
    return lambda archive: kind(place(archive))


def bomb(text: bytes, **options: int) -> Tamper:
    """A segment of one frame."""
    told: dict[int, int] = {getattr(CompressionParameter, k): v for k, v in options.items()}
    return lambda archive: segment(archive).write_bytes(compress(text, options=told or None))


def zeros(count: int) -> bytes:
    """A frame of so many zeros, made without holding them: blocks that repeat one byte."""
    block = 2**17
    repeat = (block << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (block << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x58" + repeat * (count // block - 1) + last


def followed_by(more: bytes) -> Tamper:
    """The segment, and more behind it."""
    return lambda archive: segment(archive).write_bytes(segment(archive).read_bytes() + more)


def edited(**fields: Any) -> Tamper:
    """A manifest with other values, as JSON text where they are bytes."""

    def tamper(archive: Path) -> None:
        told = json.loads(manifest(archive).read_bytes())
        told.update({k: v for k, v in fields.items() if not isinstance(v, bytes)})
        parts = {k: msgspec.json.encode(v) for k, v in told.items()}
        parts |= {k: v for k, v in fields.items() if isinstance(v, bytes)}
        text = b",".join(b'"%s":%s' % (k.encode(), v) for k, v in parts.items())
        manifest(archive).write_bytes(b"{%s}" % text)

    return tamper


def spelled(change: Callable[[bytes], bytes]) -> Tamper:
    """A manifest in another spelling."""
    return lambda archive: manifest(archive).write_bytes(change(manifest(archive).read_bytes()))


def named(name: str) -> Tamper:
    """A segment under a name that leads elsewhere."""
    return edited(segments=[{"name": name, "first": 1, "last": 5}])


def listed(count: int) -> Tamper:
    """So many segments of one event in the manifest."""
    return edited(
        last=count,
        segments=[
            {"name": f"{n:020}.jsonl.zst", "first": n, "last": n} for n in range(1, count + 1)
        ],
    )


def linked_folder(name: str) -> Tamper:
    """A folder of the archive that lies elsewhere."""

    def tamper(archive: Path) -> None:
        outside = archive.parent / f"outside-{name}"
        (archive / name).rename(outside)
        (archive / name).symlink_to(outside)

    return tamper


def many_files(name: str, count: int) -> Tamper:
    """A folder full of small files."""

    def tamper(archive: Path) -> None:
        (archive / name).mkdir(parents=True, exist_ok=True)
        for n in range(count):
            (archive / name / str(10**9 + n)).touch()

    return tamper


def tile_beyond(archive: Path) -> None:
    """Hashes of events that no log will ever have."""
    (archive / "tile/0/x999").mkdir()
    (archive / "tile/0/x999/999").write_bytes(bytes(8192))


FILES: dict[str, Tamper] = {
    **{
        f"{place}: {kind}": at(find, do)
        for place, find in PLACES.items()
        for kind, do in (KINDS | RARE if ALL or place == "segment" else KINDS).items()
    },
    **{f"{place}: link": at(find, elsewhere) for place, find in PLACES.items()},
    **{f"{n}: linked folder": linked_folder(n) for n in ("segments", "tile", "blobs")},
    "bomb: one line": at(segment, lambda path: path.write_bytes(zeros(GB))),
    "bomb: lines of a byte": bomb(b"a\n" * 2**25),
    "bomb: empty lines": bomb(b"\n" * 2**26),
    "bomb: large window": bomb(bytes(2**25), window_log=27),
    "two frames, the second of zeros": followed_by(zeros(GB)),
    "two frames, the second of lines": followed_by(pack([b"{}"] * 10_000)),
    "two frames, the second empty": followed_by(compress(b"")),
    "a frame to skip": followed_by(b"\x50\x2a\x4d\x18\x04\x00\x00\x00spam"),
    "a frame that claims 2**62 bytes": at(
        segment, holds(b"\x28\xb5\x2f\xfd\xe4" + (2**62).to_bytes(8, "little") + b"\x01\x00\x00")
    ),
    "a frame with a dictionary": at(segment, holds(b"\x28\xb5\x2f\xfd\x27\x01\x02\x03\x04" * 9)),
    "tile too short": at(tile, lambda path: path.write_bytes(path.read_bytes()[:-7])),
    "tile too long": at(tile, lambda path: path.write_bytes(path.read_bytes() * 9)),
    "tile beyond": tile_beyond,
    "many checkpoints": many_files("checkpoints", 3_000),
    "blob of other bytes": at(blob, lambda path: path.write_bytes(path.read_bytes()[::-1])),
    "note of many signatures": at(
        note, lambda path: path.write_bytes(path.read_bytes() + b"\xe2\x80\x94 a bbbb\n" * 9000)
    ),
    "note of 100 MB": at(note, holds(b"a\n" * 5 * 10**7)),
    "note with CRLF": at(
        note, lambda path: path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    ),
    "note with BOM": at(note, lambda path: path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())),
    "note with a number of a million digits": at(
        note, holds(b"a\n" + b"9" * 120_000 + b"\nAA==\n\n")
    ),
    "manifest of 100 MB": at(manifest, holds(b"[" + b"1," * 5 * 10**7 + b"1]")),
    "manifest: deep": at(manifest, holds(b'{"format":' + b"[" * 10**6)),
    "manifest: deep unknown": edited(more=b"[" * 10**5 + b"]" * 10**5),
    "manifest: BOM": spelled(lambda text: b"\xef\xbb\xbf" + text),
    "manifest: UTF-16": spelled(lambda text: text.decode().encode("utf-16")),
    "manifest: invalid UTF-8": edited(hotkey=b'"\xff\xfe"'),
    "manifest: lone surrogate": edited(hotkey=b'"\\ud800"'),
    "manifest: control characters": edited(hotkey="\x1b[2J\x1b]0;owned\x07\u202e"),
    "manifest: NaN": edited(last=b"NaN"),
    "manifest: 1e400": edited(last=b"1e400"),
    "manifest: fraction": edited(last=b"1.5"),
    "manifest: negative": edited(last=-1),
    "manifest: 2**64": edited(last=2**64),
    "manifest: a million digits": edited(last=b"9" * 10**6),
    "manifest: 2**53 events": edited(last=2**53),
    "manifest: all in one segment": edited(
        last=2**53, segments=[{"name": f"{1:020}.jsonl.zst", "first": 1, "last": 2**53}]
    ),
    "manifest: many segments": listed(30_000),
    "manifest: other volume": edited(volume=7),
    "name: parent": named("../../secret.jsonl.zst"),
    "name: absolute": named("/etc/passwd"),
    "name: long": named("a" * 10**5),
    "manifest: a long hotkey": edited(hotkey="5" * 10**6),
    "manifest: last twice": spelled(lambda text: text.replace(b'"last"', b'"last": 7, "last"', 1)),
    "name: NUL": named("a\0b"),
    "name: control characters": named("\x1b[2J"),
}
