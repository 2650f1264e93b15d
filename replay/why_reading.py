"""Events that an explanation is made of: read by number, of the type that they must have."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from quasar.errors import Damaged
from quasar.events import (
    Blob,
    Event,
    LogOpened,
    Neuron,
    PolicyAdopted,
    RunStarted,
    SourceAdopted,
)
from quasar.events.catalogue import EVENT_TYPES
from quasar.events.envelope import tag_of
from quasar.events.signing import origin_of
from quasar.replay.index_events import IndexedLog
from quasar.replay.versions import check_versions
from quasar.replay.why_found import Difference, NamedEvent
from quasar.rules.machine import Recorded
from quasar.rules.neurons import MAX_NEURONS_BYTES, list_of
from quasar.rules.policy import Policy, recorded_policy
from quasar.rules.sources import adopt

E = TypeVar("E", bound=Event)


class Reading:
    """Reads single events for one miner, and keeps what was named and what does not follow."""

    def __init__(self, log: IndexedLog, hotkey: str, opened: LogOpened) -> None:
        self.log = log
        self.hotkey = hotkey
        self.opened = opened
        self.origin = origin_of(opened.netuid, opened.hotkey, opened.log_id, opened.volume)
        self.differences: list[Difference] = []
        self._seen: dict[int, Recorded] = {}
        self._policies: dict[int, Policy] = {}

    @classmethod
    async def start(cls, log: IndexedLog, hotkey: str) -> "Reading":
        """Read event 1. Raises Damaged where the log does not begin with LogOpened.

        And CannotJudge where the log has events that this program does not know: nobody here can
        tell what follows from them.
        """
        if log.index.size == 0:
            raise Damaged(1, "missing: a log starts with LogOpened")
        seen = await log.recorded(1)
        if not isinstance(seen.event, LogOpened):
            raise Damaged(1, "a log starts with LogOpened")
        for name in sorted(set(log.index.types) - set(EVENT_TYPES)):
            await log.recorded(log.index.types[name])
        reading = cls(log, hotkey, seen.event)
        reading._seen[1] = seen
        return reading

    @property
    def named(self) -> list[NamedEvent]:
        """Every event that was read."""
        return [
            NamedEvent(
                seq=seq,
                type=tag_of(seen.line),
                proof=[node.hex() for node in self.log.inclusion(seq)],
                line=seen.line.decode(),
            )
            for seq, seen in sorted(self._seen.items())
        ]

    async def recorded(self, seq: int) -> Recorded:
        """An event with its envelope."""
        if seq not in self._seen:
            self._seen[seq] = await self.log.recorded(seq)
        return self._seen[seq]

    async def ahead(self, seqs: Iterable[int]) -> None:
        """Read events in their order, which is much quicker than in any other."""
        for seq in sorted(set(seqs)):
            await self.recorded(seq)

    async def event(self, seq: int | None, kind: type[E], why: int) -> E:
        """An event of a type; ``why`` is the one that cannot be explained without it."""
        if seq is None or not isinstance(event := (await self.recorded(seq)).event, kind):
            raise unexplained(why, f"no {kind.__name__} leads to it")
        return event

    async def policy_at(self, seq: int) -> Policy:
        """The policy in force before an event."""
        found = newest_before(self.log.index.policies, seq)
        if found is None:
            raise unexplained(seq, "no policy was adopted before it")
        return await self._policy(found, seq)

    async def policy_of(self, digest: str, seq: int) -> Policy:
        """The policy of a digest, adopted before an event that names it."""
        for adopted in reversed(self.log.index.policies):
            if adopted < seq:
                event = await self.event(adopted, PolicyAdopted, seq)
                if event.toml.sha256 == digest:
                    return await self._policy(adopted, seq)
        raise unexplained(seq, "its policy was not adopted before it")

    async def sandbox_at(self, seq: int) -> str | None:
        """The driver of code before an event."""
        run = newest_before(self.log.index.runs, seq)
        return (await self.event(run, RunStarted, seq)).sandbox if run else None

    def compare(self, seq: int, what: str, recorded: object, recomputed: object) -> None:
        """Note a number that does not follow."""
        if recorded != recomputed:
            self.differences.append(
                Difference(seq=seq, what=what, recorded=str(recorded), recomputed=str(recomputed))
            )

    async def _policy(self, adopted: int, why: int) -> Policy:
        if adopted not in self._policies:
            seen = await self.recorded(adopted)
            event = await self.event(adopted, PolicyAdopted, why)
            check_versions(seen, self.log.blobs)
            await self._adopt_sources(adopted, why)
            self._policies[adopted] = recorded_policy(self.log.blob(adopted, event.toml))
        return self._policies[adopted]

    async def _adopt_sources(self, before: int, why: int) -> None:
        """Packs that a policy may name."""
        for seq in self.log.index.sources:
            if seq < before:
                adopt(await self.event(seq, SourceAdopted, why), self.log.blobs)


def neurons_of(log: IndexedLog, seq: int, blob: Blob) -> list[Neuron]:
    """Who was registered, as an event's blob lists it. Raises Damaged of that event."""
    if blob.bytes > MAX_NEURONS_BYTES:
        raise unexplained(seq, "no subnet has so many neurons")
    with explaining(seq):
        return list_of(log.blob(seq, blob))


def newest_before(seqs: Sequence[int], seq: int) -> int | None:
    """The last of ascending numbers that is smaller."""
    at = bisect_right(seqs, seq - 1)
    return seqs[at - 1] if at else None


def unexplained(seq: int, reason: str = "") -> Damaged:
    """For an event that does not follow from others."""
    what = f"cannot be explained ({reason})" if reason else "cannot be explained"
    return Damaged(seq, f"{what}; run `quasar audit` on this log")


@contextmanager
def explaining(seq: int) -> Iterator[None]:
    """Rules fail on what does not follow; that is told as damage of this event."""
    try:
        yield
    except (LookupError, AssertionError, ValueError, ArithmeticError):
        raise unexplained(seq) from None
