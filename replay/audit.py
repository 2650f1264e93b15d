"""Audit: feed a recorded log through the rules and say what holds."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from quasar.errors import CannotJudge, Damaged, UsageError
from quasar.events import LogClosed, LogOpened
from quasar.events.envelope import decode
from quasar.events.note import LogKeys
from quasar.log import Log
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.archive import ArchiveCheck
from quasar.replay.counted import Counted
from quasar.replay.decisions import DecisionCheck
from quasar.replay.effects import EffectsCheck
from quasar.replay.finding import LEVELS, LISTED, Finding, Level, Report, Signer, Tally
from quasar.replay.judge import SharedJudge
from quasar.replay.leaves import LeafTree
from quasar.replay.lifecycle import LifecycleCheck
from quasar.replay.proved import Counts, proved
from quasar.replay.receipts import ReceiptCheck
from quasar.replay.recent import RecentBlobs
from quasar.replay.revealed import revealed_secrets, up_to
from quasar.replay.sample import Full, every
from quasar.replay.structure import StructureCheck
from quasar.replay.versions import advised, check_versions
from quasar.replay.workers import Workers, default_processes
from quasar.rules import closing
from quasar.rules.carried import encode_carried
from quasar.rules.closing import ClosingState, carried_from
from quasar.rules.machine import Recorded

Progress = Callable[[int, int], None]
"""Called with events done and events in all."""

ALONE = tuple(level for level in LEVELS if level != "chain")
"""Levels that need nothing but the log. The chain's is the caller's (``ChainCheck``)."""
_TURN = 64
"""Events between two looks at the other processes."""
SMALL = 20_000
"""Events up to which no other process is started."""

FOREIGN_SEAL = "seal of the volume before: by an older log key, which that volume names; audit both"


class Sealed(NamedTuple):
    """A closed volume, as its audit found it."""

    state: str
    """SHA-256 of what it hands on."""
    size: int
    root: bytes


class Audit:
    """One pass over a log, after a short one that collects the revealed secrets."""

    def __init__(
        self,
        log: Log,
        *,
        hotkey: str | None = None,
        levels: Collection[Level] = ALONE,
        processes: int | None = None,
        full: Full = every,
    ) -> None:
        """``levels``: what is checked; structure always is. ``full``: of which rounds tasks,
        receipts and scores are; those of others are taken as recorded. ``processes``: how many work
        on it, this one among them; as many as there are processors, unless the log is small."""
        self._levels = chosen(levels)
        self._full = full
        self._processes = processes
        self._log = log
        self._closing: ClosingState | None = ClosingState()
        self._pinned = hotkey
        self._blobs = blobs = RecentBlobs(log.blobs)
        self._structure = StructureCheck(blobs, LeafTree())
        self._lifecycle = LifecycleCheck(blobs)
        self._effects = EffectsCheck(blobs)
        self._workers = Workers()
        self._receipts = ReceiptCheck(blobs, self._structure.tree)
        self._decisions = DecisionCheck({}, blobs)
        self._archive = ArchiveCheck(log, self._structure) if isinstance(log, ArchiveLog) else None
        self._damage: Finding | None = None
        self._doubled: Finding | None = None
        self._unfinished: Finding | None = None
        self._read_all = self._closed = False
        self._counted = Counted(full)

    async def run(self, progress: Progress | None = None) -> Report:
        """The verdict. Raises CannotJudge where versions or blobs are missing."""
        total = await self._log.head()
        with Workers(self._processes or (default_processes() if total > SMALL else 1)) as workers:
            try:
                await self._begin(total, workers)
                await self._play(total, progress)
            except CannotJudge as missing:
                raise await advised(self._log, missing) from None
            except Damaged as damage:
                self._break(damage.seq, damage.reason)
            self._receipts.finish()
        await self._find_doubled()
        return self._report()

    async def _begin(self, total: int, workers: Workers) -> None:
        blobs, levels = self._blobs, self._levels
        secrets = await revealed_secrets(self._log, total) if "tasks" in levels else {}
        judge = SharedJudge(workers)
        secrets = {number: secret for number, secret in secrets.items() if self._full(number)}
        self._decisions = DecisionCheck(secrets, blobs, levels=levels, judge=judge, full=self._full)
        self._receipts = ReceiptCheck(blobs, self._structure.tree, workers, self._full)
        self._workers = workers

    async def _find_doubled(self) -> None:
        """A slot that was filled long before, which was read as any other event."""
        seq = self._structure.doubled()
        if seq is not None:
            async for _, line in self._log.read(seq - 1):
                reason = f"a second event in the slot {decode(line).key}"
                self._doubled = Finding(seq=seq, level="structure", type="", reason=reason)
                return

    def _break(self, seq: int, reason: str) -> None:
        self._damage = Finding(seq=seq, level="structure", type="", reason=reason)

    async def _play(self, total: int, progress: Progress | None) -> None:
        async for seq, line in up_to(self._log, total):
            tile_hash = self._archive.next_hash(seq) if self._archive else None
            self._feed(self._structure.feed(seq, line, tile_hash))
            if seq % _TURN == 0:
                self._workers.turn()
            if progress is not None:
                progress(seq, total)
        self._read_all = True
        if self._structure.tree.size == 0:
            raise Damaged(1, "missing: a log starts with LogOpened")
        if self._archive:
            self._archive.finish()

    def _feed(self, seen: Recorded) -> None:
        """Every check sees every event; one that an earlier event made senseless is a finding."""
        check_versions(seen, self._blobs)
        if "lifecycle" in self._levels:
            self._lifecycle.feed(seen)
        if not self._levels.isdisjoint(("lifecycle", "weights")):
            self._effects.feed(seen)
        try:
            self._carry(seen)
            if "receipts" in self._levels:
                self._receipts.feed(seen)
            self._decisions.feed(seen)
        except (LookupError, AssertionError, ValueError, ArithmeticError):
            raise Damaged(
                seen.seq, f"{seen.envelope.key} follows from nothing that is in the log"
            ) from None
        except UsageError as problem:  # its policy and packs are not fit for each other
            reason = f"{seen.envelope.key} leads to a task that cannot be made: {problem}"
            raise Damaged(seen.seq, reason) from None
        if self._closing is not None:
            self._decisions.carry(self._closing)
        self._count(seen)

    def _carry(self, seen: Recorded) -> None:
        """Fold what the next volume would get; nothing follows from effects that have no cause."""
        if self._closing is not None:
            try:
                self._closing = closing.evolve_others(self._closing, seen, self._blobs)
            except (LookupError, AssertionError):
                self._closing = None

    def _count(self, seen: Recorded) -> None:
        self._counted.feed(seen)
        if isinstance(seen.event, LogClosed):
            self._closed = True
            if self._closing is None or not self._closing.drained:
                reason = "something was still under way when the volume was closed"
                self._unfinished = Finding(
                    seq=seen.seq, level="lifecycle", type=LogClosed.__name__, reason=reason
                )

    @property
    def opened(self) -> LogOpened | None:
        """Whose volume it is; None where it does not say."""
        return self._structure.opened

    @property
    def log_keys(self) -> LogKeys | None:
        """The keys that sign its checkpoints, as far as it was read."""
        return self._structure.keys

    def sealed(self) -> Sealed | None:
        """What the next volume must go on from; None unless this one was closed in order."""
        in_order = self._closed and not (self._damage or self._doubled or self._unfinished)
        if not in_order or self._closing is None:
            return None
        state = encode_carried(carried_from(self._closing))
        tree = self._structure.tree
        return Sealed(hashlib.sha256(state).hexdigest(), tree.size, tree.root())

    def _report(self) -> Report:
        due = self._decisions.finish(closed=self._closed)
        findings = self._findings()
        tallies = self._decisions.tallies
        everything = tallies.values()
        return Report(
            result="divergent" if findings else "clean",
            events=self._structure.tree.size,
            decisions=Tally(
                checked=_total(t.checked for t in everything),
                equal=_total(t.equal for t in everything),
            ),
            scores=tallies["scores"],
            weights=tallies["weights"],
            receipts=self._receipts.tally,
            signer=self._signer(),
            checkpoint_root=self._root(),
            proved=[] if findings else proved(self.counts()),
            not_checked=self._not_checked(due),
            assumed=self._assumed(),
            disputes=self._receipts.disputes,
            findings=len(findings),
            first_divergence=findings[0] if findings else None,
            listed=findings[:LISTED],
            pending=self._counted.pending,
        )

    def _root(self) -> str | None:
        broken = self._damage or self._doubled
        return None if broken else self._structure.tree.root().hex()

    def _findings(self) -> list[Finding]:
        findings = [
            *([self._doubled] if self._doubled else []),
            *self._lifecycle.findings,
            *self._effects.findings,
            *self._receipts.findings,
            *self._decisions.findings,
            *self._wrong_signer(),
        ]
        findings += [found for found in (self._damage, self._unfinished) if found]
        return sorted((f for f in findings if f.level in self._levels), key=lambda f: f.seq)

    def _signer(self) -> Signer | None:
        opened = self._structure.opened
        if opened is None:
            return None
        return Signer(hotkey=opened.hotkey, pinned=self._pinned == opened.hotkey)

    def _wrong_signer(self) -> list[Finding]:
        opened = self._structure.opened
        if opened is None or self._pinned in (None, opened.hotkey):
            return []
        return [
            Finding(
                seq=1,
                level="structure",
                type=LogOpened.__name__,
                field="hotkey",
                recorded=opened.hotkey,
                recomputed=self._pinned,
                reason="another hotkey than the one you named signed this log",
            )
        ]

    def counts(self) -> Counts:
        """What was proved, in numbers."""
        tallies = self._decisions.tallies
        noted = self._decisions.noted
        return Counts(
            events=self._structure.tree.size,
            checkpoints=len(self._structure.checkpoints),
            tasks=tallies["tasks"].equal,
            statements=self._receipts.tally.equal,
            scores=tallies["scores"].equal - self._counted.means - noted,
            means=self._counted.means,
            rows=tallies["weights"].equal - self._counted.deferrals,
            deferrals=self._counted.deferrals,
            noted=noted,
        )

    def _not_checked(self, due: int) -> list[str]:
        left = ["chain: blocks, metagraphs and rows were not compared with a chain"]
        left += [f"{level}: left out, as you asked" for level in ALONE if level not in self._levels]
        if self._pinned is None:
            left.append("signer not verified: name the validator with --hotkey")
        if self._structure.foreign_seal:
            left.append(FOREIGN_SEAL)
        if any(run.freshness == "none" for run in self._counted.runs):
            left.append("freshness: none, secrets and blocks come from a public seed")
        elif any(run.mode == "mock" for run in self._counted.runs):
            left.append("mock: it was played on a local chain, whose blocks can be foretold")
        if self._damage and not self._read_all:
            left.append(f"stopped at event {self._damage.seq}: the rest was not judged")
        elif not self._structure.checkpoints and not self._damage:
            left.append("checkpoint: this log carries none")
        unrevealed = self._decisions.unrevealed if self._full is every else 0
        if unrevealed and self._read_all:
            left.append(f"{unrevealed} steps of rounds that are not revealed yet")
        if due and self._read_all:
            left.append(f"{due} decisions that were still due when the log ended")
        left += self._decisions.withheld.words()
        if older := self._decisions.executions.older:
            left.append(f"{older} programs: their records are too old to say what ran")
        if skipped := self._lifecycle.skipped:
            left.append(f"skipped rounds: {skipped}, for reasons that only the log gives")
        return left

    def _assumed(self) -> dict[str, int]:
        carried = self.opened is not None and self.opened.previous is not None
        taken = {
            "carried_state": int(carried),
            "code_verdicts": self._counted.verdicts,
            "metagraphs_without_chain": self._counted.metagraphs,
            "unproved_faults": self._counted.unproved,
        }
        if self._full is not every:
            taken["unsampled_rounds"] = self._counted.taken
        if not self._decisions.noting:
            taken["findings"] = self._counted.noted - self._decisions.noted
        return taken


async def audit(
    log: Log,
    *,
    hotkey: str | None = None,
    levels: Collection[Level] = ALONE,
    processes: int | None = None,
    full: Full = every,
    progress: Progress | None = None,
) -> Report:
    """Audit a log. ``hotkey`` pins the validator whose log it must be.

    ``levels``, ``full`` and ``processes`` as for ``Audit``; the report is the same for any number
    of processes.
    """
    audit = Audit(log, hotkey=hotkey, levels=levels, processes=processes, full=full)
    return await audit.run(progress)


def chosen(levels: Collection[Level]) -> frozenset[Level]:
    """Structure, and the levels named. Raises UsageError for a name that is none of them."""
    if unknown := sorted(set(levels) - set(ALONE)):
        raise UsageError(f"there is no level {unknown[0]!r}: name some of {', '.join(ALONE)}")
    return frozenset(("structure", *levels))


def _total(counts: Iterator[int]) -> int:
    total = 0
    for count in counts:
        total += count
    return total
