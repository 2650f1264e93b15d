"""``quasar log import``: a recorded log into a log server, or stored lines into an archive."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import anyio
from cyclopts import Parameter

from quasar.cli.nats import OWN_SERVER, Nats
from quasar.cli.output import err, out, say_json
from quasar.cli.source import open_volumes
from quasar.errors import Damaged, LogError, TryAgain, UsageError
from quasar.events.merkle import Tree, leaf_hash
from quasar.log.access import ADMIN, LogServer
from quasar.log.archive_reader import ArchiveLog
from quasar.log.blobs import FolderBlobs
from quasar.log.files import FolderLock, is_locked, make_folder, sync_folder
from quasar.log.import_lines import identity_in, read_lines, write_unsigned
from quasar.log.jetstream import JetStreamLog
from quasar.log.manifest import ArchiveIdentity
from quasar.log.server import NatsServer
from quasar.log.verify import verify_archive
from quasar.log.whole import is_pruned, is_unsigned

LINES = ".jsonl"
"""How the name of a file of stored lines ends."""


class Volume(NamedTuple):
    """What becomes one stream."""

    identity: ArchiveIdentity
    events: int
    lines: Callable[[], Iterable[bytes]]
    blobs: Path


def log_import(
    source: str,
    /,
    *,
    state: Path | None = None,
    nats: Nats = OWN_SERVER,
    output: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Put a recorded log into a log server that has none of it; it is verified first, all of it.

    With --state into the store of a validator or of a developer's own; with --nats into a server
    that somebody runs: `quasar validate --nats ... --out ARCHIVE` goes on there. Blobs stay in the
    archive. With --out, a file of stored lines becomes an archive that nobody signed.

    Parameters
    ----------
    source
        Folder of an archive or of volumes, ``sample``, or a file of stored lines (``.jsonl``).
    state
        Folder whose ``nats`` becomes the store; there must be none yet.
    output
        New folder of the unsigned archive.
    json
        Print one JSON object.
    """
    server = nats.server()
    if [state is not None, server is not None, output is not None].count(True) != 1:
        raise UsageError("name where it shall go: one of --state, --nats and --out")
    if output is not None:
        return _unsigned(source, output, json)
    volumes = _volumes(source)
    if state is not None:
        place = str(state / "nats")
        anyio.run(_into_store, volumes, state)
    else:
        assert server is not None
        place = server.url
        anyio.run(_into_server, volumes, server)
    _say(sum(v.events for v in volumes), len(volumes), place, json)
    return 0


def _volumes(source: str) -> list[Volume]:
    """What a source holds, once all of it is verified."""
    if source.endswith(LINES):
        return [_of_lines(Path(source))]
    logs = [log for log in open_volumes(source) if not is_pruned(log)]
    if not logs:
        raise UsageError(f"the events of {source} were pruned: import the other copy of them")
    for log in logs:
        _verify(log)
    return [_of_archive(log) for log in logs]


def _verify(log: ArchiveLog) -> None:
    if is_locked(log.folder):
        raise TryAgain(f"{log.folder} is being written: stop its validator, then import")
    if not is_unsigned(log):
        verify_archive(log.folder)
        return
    for _ in log.verified():
        pass
    err.print(f"{log.folder} is unsigned: its lines are whole, whoever wrote them", markup=False)


def _of_archive(log: ArchiveLog) -> Volume:
    def lines() -> Iterator[bytes]:
        return (line for _, line in log.verified())

    return Volume(log.manifest.identity, log.manifest.last, lines, log.folder / "blobs")


def _of_lines(path: Path) -> Volume:
    identity, events = identity_in(path), sum(1 for _ in read_lines(path))
    return Volume(identity, events, lambda: read_lines(path), path.with_name("blobs"))


async def _into_store(volumes: Sequence[Volume], state: Path) -> None:
    """Raises UsageError where there is a store, TryAgain while another import makes one."""
    store = state / "nats"
    if store.exists():
        raise UsageError(f"{store} exists: nothing is imported over a store, name another --state")
    try:
        make_folder(state)
        lock = FolderLock(state)
        try:
            await _make_store(volumes, store)
        finally:
            lock.release()
    except OSError as problem:
        raise LogError(f"{store} cannot be made: {problem.strerror or problem}") from problem


async def _make_store(volumes: Sequence[Volume], store: Path) -> None:
    """Made beside its place, and moved there once all is in it."""
    partial = store.with_name(f".{store.name}.importing")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        async with NatsServer.open(partial) as server:
            await _into_server(volumes, server)
        partial.rename(store)
        sync_folder(store.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


async def _into_server(volumes: Sequence[Volume], server: LogServer) -> None:
    """Nothing is written before every stream is seen to be empty."""
    for volume in volumes:
        async with _stream(volume, server) as log:
            held = await log.head()
        if held:
            raise UsageError(
                f"{server.url} holds {held} events of {volume.identity.origin}: nothing is "
                "imported over a log"
            )
    for volume in volumes:
        async with _stream(volume, server) as log:
            await log.restore(volume.lines())
            await _check(log, volume)


@asynccontextmanager
async def _stream(volume: Volume, server: LogServer) -> AsyncIterator[JetStreamLog]:
    async with JetStreamLog.open(
        server.url,
        volume.identity.log_id,
        volume.identity.volume,
        FolderBlobs(volume.blobs, read_only=True),
        login=server.login(ADMIN),
        replicas=server.replicas,
    ) as log:
        yield log


async def _check(log: JetStreamLog, volume: Volume) -> None:
    """The server now gives back what it was given. Raises Damaged."""
    given, held = Tree(map(leaf_hash, volume.lines())), Tree()
    if await log.head() != given.size:
        raise Damaged(given.size, "the server holds another number of events than it was given")
    async for seq, line in log.read():
        held.append(leaf_hash(line))
        if seq >= given.size:
            break
    if held.root() != given.root():
        raise Damaged(given.size, "the server gives back other events than it was given")


def _unsigned(source: str, output: Path, json: bool) -> int:
    if not source.endswith(LINES):
        raise UsageError(
            f"--out makes an archive of stored lines ({LINES}): copy one by `quasar log export`"
        )
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} exists and is not empty; choose a new folder")
    partial = output.with_name(f".{output.name}.importing")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        events = write_unsigned(Path(source), partial)
        partial.replace(output)
        sync_folder(output.parent)
    except OSError as problem:
        raise LogError(f"{output} cannot be made: {problem.strerror or problem}") from problem
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _say(events, 1, str(output), json)
    if not json:
        err.print("unsigned: no checkpoint covers it, so an audit of it proves nothing")
    return 0


def _say(events: int, volumes: int, place: str, json: bool) -> None:
    if json:
        say_json({"events": events, "volumes": volumes, "place": place})
        return
    out.print(f"{events} events of {volumes} volumes in {place}", markup=False)
