"""WeightSetter: computes the row of each epoch and brings it on chain, by a journal in the log."""

import anyio
import structlog

from quasar.actors.actor import ChainWatcher, Decider
from quasar.chain import Block, Chain, Outcome
from quasar.chain.errors import CallRefused, FateUnknown
from quasar.events import (
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsUnknown,
    WeightsVerified,
)
from quasar.events.signing import Signer
from quasar.log import Log
from quasar.rules.machine import Recorded
from quasar.rules.submission import (
    ERA_BLOCKS,
    SUBSCRIBES,
    Action,
    Confirm,
    GiveUp,
    Intend,
    Lose,
    Row,
    Seen,
    SubmissionState,
    Submit,
    Verify,
    evolve,
    next_action,
)
from quasar.rules.weights import ACTOR, WeightRule

logger = structlog.get_logger()


class WeightSetter:
    """Decides rows, and submits each once. The chain's finalised state alone says what happened."""

    name = ACTOR

    def __init__(self, log: Log, chain: Chain, signer: Signer) -> None:
        self._decider = Decider(log, WeightRule())
        self._submitter = Submitter(log, chain, signer)

    async def run(self) -> None:
        """Decide and submit for ever."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._decider.run)
            tasks.start_soon(self._submitter.run)


class Submitter(ChainWatcher):
    """The effects of WeightSetter: intent, extrinsic, confirmation, verification."""

    name = ACTOR

    def __init__(self, log: Log, chain: Chain, signer: Signer) -> None:
        super().__init__(log, chain)
        self._chain = chain
        self._signer = signer
        self._state = SubmissionState()
        self._unsent: tuple[int, int] | None = None
        """Epoch and attempt that this process intended and has not sent. A new run of the same
        process still knows it."""
        self._settled: int | None = None
        """Finalised block read after this process began, and after it last sent."""
        self._searched = 0
        """Blocks in which the newest extrinsic was looked for already."""

    def reset(self) -> None:
        self._state, self._settled, self._searched = SubmissionState(), None, 0

    def fold(self, seen: Recorded) -> None:
        if type(seen.event) in SUBSCRIBES:
            self._state = evolve(self._state, seen, self.log.blobs)

    async def act(self, head: Block) -> None:
        """Take the next step of the oldest open row, if there is one to take."""
        row = self._state.current
        if row is None:
            return
        uid = self._state.uid
        if uid is None:
            await self._fail(row, len(row.attempts), "not-registered", "no uid in the metagraph")
            return
        if self._settled is None:
            self._settled = (await self._chain.head()).number
        seen = Seen(
            head.number,
            await self._chain.last_update(uid, head.number),
            await self._chain.weights(uid, head.number),
        )
        unsent = self._unsent == (row.computed.epoch, len(row.attempts) - 1)
        action = next_action(self._state, seen, unsent, self._settled)
        if action is None or isinstance(action, Lose):
            failure = await self._failure(row, head.number)
            if failure is not None:
                code, reason = failure.code or "refused", failure.reason or "the call failed"
                await self._fail(row, len(row.attempts) - 1, code, reason)
                return
        if action is not None:
            await self._take(action, row, head)

    async def _failure(self, row: Row, head: int) -> Outcome | None:
        """How the newest extrinsic failed, where a block holds it and its call was refused."""
        last = row.attempts[-1] if row.attempts else None
        if last is None or last.extrinsic is None or last.outcome is not None:
            return None
        # It was sent soon after the intent, or the passing of its era must say enough.
        newest = min(head, last.block + 2 * ERA_BLOCKS)
        for number in range(max(last.block, self._searched) + 1, newest + 1):
            found = await self._chain.outcome(last.extrinsic, number)
            if found is not None and not found.done:
                return found
            self._searched = number
        return None

    async def _take(self, action: Action, row: Row, head: Block) -> None:
        epoch = row.computed.epoch
        match action:
            case Intend(attempt=attempt, block=block):
                self._unsent = (epoch, attempt)
                event = WeightsIntended(epoch=epoch, attempt=attempt, block=block)
                await self.write(event, cause=row.seq)
            case GiveUp(attempt=attempt, code=code, reason=reason):
                await self._fail(row, attempt, code, reason)
            case Submit(attempt=attempt):
                await self._send(row, attempt)
            case Confirm(attempt=attempt):
                await self.write(
                    WeightsConfirmed(
                        epoch=epoch, attempt=attempt, block=head.number, block_hash=head.hash
                    ),
                    cause=row.seq,
                )
            case Lose(attempt=attempt):
                event_ = WeightsUnknown(epoch=epoch, attempt=attempt, block=head.number)
                await self.write(event_, cause=row.seq)
            case Verify(attempt=attempt, equal=equal):
                await self.write(
                    WeightsVerified(epoch=epoch, attempt=attempt, block=head.number, equal=equal),
                    cause=row.seq,
                )

    async def _send(self, row: Row, attempt: int) -> None:
        """Send once; whatever comes of it, this attempt is never sent again."""
        self._unsent, self._settled, self._searched = None, None, 0
        epoch = row.computed.epoch
        try:
            extrinsic = await self._chain.submit_weights(self._signer, row.u16, self._state.version)
        except CallRefused as refused:
            await self._fail(row, attempt, refused.code, str(refused)[:200])
        except FateUnknown as unknown:
            logger.warning("weight-setter.fate-unknown", epoch=epoch, detail=str(unknown))
        else:
            submitted = WeightsSubmitted(epoch=epoch, attempt=attempt, extrinsic=extrinsic)
            await self.write(submitted, cause=row.seq)

    async def _fail(self, row: Row, attempt: int, code: str, reason: str) -> None:
        failed = WeightsFailed(epoch=row.computed.epoch, attempt=attempt, code=code, reason=reason)
        await self.write(failed, cause=row.seq)
