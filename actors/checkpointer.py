"""Checkpointer: copies the log to the archive, and signs tree heads over what is fsynced there."""

import anyio
import anyio.to_thread

from quasar.errors import Damaged
from quasar.events import CheckpointSigned, Kind, types_of
from quasar.events.envelope import Draft, tag_of
from quasar.events.merkle import leaf_hash
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.events.signing import Signer
from quasar.log import Log
from quasar.log.archive import ArchiveWriter

ACTOR = "checkpointer"

EVERY = 256
"""Events after which a checkpoint is signed in any case."""

LANDMARKS = frozenset(
    {
        "LogOpened",
        "RunStarted",
        "PolicyAdopted",
        "RoundSealed",
        "RoundScored",
        "WeightsComputed",
        "WeightsIntended",
    }
)
"""Events that get a checkpoint of their own."""

_QUIET = types_of(Kind.EFFECT) & {"CheckpointSigned"}


class Checkpointer:
    """The second copy, and the signatures over it."""

    name = ACTOR

    def __init__(self, log: Log, writer: ArchiveWriter, key: Signer, origin: str) -> None:
        self.log = log
        self._writer = writer
        self._key = key
        self._origin = origin
        self._pending: list[bytes] = []
        self._since = 0
        """Events since the last checkpoint, its own left out."""

    async def run(self) -> None:
        """Copy and sign for ever."""
        self._pending.clear()
        await self._compare()
        head = await self.log.head()
        async for seq, line in self.log.read(self._writer.size):
            due = self._take(line)
            if due and seq >= head:
                await self._checkpoint()

    async def seal(self) -> int:
        """Copy what is left and sign it all; returns the size. The actor must have stopped."""
        self._pending.clear()
        head = await self.log.head()
        if head > self._writer.size:
            async for seq, line in self.log.read(self._writer.size):
                self._pending.append(line)
                if seq >= head:
                    break
        await self._flush()
        note = self._sign()
        self._writer.publish(note, self._writer.size)
        return self._writer.size

    def _take(self, line: bytes) -> bool:
        """Queue a line; True when a checkpoint is due."""
        self._pending.append(line)
        tag = tag_of(line)
        if tag in _QUIET:
            return False
        self._since += 1
        return tag in LANDMARKS or self._since >= EVERY

    async def _checkpoint(self) -> None:
        await self._flush()
        size, root = self._writer.size, self._writer.tree.root().hex()
        note = self._sign()
        await anyio.to_thread.run_sync(self._writer.publish, note, size)
        event = CheckpointSigned(size=size, root=root, note=note)
        await self.log.append([Draft(actor=ACTOR, cause=size, event=event)])
        self._since = 0

    async def _flush(self) -> None:
        lines, self._pending = self._pending, []
        await anyio.to_thread.run_sync(self._write, lines)

    def _write(self, lines: list[bytes]) -> None:
        self._writer.append(lines)
        self._writer.flush()

    def _sign(self) -> str:
        tree = self._writer.tree
        return sign_checkpoint(Checkpoint(self._origin, tree.size, tree.root()), self._key)

    async def _compare(self) -> None:
        """Refuse to go on from a log that lost what the archive still has."""
        size = self._writer.size
        if await self.log.head() < size:
            raise Damaged(
                await self.log.head() + 1,
                f"the archive holds {size} events, the server fewer; restore the server's store "
                "before anything is written",
            )
        if size == 0:
            return
        async for seq, line in self.log.read(size - 1):
            if leaf_hash(line) != self._writer.tree.leaves(size - 1, size):
                raise Damaged(seq, "the server and the archive hold different events")
            return
