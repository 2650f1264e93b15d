"""What MinerProxy shows miners of their outcomes: proofs, once a checkpoint covers the round."""

from collections.abc import Iterator

from quasar.events import AnswerAbandoned, AnswerReceived
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.proof import write_proof
from quasar.rules.delivery import DeliveryState, Key, forget
from quasar.rules.machine import Recorded


class OutcomeProofs:
    """Gets every event, in order. Of several proxies each proves what it delivered."""

    def __init__(self) -> None:
        self._tree = Tree()
        self._served: set[Key] = set()
        """Whose outcomes are ours to prove."""
        self._lines: dict[int, bytes] = {}
        """Stored bytes of outcomes that are not proved to their miners yet."""

    def serve(self, key: Key) -> None:
        """This proxy delivers the assignment."""
        self._served.add(key)

    def take(self, seen: Recorded, *, before_us: bool) -> None:
        """``before_us``: written before this proxy started; another may not live to prove it."""
        self._tree.append(leaf_hash(seen.line))
        if isinstance(outcome := seen.event, AnswerReceived | AnswerAbandoned):
            key = (outcome.round, outcome.task, outcome.hotkey)
            if before_us or key in self._served:
                self._lines[seen.seq] = seen.line
            self._served.discard(key)

    def under(self, state: DeliveryState, size: int, note: str) -> Iterator[tuple[str, str, str]]:
        """Hotkey, outcome and its proof, for rounds that were sealed within the first ``size``
        events; these are then forgotten."""
        for number in [r for r, seal in state.sealed.items() if seal <= size]:
            for key, seq in state.outcomes[number].items():
                if line := self._lines.pop(seq, None):
                    proof = write_proof(seq - 1, self._tree.inclusion(seq - 1, size), note)
                    yield key[2], line.decode(), proof
            forget(state, number)
