"""Several volumes audited as one log: each goes on where the one before was sealed."""

from collections.abc import Sequence

import msgspec

from quasar.errors import CannotJudge
from quasar.events import LogOpened
from quasar.events.note import BadSignature, parse_checkpoint
from quasar.events.signing import origin_of
from quasar.log import Log
from quasar.replay.audit import FOREIGN_SEAL, Audit, Progress, Sealed
from quasar.replay.finding import Finding, Report, Tally
from quasar.replay.proved import Counts, proved


async def audit_volumes(
    logs: Sequence[Log], *, hotkey: str | None = None, progress: Progress | None = None
) -> Report:
    """One verdict over volumes in their order. ``hotkey`` pins the validator.

    Raises CannotJudge where versions or blobs are missing, or there is no volume at all.
    """
    if not logs:
        raise CannotJudge("there is no volume here: give the folder that holds them")
    before: Audit | None = None
    sealed: Sealed | None = None
    report: Report | None = None
    counts = Counts(*[0] * len(Counts._fields))
    done = 0
    total = [await log.head() for log in logs]
    for log, size in zip(logs, total, strict=True):
        audit = Audit(log, hotkey=hotkey)
        one = await audit.run(_shifted(progress, done, total))
        links = _link(before, sealed, audit) if before else []
        number = audit.opened.volume if audit.opened else _after(before)
        one = _named(one, number, links, judged=before is not None)
        counts = counts.plus(audit.counts())
        report = one if report is None else _merged(report, one, counts)
        before, sealed, done = audit, audit.sealed(), done + size
    assert report is not None
    return report


def _shifted(progress: Progress | None, done: int, total: Sequence[int]) -> Progress | None:
    if progress is None:
        return None
    events = 0
    for size in total:
        events += size
    return lambda seen, _: progress(done + seen, events)


def _link(before: Audit, sealed: Sealed | None, audit: Audit) -> list[Finding]:
    """What is wrong between a volume and the one before it."""
    old, new = before.opened, audit.opened
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


def _seal(before: Audit, old: LogOpened, note: str) -> list[Finding]:
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


def _after(before: Audit | None) -> int:
    """What a volume should be that does not say it."""
    return before.opened.volume + 1 if before and before.opened else 1


def _named(report: Report, volume: int, links: Sequence[Finding], *, judged: bool) -> Report:
    """The report of one volume, with its links, and its number in what was found first.

    ``judged``: the volume before was audited too, and so its seal.
    """
    firsts = [*links, *([report.first_divergence] if report.first_divergence else [])]
    first = min(firsts, key=lambda f: f.seq, default=None)
    return msgspec.structs.replace(
        report,
        result="divergent" if firsts else "clean",
        not_checked=[left for left in report.not_checked if not (judged and left == FOREIGN_SEAL)],
        findings=report.findings + len(links),
        first_divergence=first and msgspec.structs.replace(first, volume=volume),
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
    )


def _sum(one: Tally, two: Tally) -> Tally:
    return Tally(checked=one.checked + two.checked, equal=one.equal + two.equal)
