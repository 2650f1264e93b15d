"""Takes the streams of sealed volumes off the server, once their archives are known to be whole.

A stream costs the server memory and disk for ever, and a sealed volume is never written again.
What stays is the archive, so it is checked as a stranger would check it: every line against its
hash, and all of them against the sealed checkpoint, which one signature covers. The server's own
bytes are not all read again: it must hold nothing more than the archive, and in its last place the
same event.
"""

import base64
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import msgspec

from quasar.errors import CannotJudge, Damaged, LogError, QuasarError, UsageError
from quasar.events import LogOpened
from quasar.events.envelope import decode
from quasar.log.archive_reader import ArchiveLog
from quasar.log.child_process import ending_with_parent
from quasar.log.jetstream_api import ApiError, Login
from quasar.log.jetstream_wire import Wire
from quasar.log.manifest import ArchiveIdentity
from quasar.log.verify import verify_archive
from quasar.log.whole import is_pruned, is_sealed

_NO_STREAM = 10059
_NO_MESSAGE = 10037
_PATIENCE_S = 30.0
_NICE = 10

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from quasar.log.retire import answer
answer(sys.argv[2], sys.argv[3])
"""

Folders = Callable[[int], Path]
"""From a volume's number to the folder of its archive."""


class Retired(NamedTuple):
    """A stream that left the server."""

    volume: int
    events: int
    bytes: int
    """That it held in the server's store."""


class Kept(NamedTuple):
    """A stream that stays for now."""

    volume: int
    reason: str


class Whole(msgspec.Struct, frozen=True):
    """What a check of an archive found; with a failure, nothing else counts."""

    events: int = 0
    failure: str = ""


async def retire(
    url: str, login: Login, newest: ArchiveIdentity, folders: Folders
) -> AsyncIterator[Retired | Kept]:
    """Delete the streams of all volumes before ``newest``, oldest first; gives what became of each.

    ``login`` must be allowed to delete streams. A stream stays where its archive is not whole, not
    sealed or of another log, where the server holds more than the archive, and where the following
    volume does not begin with this one's seal. Each step may be repeated, so that a crash at any
    point leaves work for the next call, never less than one whole copy. Raises LogError where the
    server does not answer.
    """
    async with Wire.open(url, login, _PATIENCE_S) as wire:
        for volume in await _volumes(wire, newest.log_id):
            if volume < newest.volume:
                yield await _retire(wire, _identity(newest, volume), newest.volume, folders)


async def check_sealed(folder: Path, hotkey: str) -> Whole:
    """Check a sealed archive in a process of its own, so that this one goes on with its work."""
    program = [sys.executable, "-I", "-c", _PROGRAM, msgspec.json.encode(sys.path).decode()]
    command = ending_with_parent([*program, str(folder), hotkey])
    with anyio.CancelScope(shield=True):  # asyncio would lose a process that still starts
        process = await anyio.open_process(command, stdin=DEVNULL, stderr=None)
    async with process:  # which kills it where this is cancelled
        assert process.stdout is not None
        said = b"".join([piece async for piece in process.stdout])
        code = await process.wait()
    if code:
        return Whole(failure=f"the process that checks {folder} ended with {code}")
    return msgspec.json.decode(said, type=Whole)


def answer(folder: str, hotkey: str) -> None:
    """What that process does, behind whoever needs the processor more; it prints what it found."""
    os.nice(_NICE)
    try:
        found = _check_whole(Path(folder), hotkey)
    except (QuasarError, OSError) as problem:
        found = Whole(failure=str(problem))
    sys.stdout.buffer.write(msgspec.json.encode(found))


def _check_whole(folder: Path, hotkey: str) -> Whole:
    log = ArchiveLog(folder)
    if is_pruned(log):  # which begins with a check of all of it, against a second copy
        return Whole(events=log.manifest.last)
    if not is_sealed(log):
        raise UsageError("it is not sealed")
    # One process: the validator beside it needs the other processors.
    found = verify_archive(folder, hotkey=hotkey, processes=1)
    if found.unsigned:
        raise UsageError(f"its newest {found.unsigned} events are not signed")
    return Whole(events=found.events)


