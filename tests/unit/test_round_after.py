"""How many rounds ``validate --once`` plays after a pause."""

from types import SimpleNamespace
from typing import cast

import anyio
import pytest

from quasar.chain import Block
from quasar.supervisor.run import STARTING_BLOCKS, round_after
from quasar.supervisor.setup import Setup
from tests.builders import EVERY, World, small_policy

LAG = 50
"""Blocks after which a round is not opened any more, as in the small policy."""


def setup_at(head: int, policy: bytes) -> Setup:
    """All that is asked of a setup here."""

    async def now() -> Block:
        return Block(number=head, hash="0x", timestamp_ms=0, epoch=0)

    return cast(Setup, SimpleNamespace(policy=policy, chain=SimpleNamespace(head=now)))


async def paused(*blocks: int) -> World:
    """A log whose newest observed block is the last of these."""
    world = World()
    await world.open()
    for number in blocks:
        await world.block(number, metagraph=True)
    return world


@pytest.mark.parametrize(
    ("head", "last"),
    [
        (EVERY + 1, 2),
        (2 * EVERY, 2),
        (2 * EVERY + LAG - STARTING_BLOCKS - 1, 2),
        (2 * EVERY + LAG - STARTING_BLOCKS, 3),
        (3 * EVERY - 1, 3),
        (9 * EVERY + 1, 9),
    ],
    ids=str,
)
def test_a_round_that_opens_late_counts(head: int, last: int) -> None:
    """Round 1 was opened before the pause: the next that can be opened is the one that is asked
    for, and it opens though its block is past."""

    async def ask() -> int:
        world = await paused(1, EVERY)
        return await round_after(1, setup_at(head, world.policy), world.log)

    assert anyio.run(ask) == last


@pytest.mark.parametrize(("changed", "last"), [(EVERY, 3), (10, 13)], ids=str)
def test_rounds_are_counted_as_the_new_policy_has_them(changed: int, last: int) -> None:
    """Another cadence begins with this run."""
    every = f"round_every_blocks = {EVERY} "
    policy = small_policy(**{every: f"round_every_blocks = {changed} "})

    async def ask() -> int:
        world = await paused(1, EVERY)
        return await round_after(1, setup_at(3 * EVERY - 1, policy), world.log)

    assert anyio.run(ask) == last


def test_a_log_without_rounds_has_all_before_it() -> None:
    """The first block that is observed begins the schedule."""

    async def ask() -> int:
        world = await paused()
        return await round_after(2, setup_at(10**6, world.policy), world.log)

    assert anyio.run(ask) == 2
