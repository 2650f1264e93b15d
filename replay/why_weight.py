"""From a weight to the rounds that made it: the steps of its EMA, recomputed."""

from bisect import bisect_right
from dataclasses import dataclass

import msgspec

from quasar.events import (
    BlockObserved,
    MeanReward,
    MetagraphObserved,
    RoundScored,
    Weight,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.replay.index import Row
from quasar.replay.index_events import IndexedLog
from quasar.replay.why_found import Base, RoundEarned
from quasar.replay.why_reading import Reading, explaining, neurons_of, unexplained
from quasar.rules.carried import Carried
from quasar.rules.weights import Standing, fold_mean, row_of

_carried = msgspec.json.Decoder(Carried).decode


@dataclass
class Weighed:
    """A miner's place in a row, and the steps that led there."""

    reading: Reading
    row: WeightsComputed | None
    row_seq: int
    weight: Weight | None
    deferred: str | None
    alpha: float
    minimum: int
    base: Base
    rounds: list[RoundEarned]


async def weigh(log: IndexedLog, hotkey: str, block: int | None, rounds: int) -> Weighed:
    """The newest row up to a block, and at least so many steps before it. Raises Damaged."""
    reading = await Reading.start(log, hotkey)
    decided = [row for row in log.index.rows if block is None or row.block <= block]
    computed = [row for row in decided if row.computed]
    row_seq = computed[-1].seq if computed else 0
    row = await reading.event(row_seq, WeightsComputed, row_seq) if computed else None
    until = await _cause(reading, row_seq, row) if row else _end(log, block)
    base, since = await _base(reading, computed[:-1], until, rounds)
    policy = await reading.policy_at(until)
    weight = next((w for w in row.weights if w.hotkey == hotkey), None) if row else None
    steps, standing = await _steps(reading, base, since, until)
    if row:
        _compare(reading, row, row_seq, standing, base.rounds + _count(log, since, until))
        _compare_row(reading, row, row_seq, policy.scoring.minimum_samples)
    return Weighed(
        reading=reading,
        row=row,
        row_seq=row_seq,
        weight=weight,
        deferred=await _deferred(reading, decided),
        alpha=policy.scoring.ema_alpha,
        minimum=policy.scoring.minimum_samples,
        base=base,
        rounds=steps,
    )


async def _cause(reading: Reading, seq: int, row: WeightsComputed) -> int:
    """The block that a row was decided at: what is in the log before it counts."""
    cause = (await reading.recorded(seq)).envelope.cause
    block = await reading.event(cause, BlockObserved, seq)
    if (block.number, block.hash) != (row.block, row.block_hash):
        raise unexplained(seq, "another block led to it than it says")
    return cause


def _end(log: IndexedLog, block: int | None) -> int:
    """The first event that is too late where no row says when."""
    blocks = log.index.blocks
    later = (b.seq for b in blocks if block is not None and b.number > block)
    return next(later, log.index.size + 1)


async def _deferred(reading: Reading, decided: list[Row]) -> str | None:
    """Why the newest epoch has no row."""
    if not decided or decided[-1].computed:
        return None
    event = await reading.event(decided[-1].seq, WeightsDeferred, decided[-1].seq)
    return event.reason


async def _base(reading: Reading, older: list[Row], until: int, rounds: int) -> tuple[Base, int]:
    """A row at least so many rounds back, or the volume's start; and the event it counts up to."""
    for row in reversed(older):
        if _count(reading.log, row.seq, until) >= rounds:
            event = await reading.event(row.seq, WeightsComputed, row.seq)
            weight = next((w for w in event.weights if w.hotkey == reading.hotkey), None)
            base = Base(
                seq=row.seq,
                epoch=event.epoch,
                score=weight.score if weight else None,
                samples=weight.samples if weight else 0,
                rounds=event.rounds,
            )
            return base, await _cause(reading, row.seq, event)
    return _start(reading), 1


def _start(reading: Reading) -> Base:
    previous = reading.opened.previous
    carried = None
    if previous is not None:
        with explaining(1):
            carried = _carried(reading.log.blob(1, previous.state))
    standings = {s.hotkey: s for s in carried.standings} if carried else {}
    standing = standings.get(reading.hotkey)
    return Base(
        seq=1,
        epoch=None,
        score=standing.score if standing else None,
        samples=standing.samples if standing else 0,
        rounds=carried.scored if carried else 0,
    )


def _count(log: IndexedLog, since: int, until: int) -> int:
    return len([seq for seq in log.index.scored.values() if since < seq < until])


async def _steps(
    reading: Reading, base: Base, since: int, until: int
) -> tuple[list[RoundEarned], Standing | None]:
    """Every scored round between two events, and what the miner has after them."""
    index = reading.log.index
    standing = None if base.score is None else Standing(base.score, base.samples)
    scored = {seq: number for number, seq in index.scored.items() if since < seq < until}
    start = bisect_right(index.metagraphs, since)
    observed = [seq for seq in index.metagraphs[start:] if seq < until]
    steps, left = [], False
    for seq in sorted([*scored, *observed]):
        if seq not in scored:
            gone = not await _is_registered(reading, seq)
            left, standing = left or (gone and standing is not None), None if gone else standing
            continue
        event = await reading.event(seq, RoundScored, seq)
        reward = next((r for r in event.rewards if r.hotkey == reading.hotkey), None)
        if event.round != scored[seq]:
            raise unexplained(seq, "it stands in another round's slot")
        if reward is not None:
            earned, standing = await _step(reading, seq, event.round, reward, standing, left)
            steps.append(earned)
            left = False
    return steps, standing


async def _is_registered(reading: Reading, seq: int) -> bool:
    event = await reading.event(seq, MetagraphObserved, seq)
    return reading.hotkey in {n.hotkey for n in neurons_of(reading.log, seq, event.neurons)}


async def _step(
    reading: Reading,
    seq: int,
    number: int,
    reward: MeanReward,
    before: Standing | None,
    left: bool,
) -> tuple[RoundEarned, Standing | None]:
    policy, index = await reading.policy_at(seq), reading.log.index
    if number not in index.opened or number not in index.revealed:
        raise unexplained(seq, "its round was not opened or not revealed")
    after = fold_mean(before, reward.mean, reward.scored, policy)
    earned = RoundEarned(
        round=number,
        seq=seq,
        scored=reward.scored,
        not_scored=reward.not_scored,
        unproved=reward.unproved,
        mean=reward.mean,
        rule="",
        alpha=policy.scoring.ema_alpha,
        before=before.score if before else policy.scoring.ema_start,
        ema=after.score if after else None,
        left_before=left,
        opened_seq=index.opened[number],
        beacon_seq=0,
        revealed_seq=index.revealed[number],
        answers=[],
        more=0,
    )
    return earned, after


def _compare(
    reading: Reading, row: WeightsComputed, seq: int, standing: Standing | None, rounds: int
) -> None:
    weight = next((w for w in row.weights if w.hotkey == reading.hotkey), None)
    reading.compare(seq, "rounds", row.rounds, rounds)
    score, samples = standing or (None, 0)
    if weight is None:
        reading.compare(seq, "place in the row", None, score)
        return
    reading.compare(seq, "score (the EMA)", weight.score, score)
    reading.compare(seq, "samples", weight.samples, samples)


def _compare_row(reading: Reading, row: WeightsComputed, seq: int, minimum: int) -> None:
    """The u16 of everyone, which follow from the row's own scores."""
    counted = {w.uid: w.score if w.samples >= minimum else 0.0 for w in row.weights}
    follows = row_of(counted)
    for weight in row.weights:
        if weight.u16 != follows.get(weight.uid, 0):
            what = f"u16 of uid {weight.uid}"
            reading.compare(seq, what, weight.u16, follows.get(weight.uid, 0))
