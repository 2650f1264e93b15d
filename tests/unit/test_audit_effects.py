"""The journals of rows and anchors: an honest one is clean, each broken step is named."""

from collections.abc import Callable
from typing import Any

import pytest

from quasar.events import (
    AnchorFailed,
    AnyEvent,
    CheckpointAnchored,
    CheckpointSigned,
    Event,
    WeightsComputed,
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsUnknown,
    WeightsVerified,
)
from quasar.replay import Report
from quasar.rules.anchoring import anchor_digest
from quasar.rules.submission import ERA_BLOCKS
from tests.forging import Forging, Item, event_of, first_is, played, report_of

BLOCK = 160
HASH = "0x" + "ab" * 32
SIGN = CheckpointSigned(size=0, root="0" * 64, note="")
"""Forging fills it in."""


def intended(attempt: int = 0, block: int = BLOCK) -> WeightsIntended:
    return WeightsIntended(epoch=2, attempt=attempt, block=block)


def submitted(attempt: int = 0) -> WeightsSubmitted:
    return WeightsSubmitted(epoch=2, attempt=attempt, extrinsic=HASH)


def confirmed(attempt: int = 0, block: int = BLOCK + 2) -> WeightsConfirmed:
    return WeightsConfirmed(epoch=2, attempt=attempt, block=block, block_hash=HASH)


def unknown(attempt: int = 0, block: int = BLOCK + ERA_BLOCKS + 1) -> WeightsUnknown:
    return WeightsUnknown(epoch=2, attempt=attempt, block=block)


def failed(attempt: int = 0) -> WeightsFailed:
    return WeightsFailed(epoch=2, attempt=attempt, code="superseded", reason="a newer row")


def verified(attempt: int = 0, block: int = BLOCK + 3, equal: bool = True) -> WeightsVerified:
    return WeightsVerified(epoch=2, attempt=attempt, block=block, equal=equal)


def journal(*events: AnyEvent) -> tuple[Forging, list[Item]]:
    """The played log with these events after the row of epoch 2."""
    log = Forging(played())
    last, items = log.one(WeightsComputed, lambda e: e.epoch == 2), []
    for event in events:
        trust = isinstance(event, CheckpointSigned | CheckpointAnchored | AnchorFailed)
        last = log.add(last, event, "checkpointer" if trust else "weight-setter")
        items.append(last)
    return log, items


def judged(log: Forging) -> Report:
    return report_of(log.lines(), log.world.log.blobs)


HONEST: dict[str, list[AnyEvent]] = {
    "confirmed": [intended(), SIGN, submitted(), confirmed(), verified()],
    "no answer": [intended(), SIGN, confirmed(), verified()],
    "refused": [intended(), SIGN, failed()],
    "never intended": [failed()],
    "superseded": [intended(), SIGN, unknown(), failed(1)],
    "second attempt": [
        intended(),
        SIGN,
        submitted(),
        unknown(),
        intended(1, BLOCK + 20),
        SIGN,
        submitted(1),
        confirmed(1, BLOCK + 21),
        verified(1, BLOCK + 22),
    ],
    "still open": [intended()],
}


@pytest.mark.parametrize("events", HONEST.values(), ids=HONEST)
def test_an_honest_journal_is_clean(events: list[AnyEvent]) -> None:
    """Every way in which a row may honestly end."""
    log, _ = journal(*events)
    report = judged(log)
    assert report.result == "clean", report.first_divergence


BROKEN: list[tuple[list[AnyEvent], str]] = [
    ([intended(1)], "not dense"),
    ([WeightsIntended(epoch=9, attempt=0, block=BLOCK)], "was not computed"),
    ([WeightsFailed(epoch=9, attempt=0, code="x", reason="")], "was not computed"),
    ([intended(), intended(1)], "tried again before"),
    ([intended(), SIGN, confirmed(), intended(1)], "tried again before"),
    ([failed(), intended()], "tried again before"),
    ([submitted()], "was not intended"),
    ([intended(), submitted()], "before a signed checkpoint"),
    ([SIGN, intended(), submitted()], "before a signed checkpoint"),
    ([intended(), SIGN, confirmed(), submitted()], "after its outcome"),
    ([confirmed()], "not intended"),
    ([unknown()], "not intended"),
    ([failed(1)], "not intended"),
    ([intended(), failed(1), failed(2)], "not intended"),
    ([intended(), confirmed(block=BLOCK - 1)], "before its intent"),
    ([intended(), unknown(block=BLOCK + ERA_BLOCKS)], "could still land"),
    ([verified()], "not confirmed"),
    ([intended(), unknown(), verified()], "not confirmed"),
    ([intended(), confirmed(), verified(block=BLOCK)], "from before it was confirmed"),
]


@pytest.mark.parametrize(("events", "reason"), BROKEN)
def test_a_broken_journal_is_named(events: list[AnyEvent], reason: str) -> None:
    """The last event of each is the one that does not follow."""
    log, items = journal(*events)
    first_is(judged(log), log.place(items[-1]), "lifecycle", reason)


def test_another_row_on_chain_is_a_finding() -> None:
    """A validator that reads back another row records it honestly; the audit must not hide it."""
    log, items = journal(intended(), SIGN, submitted(), confirmed(), verified(equal=False))
    first_is(judged(log), log.place(items[-1]), "weights", "the chain held another row")


def anchored(log: Forging, signed: Item, previous: str | None) -> CheckpointAnchored:
    """Fits the checkpoint as it stands in the forged log."""
    size = log.place(signed) - 1
    return CheckpointAnchored(size=size, attempt=0, block=BLOCK, block_hash=HASH, previous=previous)


def anchors() -> tuple[Forging, list[Item]]:
    """Two anchored checkpoints after each other."""
    log, (_, first, _, second) = journal(intended(), SIGN, unknown(), SIGN)
    one = log.add(first, anchored(log, first, None))
    event = event_of(log.lines()[log.place(first) - 1])
    assert isinstance(event, CheckpointSigned)
    two = log.add(second, anchored(log, second, anchor_digest(event.note)))
    return log, [one, two]


def test_honest_anchors_are_clean() -> None:
    """Each names the digest of the one before."""
    log, _ = anchors()
    report = judged(log)
    assert report.result == "clean", report.first_divergence


def again(log: Forging, items: list[Item]) -> Item:
    one = items[0].event
    return log.add(items[1], CheckpointAnchored(**{**_fields(one), "attempt": 1}))


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


ANCHORS: list[tuple[Callable[[Forging, list[Item]], Item], str]] = [
    (lambda g, i: g.edit(i[0], previous="0" * 64), "does not name the anchor before"),
    (lambda g, i: g.edit(i[1], previous=None), "does not name the anchor before"),
    (lambda g, i: g.edit(i[1], size=1), "not in the log"),
    (lambda g, i: g.add(i[0], AnchorFailed(size=1, attempt=0, reason="")), "not in the log"),
    (again, "an older checkpoint"),
]


@pytest.mark.parametrize(("forge", "reason"), ANCHORS)
def test_a_forged_anchor_is_named(
    forge: Callable[[Forging, list[Item]], Item], reason: str
) -> None:
    """Anchors form a chain over checkpoints of this very log."""
    log, items = anchors()
    forged = forge(log, items)
    first_is(judged(log), log.place(forged), "lifecycle", reason)
