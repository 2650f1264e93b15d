"""Why a miner has its weight: from the row down to the raw answers."""

from collections.abc import Collection, Sequence
from math import fsum

from quasar.errors import CannotJudge, UsageError
from quasar.events import FindingNoted, Weight
from quasar.log import Log
from quasar.replay.index_events import IndexedLog, indexed
from quasar.replay.index_growth import Progress
from quasar.replay.versions import advised
from quasar.replay.why_found import Base as Base
from quasar.replay.why_found import Difference as Difference
from quasar.replay.why_found import NamedEvent as NamedEvent
from quasar.replay.why_found import NotedFinding as NotedFinding
from quasar.replay.why_found import RoundEarned as RoundEarned
from quasar.replay.why_found import ScoredAnswer as ScoredAnswer
from quasar.replay.why_found import Why as Why
from quasar.replay.why_named import known_hotkeys
from quasar.replay.why_reading import Reading
from quasar.replay.why_rounds import look_into
from quasar.replay.why_weight import Weighed, weigh

ROUNDS = 10
"""Steps of the EMA that are shown, at least, where there are so many."""
FINDINGS = 10
"""That are shown, at most."""


async def why(
    log: Log,
    hotkey: str,
    block: int | None = None,
    *,
    rounds: int = ROUNDS,
    into: int | Collection[int] | None = None,
    answers: int | None = None,
    progress: Progress | None = None,
) -> Why:
    """Explain a hotkey's weight, at the newest row or at the newest row up to ``block``.

    ``rounds``: steps of the EMA to show, at least. ``into``: numbers of the rounds whose answers
    are shown, or how many of the newest; at most ``answers`` of each; None for all. ``progress``
    tells of an archive that is read for the first time.

    Every event that is used is read from the log and proved under its newest checkpoint; every
    number is recomputed from what is shown, and ``differences`` lists those that do not follow.
    Whether what is shown is all that there is, an audit tells.

    Raises UsageError for a hotkey that this log never sampled, Damaged for bytes that do not verify
    or events that do not follow from one another, and CannotJudge where versions are missing.
    """
    try:
        events = await indexed(log, progress)
        return await explain(events, hotkey, block, rounds=rounds, into=into, answers=answers)
    except CannotJudge as missing:
        raise await advised(log, missing) from None


async def explain(
    events: IndexedLog,
    hotkey: str,
    block: int | None = None,
    *,
    rounds: int = ROUNDS,
    into: int | Collection[int] | None = None,
    answers: int | None = None,
) -> Why:
    """As ``why``, on a log that has its index."""
    known = await known_hotkeys(events, block)
    if hotkey not in known:
        shown = ", ".join(sorted(known)[:8]) or "none"
        raise UsageError(f"this log never sampled {hotkey}; it knows {shown}")
    weighed = await weigh(events, hotkey, block, rounds)
    numbers = [earned.round for earned in weighed.rounds]
    findings = await _findings(weighed.reading)
    chosen = numbers if into is None else numbers[-into:] if isinstance(into, int) else into
    return _why(
        weighed,
        findings,
        [
            await look_into(weighed.reading, earned, answers) if earned.round in chosen else earned
            for earned in weighed.rounds
        ],
    )


async def _findings(reading: Reading) -> list[NotedFinding]:
    """The newest that name the miner."""
    newest = reading.log.index.findings.get(reading.hotkey, [])[-FINDINGS:]
    found = [(seq, await reading.event(seq, FindingNoted, seq)) for seq in newest]
    return [NotedFinding(seq=seq, finding=event) for seq, event in found]


def _why(found: Weighed, findings: list[NotedFinding], rounds: list[RoundEarned]) -> Why:
    reading, row = found.reading, found.row
    weights = row.weights if row else []
    return Why(
        hotkey=reading.hotkey,
        uid=found.weight.uid if found.weight else None,
        validator=reading.opened.hotkey,
        origin=reading.origin,
        weight=found.weight,
        weight_seq=found.row_seq,
        epoch=row.epoch if row else None,
        block=row.block if row else None,
        highest=max((w.score for w in weights if w.samples >= found.minimum), default=None),
        share=_share(found.weight, weights),
        of=len(weights),
        deferred=found.deferred,
        alpha=found.alpha,
        minimum_samples=found.minimum,
        base=found.base,
        rounds=rounds,
        findings=findings,
        differences=sorted(reading.differences, key=lambda d: d.seq),
        events=reading.named,
        size=reading.log.index.size,
        root=reading.log.root.hex(),
    )


def _share(weight: Weight | None, weights: Sequence[Weight]) -> float | None:
    return weight.u16 / fsum(w.u16 for w in weights) if weight and weight.u16 else None
