"""Sealed volumes in a row, of as many events as a test needs: on disk and on a server."""

from functools import cache
from pathlib import Path

from quasar.chain.keys import hotkey_from_seed, log_key_from_seed
from quasar.events import AnyEvent, Draft, LogClosed, LogOpened, WeightsDeferred
from quasar.events.envelope import encode
from quasar.events.log import PreviousVolume
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.events.signing import log_id_of, log_key_statement
from quasar.log.access import ADMIN
from quasar.log.archive import ArchiveIdentity, ArchiveWriter
from quasar.log.blobs import MemoryBlobs
from quasar.log.jetstream import JetStreamLog
from quasar.log.jetstream_api import Login
from quasar.log.retire import Kept, Retired, retire
from quasar.log.server import NatsServer

SEED = bytes(32)
HOTKEY, LOG_KEY = hotkey_from_seed(SEED, "validator"), log_key_from_seed(SEED)
GENESIS = "0x" + "ab" * 32
LOG_ID = log_id_of(GENESIS, 24, HOTKEY.ss58_address, 1)
CARRIED = b"{}"


def line_of(event: AnyEvent) -> bytes:
    """As the supervisor would have stored it."""
    return encode(Draft(actor="supervisor", cause=0, event=event), 1)


@cache
def filler(events: int) -> list[bytes]:
    """Events of no account, each in a slot of its own."""
    return [
        line_of(WeightsDeferred(epoch=i, attempt=0, block=i, reason="no-scores"))
        for i in range(events)
    ]


def identity_of(volume: int) -> ArchiveIdentity:
    return ArchiveIdentity(
        log_id=LOG_ID, volume=volume, netuid=24, hotkey=HOTKEY.ss58_address, genesis=GENESIS
    )


class Volumes:
    """The folder of a log's volumes; each goes on from the seal of the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: dict[int, list[bytes]] = {}
        self.notes: dict[int, str] = {}

    def at(self, volume: int) -> Path:
        return self.folder / str(volume)

    def write(self, volume: int, events: int = 20, *, closed: bool = True) -> list[bytes]:
        """The next volume's archive, with a checkpoint over all of it; gives its lines."""
        identity = identity_of(volume)
        with ArchiveWriter.open(self.at(volume), identity) as writer:
            lines = [line_of(self._opened(writer)), *filler(events)]
            if closed:
                lines.append(line_of(LogClosed(events=events + 1)))
            writer.append(lines)
            writer.flush()
            head = Checkpoint(identity.origin, writer.size, writer.tree.root())
            self.notes[volume] = sign_checkpoint(head, LOG_KEY)
            writer.publish(self.notes[volume], writer.size)
        self.lines[volume] = lines
        return lines

    def _opened(self, writer: ArchiveWriter) -> LogOpened:
        key, identity = LOG_KEY.public_key.hex(), writer.identity
        statement = log_key_statement(identity.origin, GENESIS, key)
        note = self.notes.get(identity.volume - 1)
        return LogOpened(
            log_id=LOG_ID,
            log_number=1,
            volume=identity.volume,
            netuid=24,
            genesis=GENESIS,
            hotkey=HOTKEY.ss58_address,
            log_key=key,
            log_key_signature=HOTKEY.sign(statement).hex(),
            secrets_tip="00" * 32,
            previous=PreviousVolume(checkpoint=note, state=writer.put_blob(CARRIED))
            if note
            else None,
        )

    async def store(self, server: NatsServer, volume: int, lines: list[bytes]) -> None:
        """Put them on the server, as the volume's stream."""
        login = login_of(server)
        async with JetStreamLog.open(server.url, LOG_ID, volume, MemoryBlobs(), login=login) as log:
            await log.restore(lines)

    async def play(
        self, server: NatsServer, volumes: int, events: int = 20, first: int = 1
    ) -> None:
        """Volumes from ``first`` on, on disk and on the server; the last one is open."""
        for volume in range(first, volumes + 1):
            lines = self.write(volume, events, closed=volume < volumes)
            await self.store(server, volume, lines)

    async def retire(self, server: NatsServer, newest: int) -> list[Retired | Kept]:
        """What becomes of each stream before ``newest``."""
        found = retire(server.url, login_of(server), identity_of(newest), self.at)
        return [done async for done in found]


def login_of(server: NatsServer) -> Login:
    """Of the user who may delete streams."""
    return server.login(ADMIN)
