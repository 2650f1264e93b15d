"""Several volumes audited as one log: each goes on where the one before was sealed."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Self

import msgspec

from quasar.errors import CannotJudge
from quasar.events import LogOpened
from quasar.events.note import BadSignature, LogKeys, parse_checkpoint
from quasar.events.signing import origin_of
from quasar.log import Log
from quasar.log.archive_reader import ArchiveLog
from quasar.replay.audit import ALONE, FOREIGN_SEAL, Audit, Progress, Sealed
from quasar.replay.audited import Kept, Verdict
from quasar.replay.finding import LISTED, Finding, Level, Pending, Report, Tally
from quasar.replay.proved import Counts, proved
from quasar.replay.sample import Full, every


async def audit_volumes(
    logs: Sequence[Log],
    *,
    hotkey: str | None = None,
    levels: Collection[Level] = ALONE,
    processes: int | None = None,
    full: Full = every,
    kept: Kept | None = None,
    progress: Progress | None = None,
) -> Report:
    """One verdict over volumes in their order. ``hotkey`` pins the validator.

    ``levels``, ``processes`` and ``full`` as for ``Audit``. ``kept`` has verdicts on closed volumes
    that need not be read again, and takes new ones. Raises CannotJudge where versions or blobs are
    missing, or there is no volume at all.
    """
    if not logs:
        raise CannotJudge("there is no volume here: give the folder that holds them")
    volumes, done = Volumes(), 0
    total = [await log.head() for log in logs]
    for log, size in zip(logs, total, strict=True):
        known = kept.find(log) if kept and isinstance(log, ArchiveLog) else None
        if known is not None:
            volumes.add(Judged.before(known))
        else:
            audit = Audit(log, hotkey=hotkey, levels=levels, processes=processes, full=full)
            one = Judged.now(audit, await audit.run(_shifted(progress, done, total)))
            if kept and isinstance(log, ArchiveLog):
                one.keep(log, kept)
            volumes.add(one)
        done += size
    return volumes.report()


class Judged(NamedTuple):
    """What the audit of one volume leaves behind."""

    report: Report
    counts: Counts
    opened: LogOpened | None
    log_keys: LogKeys | None
    sealed: Sealed | None
    again: bool
    """Whether it was read; else its verdict was known."""

    @classmethod
    def now(cls, audit: Audit, report: Report) -> Self:
        """Just audited."""
        found = audit.counts(), audit.opened, audit.log_keys, audit.sealed()
        return cls(report, *found, again=True)

    @classmethod
    def before(cls, known: Verdict) -> Self:
        """Audited in another process."""
        found = known.counts, known.opened, known.log_keys, known.sealed
        return cls(known.report, *found, again=False)

    def keep(self, log: ArchiveLog, kept: Kept) -> None:
        """A clean verdict on a closed volume, for the next time."""
        if self.sealed is None or self.opened is None or self.log_keys is None:
            return
        verdict = Verdict(
            report=self.report,
            counts=self.counts,
            opened=self.opened,
            keys=list(self.log_keys.ranges),
            sealed=self.sealed,
        )
        kept.keep(log, verdict)


class Volumes:
    """Verdicts on volumes, in their order, made one."""

    def __init__(self) -> None:
        self._newest: Judged | None = None
        self._report: Report | None = None
        self._counts = Counts(*[0] * len(Counts._fields))
        self._not_read: list[int] = []

    def add(self, one: Judged) -> None:
        """The next volume."""
        self._report = self.with_newest(one)
        self._counts = self._counts.plus(one.counts)
        if not one.again and one.opened is not None:
            self._not_read.append(one.opened.volume)
        self._newest = one

    def with_newest(self, one: Judged) -> Report:
        """What the report would be after ``add``, but for volumes that were not read."""
        before = self._newest
        links = _link(before, one) if before else []
        number = one.opened.volume if one.opened else _after(before)
        named = _named(one.report, number, links, judged=before is not None)
        if self._report is None:
            return named
        return _merged(self._report, named, self._counts.plus(one.counts))

    def report(self) -> Report:
        """The verdict on all of them. Raises AssertionError where there are none."""
        assert self._report is not None
        return self.said(self._report)

    def said(self, report: Report) -> Report:
        """The report, with the volumes that were not read."""
        if not self._not_read:
            return report
        first, last = self._not_read[0], self._not_read[-1]
        which = f"volume {first}" if first == last else f"volumes {first} to {last}"
        line = f"{which}: as audited before, not read again; --fresh reads everything"
        return msgspec.structs.replace(report, not_checked=[*report.not_checked, line])


def _shifted(progress: Progress | None, done: int, total: Sequence[int]) -> Progress | None:
    if progress is None:
        return None
    events = 0
    for size in total:
        events += size
    return lambda seen, _: progress(done + seen, events)


def _link(before: Judged, one: Judged) -> list[Finding]:
    """What is wrong between a volume and the one before it."""
    old, new, sealed = before.opened, one.opened, before.sealed
    if old is None or new is None:
        return []
    if new.volume != old.volume + 1:
        return [_finding(f"volume {old.volume + 1} is missing, or stands elsewhere")]
    same = ("log_id", "log_number", "netuid", "genesis", "hotkey")
    found = [
        _finding("the volume before is another log's", name, getattr(old, name), getattr(new, name))
        for name in same
        if getattr(old, name) != getattr(new, name)
    ]
    if sealed is None:
        return [*found, _finding("the volume before was not closed in order")]
    if new.previous is None:
        return found
    if new.previous.state.sha256 != sealed.state:
        reason = "it starts from another state than the volume before ended with"
        found.append(_finding(reason, "previous.state", new.previous.state.sha256, sealed.state))
    note = parse_checkpoint(new.previous.checkpoint)
    if (note.size, note.root) != (sealed.size, sealed.root):
        reason = "it names another seal than the volume before has"
        roots = f"{note.size} {note.root.hex()}", f"{sealed.size} {sealed.root.hex()}"
        found.append(_finding(reason, "previous.checkpoint", *roots))
    return [*found, *_seal(before, old, new.previous.checkpoint)]


def _seal(before: Judged, old: LogOpened, note: str) -> list[Finding]:
    """Whether the volume before had the key that sealed it, and had it still."""
    if before.log_keys is None:
        return []
    try:
        before.log_keys.open(note, origin_of(old.netuid, old.hotkey, old.log_id, old.volume))
    except BadSignature as problem:
        return [_finding(f"the seal of the volume before: {problem}", "previous.checkpoint")]
    return []


def _finding(
    reason: str, field: str | None = None, recorded: object = None, recomputed: object = None
) -> Finding:
    return Finding(
        seq=1,
        level="structure",
        type="LogOpened",
        reason=reason,
        field=field,
        recorded=None if recorded is None else str(recorded),
        recomputed=None if recomputed is None else str(recomputed),
    )


def _after(before: Judged | None) -> int:
    """What a volume should be that does not say it."""
    return before.opened.volume + 1 if before and before.opened else 1


def _named(report: Report, volume: int, links: Sequence[Finding], *, judged: bool) -> Report:
    """The report of one volume, with its links, and its number in what was found first.

    ``judged``: the volume before was audited too, and so its seal.
    """
    found = sorted([*links, *report.listed], key=lambda f: f.seq)
    listed = [msgspec.structs.replace(f, volume=volume) for f in found[:LISTED]]
    return msgspec.structs.replace(
        report,
        result="divergent" if listed else "clean",
        not_checked=[left for left in report.not_checked if not (judged and left == FOREIGN_SEAL)],
        findings=report.findings + len(links),
        first_divergence=listed[0] if listed else None,
        listed=listed,
    )


def _merged(one: Report, two: Report, counts: Counts) -> Report:
    """The report of everything up to the second."""
    first = one.first_divergence or two.first_divergence
    keys = one.assumed | two.assumed
    assumed = {k: one.assumed.get(k, 0) + two.assumed.get(k, 0) for k in keys}
    return msgspec.structs.replace(
        two,
        result="divergent" if first else "clean",
        events=one.events + two.events,
        decisions=_sum(one.decisions, two.decisions),
        scores=_sum(one.scores, two.scores),
        weights=_sum(one.weights, two.weights),
        receipts=_sum(one.receipts, two.receipts),
        proved=[] if first else proved(counts),
        not_checked=list(dict.fromkeys([*one.not_checked, *two.not_checked])),
        # What a volume was handed is proved by the audit of the one before it.
        assumed=assumed | {"carried_state": one.assumed["carried_state"]},
        disputes=one.disputes + two.disputes,
        findings=one.findings + two.findings,
        first_divergence=first,
        listed=[*one.listed, *two.listed][:LISTED],
        pending=_both(one.pending, two.pending),
    )


def _both(one: Pending, two: Pending) -> Pending:
    newest = one.newest if two.newest is None else two.newest
    return Pending(rounds=one.rounds + two.rounds, newest=newest)


def _sum(one: Tally, two: Tally) -> Tally:
    return Tally(checked=one.checked + two.checked, equal=one.equal + two.equal)
