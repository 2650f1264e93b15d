"""Checkpointer: copies the log to the archive, signs tree heads over what is fsynced there, and
anchors some of them on the chain."""

from collections.abc import AsyncIterator

import anyio
import anyio.to_thread
import structlog

from quasar.actors.actor import ChainWatcher
from quasar.chain import ERA_BLOCKS, Block, Chain
from quasar.chain.errors import CallRefused, FateUnknown
from quasar.errors import Damaged, LogError
from quasar.events import AnchorFailed, CheckpointAnchored, CheckpointSigned, Kind, types_of
from quasar.events.envelope import Draft, tag_of
from quasar.events.merkle import leaf_hash
from quasar.events.note import Checkpoint, sign_checkpoint
from quasar.events.signing import Signer
from quasar.log import Log
from quasar.log.archive import ArchiveWriter
from quasar.rules.anchoring import SUBSCRIBES, AnchorState, anchor_digest, evolve
from quasar.rules.machine import Recorded

ACTOR = "checkpointer"

EVERY = 256
"""Events after which a checkpoint is signed in any case."""

LANDMARKS = frozenset(
    {
        "LogOpened",
        "LogKeyRotated",
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

RETRY_S = 2.0
"""Anchors go on so long after a failure."""

SILENCE_S = 60.0
"""An event that the server holds is waited for so long."""

logger = structlog.get_logger()


class Checkpointer:
    """The second copy, and the signatures over it.

    With a ``chain`` and the ``hotkey`` that commits there, checkpoints are anchored too.
    """

    name = ACTOR

    def __init__(
        self,
        log: Log,
        writer: ArchiveWriter,
        key: Signer,
        origin: str,
        *,
        chain: Chain | None = None,
        hotkey: Signer | None = None,
    ) -> None:
        self.log = log
        self._writer = writer
        self._key = key
        self._origin = origin
        self._pending: list[bytes] = []
        self._since = 0
        """Events since the last checkpoint, its own left out."""
        self._anchors = Anchors(log, chain, hotkey) if chain and hotkey else None

    async def run(self) -> None:
        """Copy, sign and anchor for ever."""
        self._pending.clear()
        await self._compare()
        if self._anchors is None:
            await self._copy()
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._anchors.keep_on)
            await self._copy()

    async def _copy(self) -> None:
        head, due = await self.log.head(), False
        async for seq, line in self.log.read(self._writer.size):
            due = self._take(line) or due  # a landmark below the head waits for it
            if due and seq >= head:
                await self._checkpoint()
                due = False

    async def seal(self) -> int:
        """Copy what is left and sign it all; returns the size. The actor must not be running."""
        self._pending.clear()
        await self._compare()
        head, seq = await self.log.head(), self._writer.size
        rest = self.log.read(seq)
        while seq < head:
            seq, line = await _given(rest)
            self._pending.append(line)
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
        seq, line = await _given(self.log.read(size - 1))
        if leaf_hash(line) != self._writer.tree.leaves(size - 1, size):
            raise Damaged(seq, "the server and the archive hold different events")


async def _given(events: AsyncIterator[tuple[int, bytes]]) -> tuple[int, bytes]:
    """The next event, which the server is known to hold. Raises LogError where it keeps silent: a
    validator that ends must not wait for ever."""
    try:
        with anyio.fail_after(SILENCE_S):
            return await anext(events)
    except TimeoutError:
        raise LogError(
            "the log server does not give an event that it holds: see that it runs, start again"
        ) from None


class Anchors(ChainWatcher):
    """Puts the hash of checkpoints on chain, one at a time; finalised state says what landed."""

    name = ACTOR

    def __init__(self, log: Log, chain: Chain, hotkey: Signer) -> None:
        super().__init__(log, chain)
        self._chain = chain
        self._hotkey = hotkey
        self._state = AnchorState()
        self._flight: tuple[int, int] | None = None
        """Size that was sent, and the block in which its era began at the latest."""

    async def keep_on(self) -> None:
        """Run for ever: no failure here may stop the copy and the signatures."""
        while True:
            try:
                await self.run()
            except Exception as failure:
                logger.warning("checkpointer.anchors-restart", error=repr(failure)[:200])
                await anyio.sleep(RETRY_S)

    def reset(self) -> None:
        self._state = AnchorState()

    def fold(self, seen: Recorded) -> None:
        if type(seen.event) in SUBSCRIBES:
            self._state = evolve(self._state, seen, self.log.blobs)

    async def act(self, head: Block) -> None:
        """Take the next step of the anchor under way, or begin the one that is due."""
        size = self._flight[0] if self._flight else self._state.due
        note = self._state.notes.get(size) if size is not None else None
        if size is None or note is None:
            self._flight = None
            return
        digest = anchor_digest(note)
        found = await self._chain.commitment(self._hotkey.ss58_address, head.number)
        if found is not None and found.digest == digest:
            await self._landed(size, head)
        elif self._flight is None:
            await self._send(size, digest, head)
        elif head.number > self._flight[1] + ERA_BLOCKS:
            await self._fail(size, "its era passed and the chain does not show it")

    async def _send(self, size: int, digest: str, head: Block) -> None:
        self._flight = size, head.number
        try:
            await self._chain.set_commitment(self._hotkey, digest)
        except CallRefused as refused:
            await self._fail(size, f"{refused.code}: {refused}")
            return
        except FateUnknown as unknown:
            logger.warning("checkpointer.anchor-unknown", size=size, detail=str(unknown))
        self._flight = size, (await self._chain.head()).number

    async def _landed(self, size: int, head: Block) -> None:
        self._flight = None
        await self.write(
            CheckpointAnchored(
                size=size,
                attempt=0,
                block=head.number,
                block_hash=head.hash,
                previous=self._state.previous,
            )
        )

    async def _fail(self, size: int, reason: str) -> None:
        self._flight = None
        await self.write(AnchorFailed(size=size, attempt=0, reason=reason[:200]))
