"""TaskSampler: opens rounds, makes their tasks, seals and reveals them. Holds the secrets."""

from collections.abc import Sequence

import anyio.to_thread
from anyio.from_thread import check_cancelled

from quasar.actors.actor import Decider
from quasar.door.outbox import Outbox
from quasar.events import AnyEvent, BlockObserved, TaskAssigned
from quasar.log import Log
from quasar.rules.machine import Recorded
from quasar.rules.sampling import SamplingRule, Secrets
from quasar.rules.sampling_state import OpenRound, SamplerState


class TaskSampler(Decider[SamplerState]):
    """Decides rounds and tasks, and keeps the contexts of open rounds for MinerProxy."""

    def __init__(self, log: Log, secrets: Secrets, outbox: Outbox) -> None:
        self._rule = SamplingRule(secrets)
        super().__init__(log, self._rule)
        self._outbox = outbox

    async def prepare(
        self, state: SamplerState, seen: Recorded, events: Sequence[AnyEvent]
    ) -> None:
        """Write contexts before the assignments that name them."""
        if any(isinstance(e, TaskAssigned) for e in events):
            assert isinstance(seen.event, BlockObserved)
            for current in state.rounds.values():
                if current.opened.beacon_block == seen.event.number:
                    await self._write_contexts(state, current, seen.event.hash)

    async def caught_up(self, state: SamplerState) -> None:
        """Make the contexts of open rounds anew where they are gone: keys and log are enough."""
        for current in state.rounds.values():
            if current.beacon_hash and (current.drawn or current.policy.sampling is None):
                await self._write_contexts(state, current, current.beacon_hash)

    async def _write_contexts(
        self, state: SamplerState, current: OpenRound, beacon_hash: str
    ) -> None:
        await anyio.to_thread.run_sync(self._make_contexts, state, current, beacon_hash)

    def _make_contexts(self, state: SamplerState, current: OpenRound, beacon_hash: str) -> None:
        number = current.opened.round
        for task in self._rule.planned(state, current, beacon_hash):
            anchored = current.opened.participants[:1]
            for hotkey in anchored if task.mix.anchor else current.opened.participants:
                check_cancelled()  # a validator that is told to stop makes no more of them
                text = task.variant(hotkey).instance.context()
                self._outbox.put(number, text.encode())
