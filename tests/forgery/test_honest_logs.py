"""The other side: what an honest validator may leave behind is never called a forgery."""

import msgspec
import pytest

from quasar.events import (
    BlockObserved,
    MetagraphObserved,
    RoundOpened,
    RoundRevealed,
    RoundSealed,
    RunEnded,
    RunStarted,
)
from quasar.replay import Report
from tests.builders import BLOCK_NS, World
from tests.forgery.honest import programs, recorded
from tests.forging import Forging, in_round, report_of

LENGTH = len(recorded().lines)


def clean(log: Forging | World) -> Report:
    """The report, which must be clean."""
    lines = log.lines() if isinstance(log, Forging) else log.lines
    blobs = log.world.log.blobs if isinstance(log, Forging) else log.log.blobs
    report = report_of(lines, blobs)
    assert report.result == "clean", report.first_divergence
    return report


@pytest.mark.parametrize("quoting", [False, True])
def test_the_logs_that_are_forged_here_are_clean(quoting: bool) -> None:
    """Else a forgery would be named for what was wrong before."""
    clean(recorded(quoting))
    clean(programs())


@pytest.mark.parametrize("third", range(3))
def test_a_log_that_was_cut_is_clean(third: int) -> None:
    """A crash, or a copy made while it was written, ends a log anywhere."""
    world = recorded()
    for length in range(1 + 2 * third, LENGTH, 6):
        report = report_of(world.lines[:length], world.log.blobs)
        assert report.result == "clean", (length, report.first_divergence)


@pytest.mark.parametrize("third", range(3))
def test_a_crash_at_any_event_is_clean(third: int) -> None:
    """The next run goes on where the last one ended, in the middle of a step too."""
    started = recorded().events(RunStarted)[0]
    for place in range(2 + 2 * third, LENGTH - 1, 6):
        log = Forging(recorded())
        log.add(log.items[place], msgspec.structs.replace(started, run=2), "supervisor")
        log.edit(log.one(RunEnded), run=2)
        clean(log)


def test_rounds_that_are_not_revealed_are_pending() -> None:
    """Their steps are counted, and nobody is accused."""
    log = Forging(recorded())
    reveal = log.one(RoundRevealed, in_round(3))
    log.items = log.items[: log.items.index(reveal)]
    report = clean(log)
    assert [line for line in report.not_checked if "not revealed yet" in line]


def after_the_seal(log: Forging) -> Forging:
    """Ends with the seal of round 3, after which no round opens."""
    log.edit(log.one(RunStarted), rounds=3)
    log.drop(log.all(RoundOpened, in_round(4)))
    sealed = log.one(RoundSealed, in_round(3))
    log.items = log.items[: log.items.index(sealed) + 1]
    return log


def later(log: Forging, blocks: int) -> BlockObserved:
    """A block of the same epoch that an observer reads some time after the last one."""
    last = log.all(BlockObserved)[-1].event
    return BlockObserved(
        number=last.number + blocks,
        hash=log.world.block_hash(last.number + blocks),
        timestamp_ms=last.timestamp_ms + blocks * BLOCK_NS // 1_000_000,
        epoch=last.epoch,
        head=last.number + blocks,
    )


def add_block(log: Forging, block: BlockObserved) -> None:
    """The observer writes it at once."""
    item = log.add(log.items[-1], block, "chain-observer")
    item.at, item.cause = block.timestamp_ms * 1_000_000, 0


def test_a_reveal_that_a_crash_delayed_is_clean() -> None:
    """A block of hours later may come before what the crash left undone."""
    log = Forging(recorded())
    reveal = log.one(RoundRevealed, in_round(3))
    after_the_seal(log)
    sealed = log.items[-1]
    run = msgspec.structs.replace(log.one(RunStarted).event, run=2)
    log.add(sealed, run, "supervisor")
    add_block(log, later(log, 400))
    reveal.at = log.items[-1].at
    log.items.append(reveal)
    add_block(log, later(log, 400))
    clean(log)


def test_a_metagraph_without_its_block_is_clean() -> None:
    """The log was cut between the two."""
    log = Forging(recorded())
    item = log.all(MetagraphObserved)[-1]
    log.items = log.items[: log.items.index(item) + 1]
    clean(log)