async def _retire(
    wire: Wire, identity: ArchiveIdentity, newest: int, folders: Folders
) -> Retired | Kept:
    volume, stream = identity.volume, _stream(identity)
    try:
        log = await anyio.to_thread.run_sync(ArchiveLog, folders(volume))
        if log.manifest.identity != identity:
            raise UsageError(f"{log.folder} is the archive of {log.manifest.identity.origin}")
        found = await check_sealed(log.folder, identity.hotkey)
        if found.failure:
            raise LogError(found.failure)
        await _check_followed(wire, log, newest, folders)
        state = await _check_server(wire, stream, log)
        await _delete(wire, stream)
    except QuasarError as problem:
        return Kept(volume, str(problem))
    return Retired(volume, found.events, state["bytes"])


async def _check_followed(wire: Wire, log: ArchiveLog, newest: int, folders: Folders) -> None:
    """The next volume must go on from this very seal: then nothing is ever written here again."""
    following = log.manifest.volume + 1
    if following == newest:
        identity = _identity(log.manifest.identity, following)
        line = await _line(wire, _stream(identity), 1)
    else:
        archive = await anyio.to_thread.run_sync(ArchiveLog, folders(following))
        if is_pruned(archive):
            return
        line = await anyio.to_thread.run_sync(_first_line, archive)
    opened = decode(line).event if line else None
    if not isinstance(opened, LogOpened) or opened.previous is None:
        raise UsageError(f"volume {following} is not open yet")
    if opened.previous.checkpoint != log.checkpoint_note():
        raise UsageError(
            f"volume {following} goes on from another seal: audit both before anything"
        )


async def _check_server(wire: Wire, stream: str, log: ArchiveLog) -> dict[str, Any]:
    """The stream's state, once it is known to hold nothing that the archive lacks.

    It may hold less: a server that was killed while it deleted leaves a part.
    """
    state: dict[str, Any] = (await wire.api(f"STREAM.INFO.{stream}", None))["state"]
    last, held = state["last_seq"], log.manifest.last
    if last > held:
        raise Damaged(held + 1, f"the server holds {last} events and the archive only {held}")
    line = await _line(wire, stream, last) if state["messages"] else None
    if line is not None and not is_pruned(log):
        archived = await anyio.to_thread.run_sync(_line_at, log, last)
        if line != archived:
            raise Damaged(last, "the server and the archive hold different events")
    return state


async def _delete(wire: Wire, stream: str) -> None:
    try:
        await wire.api(f"STREAM.DELETE.{stream}", None)
    except ApiError as error:
        if error.code != _NO_STREAM:  # else an answer was lost, and it was asked again
            raise


async def _line(wire: Wire, stream: str, seq: int) -> bytes | None:
    """A stored line; None where the server has none under that number."""
    try:
        found = await wire.api(f"STREAM.MSG.GET.{stream}", {"seq": seq})
    except ApiError as error:
        if error.code in (_NO_STREAM, _NO_MESSAGE):
            return None
        raise
    return base64.b64decode(found["message"]["data"])


async def _volumes(wire: Wire, log_id: str) -> list[int]:
    """Numbers of the volumes whose streams are on the server, ascending."""
    prefix, names, total = f"Q-{log_id}-", set[str](), 1
    while len(names) < total:
        page = await wire.api("STREAM.NAMES", {"offset": len(names)})
        total = page["total"]
        if not page.get("streams"):
            break
        names.update(page["streams"])
    numbers = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
    return sorted(int(number) for number in numbers if number.isdecimal())


def _identity(of: ArchiveIdentity, volume: int) -> ArchiveIdentity:
    return msgspec.structs.replace(of, volume=volume)


def _stream(identity: ArchiveIdentity) -> str:
    return f"Q-{identity.log_id}-{identity.volume}"


def _first_line(log: ArchiveLog) -> bytes:
    return _line_at(log, 1)


def _line_at(log: ArchiveLog, seq: int) -> bytes:
    for _, line in log.lines(seq - 1):
        return line
    raise CannotJudge(f"{log.folder} holds no event {seq}")
