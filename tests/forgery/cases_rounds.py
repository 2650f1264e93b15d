"""Forgeries of rounds, blocks and rows, with all that follows recomputed; see ``cases``."""

from collections.abc import Callable
from typing import Any

import msgspec

from quasar.events import (
    BlockObserved,
    MetagraphObserved,
    RoundRevealed,
    RoundSealed,
    RunStarted,
    TaskAssigned,
    Weight,
    WeightsComputed,
    WeightsDeferred,
)
from tests.builders import BLOCK_NS
from tests.forgery.cases import EQUAL, Case, Forge, in_round
from tests.forgery.kit import Fact, Forger


def block(f: Forger, number: int) -> Fact:
    """A block that was observed."""
    return f.fact(BlockObserved, lambda e: e.number == number)


def round_not_read(f: Forger) -> str:
    f.drop_if(lambda e: 150 <= getattr(e, "number", 0) < 225)
    assigned = f.decision(TaskAssigned, in_round(3))
    return f"accept.3.0.{assigned.hotkey}"


def round_read_late(f: Forger) -> str:
    return f.edit(block(f, 225), head=400)


def round_passed_over(f: Forger) -> str:
    f.drop_if(lambda e: getattr(e, "number", 0) == 225)
    f.edit(block(f, 228), head=228)
    return str(block(f, 228).event.slot)


def no_metagraph(f: Forger) -> str:
    f.drop(f.fact(MetagraphObserved, lambda e: e.number == 225))
    return str(block(f, 225).event.slot)


def metagraph_elsewhere(f: Forger) -> str:
    fact = f.fact(MetagraphObserved, lambda e: e.number == 225)
    return f.edit(fact, hash=f.world.block_hash(224))


def beacon_passed_over(f: Forger) -> str:
    f.drop(block(f, 228))
    return str(block(f, 300).event.slot)


def never_revealed(f: Forger) -> str:
    f.put["revealed.2"] = None
    return "sealed.2"


def held_back(f: Forger) -> str:
    """The last round, while the log goes on for hours of blocks."""
    f.put["revealed.3"] = None
    f.drop_if(lambda e: getattr(e, "number", 0) == 300)
    f.edit(f.fact(RunStarted), rounds=3)
    last, after = block(f, 228), f.facts[-1]
    for number in (270, 610):
        observed = msgspec.structs.replace(
            last.event,
            number=number,
            hash=f.world.block_hash(number),
            head=number,
            timestamp_ms=last.event.timestamp_ms + (number - 228) * BLOCK_NS // 1_000_000,
        )
        after = f.insert(after, observed, "chain-observer")
        after.at, after.led_by = observed.timestamp_ms * 1_000_000, ""
    return str(after.event.slot)


def uids_swapped(f: Forger) -> str:
    row = f.decision(WeightsComputed)
    one, two, *rest = row.weights
    swapped = [
        msgspec.structs.replace(one, uid=two.uid),
        msgspec.structs.replace(two, uid=one.uid),
    ]
    return f.impose(row, weights=[*swapped, *rest])


def row(change: Callable[[Weight], Weight]) -> Forge:
    """Change every entry of the row of epoch 3."""

    def forge(f: Forger) -> str:
        computed = f.decision(WeightsComputed, lambda e: e.epoch == 3)
        return f.impose(computed, weights=[change(w) for w in computed.weights])

    return forge


def deferred(f: Forger) -> str:
    computed = f.decision(WeightsComputed, lambda e: e.epoch == 4)
    e = WeightsDeferred(epoch=4, attempt=0, block=computed.block, reason="all-zero")
    return f.impose(e)


def back_dated(kind: type[Any]) -> Forge:
    """Date a decision of round 2 an hour early."""

    def forge(f: Forger) -> str:
        slot = str(f.decision(kind, in_round(2)).slot)
        f.dated[slot] = -300 * BLOCK_NS
        return slot

    return forge


ROUND_CASES = [
    Case(28, "round not read", round_not_read, "receipts", "another log or assignment"),
    Case(28, "round read late", round_read_late, "lifecycle", "would not have been read"),
    Case(28, "round passed over", round_passed_over, "lifecycle", "was passed over"),
    Case(28, "round without miners", no_metagraph, "lifecycle", "none was read"),
    Case(28, "metagraph elsewhere", metagraph_elsewhere, "lifecycle", "read at another block"),
    Case(28, "beacon not read", beacon_passed_over, "lifecycle", "was passed over"),
    Case(30, "one round not revealed", never_revealed, "tasks", "never revealed"),
    Case(30, "the last one held back", held_back, "lifecycle", "its secret is held back"),
    Case(31, "uids swapped", uids_swapped, "weights", EQUAL),
    Case(
        32,
        "EMA",
        row(lambda w: msgspec.structs.replace(w, score=w.score * 2)),
        "weights",
        EQUAL,
    ),
    Case(
        33,
        "row scaled by its sum",
        row(lambda w: msgspec.structs.replace(w, u16=w.u16 // 2)),
        "weights",
        EQUAL,
    ),
    Case(33, "row deferred", deferred, "weights", EQUAL),
    Case(38, "seal back-dated", back_dated(RoundSealed), "lifecycle", "dated before a block"),
    Case(38, "reveal back-dated", back_dated(RoundRevealed), "lifecycle", "dated before a block"),
]
