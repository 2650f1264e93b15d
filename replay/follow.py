"""An audit that goes on as its log grows: each round is judged once its secret is revealed."""

from collections.abc import Collection
from typing import NamedTuple

from msgspec import MsgspecError

from quasar.errors import CannotJudge, Damaged
from quasar.events import (
    BlockObserved,
    LogOpened,
    RoundAbandoned,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RoundSealed,
    RoundSkipped,
)
from quasar.events.envelope import tag_of
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.archive import ArchiveCheck
from quasar.replay.audit import ALONE, Audit
from quasar.replay.decisions import DecisionCheck
from quasar.replay.finding import Finding, Level, Report
from quasar.replay.lifecycle import REVEAL_MS
from quasar.replay.versions import advised
from quasar.rules.carried import inherited
from quasar.rules.machine import Recorded
from quasar.rules.secrets import CHAIN_LENGTH, links

PATIENCE_MS = 6 * 3_600_000
"""By the chain's time, from a round's beacon: what waits longer is judged without its secret."""
SEALED_MS = REVEAL_MS + 600_000
"""And from its seal: then lifecycle names the secret that is held back."""
_LOOKED_AT = (
    LogOpened,
    BlockObserved,
    RoundOpened,
    RoundSealed,
    RoundAbandoned,
    RoundSkipped,
    RoundRevealed,
)
_TAGS = frozenset(kind.__name__ for kind in _LOOKED_AT)


class RoundJudged(NamedTuple):
    """A round that was scored, and the findings up to then."""

    round: int
    seq: int
    miners: int
    scores: int
    """Compared since the round before."""
    findings: int


class Ahead:
    """Looks further than the audit: which secrets are revealed, and how far it may go."""

    def __init__(self) -> None:
        self.secrets: dict[int, str] = {}
        """Of rounds, those that belong to the chain that LogOpened committed to."""
        self.seen = 0
        self._waiting: dict[int, tuple[int, int]] = {}
        """Round to the first event that its secret follows, and the time until which it may.

        A beacon leads to tasks; a seal, or that the round was skipped, to the reveal."""
        self._beacons: dict[int, list[int]] = {}
        """Blocks to rounds that wait for them."""
        self._now_ms = 0
        self._value = ""
        self._base = self._proved = 0

    @property
    def limit(self) -> int:
        """The last event that can be judged now."""
        due = [seq for seq, until in self._waiting.values() if self._now_ms <= until]
        return min(due, default=self.seen + 1) - 1

    def look(self, log: ArchiveLog) -> None:
        """Read what is new. Stops without complaint at damage, which the audit names."""
        try:
            for seq, line in log.lines(self.seen):
                if tag_of(line) in _TAGS:
                    self._take(seq, Recorded(seq, line), log)
                self.seen = seq
        except (Damaged, CannotJudge, ValueError, MsgspecError):
            self._waiting.clear()
            self.seen = log.manifest.last

    def _take(self, seq: int, seen: Recorded, log: ArchiveLog) -> None:
        match seen.event:
            case LogOpened() as opened:
                carried = inherited(opened, log.blobs)
                self._value = opened.secrets_tip
                self._base = self._proved = carried.round if carried else 0
            case BlockObserved(number=block, timestamp_ms=now):
                self._now_ms = now
                for number in self._beacons.pop(block, ()):
                    self._wait(number, seq, PATIENCE_MS)
            case RoundOpened(round=number, beacon_block=block):
                self._beacons.setdefault(block, []).append(number)
            case (
                RoundSealed(round=number)
                | RoundAbandoned(round=number)
                | RoundSkipped(round=number)
            ):
                self._wait(number, seq, SEALED_MS)
            case RoundRevealed(round=number, secret=secret):
                self._waiting.pop(number, None)
                steps = number - self._proved
                in_chain = steps > 0 and number <= self._base + CHAIN_LENGTH
                if in_chain and links(self._value, secret, steps):
                    self._proved, self._value = number, secret
                    self.secrets[number] = secret

    def _wait(self, number: int, seq: int, patience_ms: int) -> None:
        until = self._now_ms + patience_ms
        first, before = self._waiting.get(number, (seq, until))
        self._waiting[number] = first, min(before, until)


class GrowingAudit(Audit):
    """An audit in portions, in this process alone."""

    def __init__(
        self, log: ArchiveLog, *, hotkey: str | None = None, levels: Collection[Level] = ALONE
    ) -> None:
        super().__init__(log, hotkey=hotkey, levels=levels, processes=1)
        self._ahead = Ahead()
        secrets = self._ahead.secrets if "tasks" in self._levels else {}
        self._decisions = DecisionCheck(secrets, self._blobs, levels=self._levels)
        self._scored = 0

    @property
    def done(self) -> int:
        """Events that were judged."""
        return self._structure.tree.size

    @property
    def closed(self) -> bool:
        """Whether the volume has come to its end, and all of it was judged."""
        return self._closed and self._read_all

    async def grow(self, log: ArchiveLog) -> list[RoundJudged]:
        """Judge what can be judged of the log as it is now; rounds that came to their scores.

        Raises CannotJudge where versions or blobs are missing.
        """
        self._ahead.look(log)
        self._log, self._read_all = log, False
        rounds: list[RoundJudged] = []
        try:
            await self._portion(log, rounds)
        except CannotJudge as missing:
            raise await advised(log, missing) from None
        except Damaged as damage:
            self._break(damage.seq, damage.reason)
        self._receipts.finish()
        return rounds

    async def _portion(self, log: ArchiveLog, rounds: list[RoundJudged]) -> None:
        limit = min(self._ahead.limit, log.manifest.last)
        if limit > self.done:
            archive = self._archive = ArchiveCheck(log, self._structure)
            for seq in range(1, self.done + 1):
                archive.next_hash(seq)
            async for seq, line in log.read(self.done):
                if seq > limit:
                    return
                seen = self._structure.feed(seq, line, archive.next_hash(seq))
                self._feed(seen)
                if isinstance(seen.event, RoundScored):
                    rounds.append(self._judged(seen, seen.event))
        self._read_all = self.done == log.manifest.last
        if self._read_all and self._archive is not None:
            self._archive.finish()

    def _judged(self, seen: Recorded, scored: RoundScored) -> RoundJudged:
        checked = self._decisions.tallies["scores"].checked
        new, self._scored = checked - self._scored, checked
        found = len(self.found())
        return RoundJudged(scored.round, seen.seq, len(scored.rewards), new, found)

    def found(self) -> list[Finding]:
        """What does not hold so far."""
        return self._findings()

    async def report(self) -> Report:
        """The verdict so far; to be asked for once, at the end."""
        await self._find_doubled()
        return self._report()
