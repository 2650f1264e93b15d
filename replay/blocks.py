"""Blocks as ChainObserver reads them: which one comes next, and what must be read with it.

The observer's own rule says which finalised block it records next. So a block that was left out,
one that was put in, and one whose opening or beacon was passed over are seen in the log alone.
"""

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from quasar.events import (
    BlockObserved,
    HyperparametersObserved,
    LogClosing,
    MetagraphObserved,
)
from quasar.events.blobs import Blobs
from quasar.rules.machine import Recorded
from quasar.rules.neurons import read_neurons
from quasar.rules.observing import (
    SUBSCRIBES,
    ObserverState,
    evolve,
    needs_metagraph,
    wanted,
)

_encode = msgspec.json.Encoder().encode

Reading = MetagraphObserved | HyperparametersObserved
Reason = tuple[Recorded, str]
"""The event that shows it, and what is wrong."""


class BlockCheck:
    """Feeds on every event in order; holds the observer's fold and the newest block."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._state = ObserverState()
        self.newest: BlockObserved | None = None
        self._read: list[tuple[Recorded, Reading]] = []
        """Read at a block that comes with them."""

    def feed(self, seen: Recorded) -> Iterator[Reason]:
        """What is wrong with this event."""
        match seen.event:
            case MetagraphObserved() as metagraph:
                self._read.append((seen, metagraph))
                yield from self._listed(seen, metagraph)
            case HyperparametersObserved() as parameters:
                self._read.append((seen, parameters))
            case BlockObserved() as block:
                yield from self._block(seen, block)
        if type(seen.event) in SUBSCRIBES and self._can_fold(seen):
            self._state = evolve(self._state, seen, self._blobs)

    def _can_fold(self, seen: Recorded) -> bool:
        """A block before any policy tells an observer nothing."""
        return self._state.policy is not None or not isinstance(
            seen.event, BlockObserved | LogClosing
        )

    def _block(self, seen: Recorded, block: BlockObserved) -> Iterator[Reason]:
        before, self.newest = self.newest, block
        if block.head < block.number:
            yield seen, "observed before it was finalised"
        elif before is not None and block.number <= before.number:
            yield seen, "an older block is observed after a newer one"
        elif before is not None and _backwards(before, block):
            yield seen, "the chain's time or epoch runs backwards"
        elif reason := self._out_of_turn(block):
            yield seen, reason
        yield from self._readings(seen, block)

    def _out_of_turn(self, block: BlockObserved) -> str | None:
        """Whether an observer at this head would have read another block, or none."""
        state = self._state
        if state.policy is None:
            return "a block is observed before any policy"
        if state.waiting_for > state.opened:
            return f"a block is observed before round {state.waiting_for} is opened or skipped"
        # What LogClosing forbids may have been on its way already.
        following = {
            wanted(s, block.head, block.epoch) for s in (state, replace(state, closing=None))
        }
        if block.number in following:
            return None
        passed = [number for number in following if number is not None and number < block.number]
        if passed:
            return f"block {min(passed)} was passed over: it opens or seeds a round"
        return "a block that no decision needs: this one would not have been read"

    def _readings(self, seen: Recorded, block: BlockObserved) -> Iterator[Reason]:
        """Metagraph and parameters are read at the very block that follows them."""
        read, self._read = self._read, []
        for item, reading in read:
            if (reading.number, reading.hash) != (block.number, block.hash):
                yield item, "read at another block than the one that follows"
        needed = needs_metagraph(self._state, block.number, block.epoch)
        if needed and not any(isinstance(reading, MetagraphObserved) for _, reading in read):
            yield seen, "a block that a decision needs the metagraph of, and none was read"

    def _listed(self, seen: Recorded, metagraph: MetagraphObserved) -> Iterator[Reason]:
        try:
            neurons = read_neurons(self._blobs, metagraph.neurons)
        except msgspec.MsgspecError:
            return  # the rules that need it say so
        uids = [neuron.uid for neuron in neurons]
        if uids != sorted(set(uids)) or len({neuron.hotkey for neuron in neurons}) < len(neurons):
            yield seen, "the metagraph lists a uid or a hotkey twice, or not by uid"
        elif _encode(neurons) != self._blobs.get(metagraph.neurons):
            yield seen, "the metagraph is not written as an observer writes it"


def _backwards(before: BlockObserved, block: BlockObserved) -> bool:
    return block.timestamp_ms < before.timestamp_ms or block.epoch < before.epoch
