"""The order in which answers arrive changes no decision."""

import random  # noqa: TID251 - orders of a test, not of a rule

import pytest

from quasar.events import AnyEvent, Kind
from quasar.events.envelope import decode, payload_of
from quasar.rules.delivery import Delivery
from tests.builders import World

ORDERS = 50


Step = tuple[Delivery, tuple[AnyEvent, ...]]


async def answers() -> list[Step]:
    """What the miners of a round send: right answers, and every third task nothing."""
    world = World(miners=3)
    await world.start_round(1)
    return [
        (d, (world.acceptance(d), world.received(d, world.right_answer(*d.key))))
        if d.key[1] % 3
        else (d, (world.abandoned(d),))
        for d in world.open_deliveries()
    ]


async def decisions(steps: list[Step], order: random.Random) -> dict[str, bytes]:
    """Slot to payload of every decision, with the answers delivered in a drawn order."""
    world = World(miners=3)
    await world.start_round(1)
    for d, events in order.sample(steps, len(steps)):
        await world.deliver(d, *events)
        if order.random() < 0.3:
            await world.settle()
    await world.settle()
    await world.block(150, epoch=2, metagraph=True)
    return {
        decode(line).key: payload_of(line)
        for line in world.lines
        if decode(line).event.kind is Kind.DECISION
    }


@pytest.mark.anyio
async def test_fifty_orders_give_the_same_decisions() -> None:
    """The same answers in 50 random orders give byte-identical decisions."""
    steps = await answers()
    expected = await decisions(steps, random.Random(0))
    assert {"sealed.1", "scored.1", "weights.2.0.computed"} <= set(expected)
    for seed in range(1, ORDERS):
        assert await decisions(steps, random.Random(seed)) == expected
