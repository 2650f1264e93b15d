"""Rounds whose tasks and miners are drawn, for tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
from msgspec import Struct

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.families.factbook import Factbook
from quasar.events import MixDrawn
from quasar.rules.delivery import Delivery
from quasar.rules.mixing import played
from quasar.rules.plan import PlannedTask, offered, plan_tasks
from quasar.rules.policy import parse
from quasar.rules.secrets import round_seed
from tests.builders import BEACON_DELAY, EVERY, World, small_policy

SAMPLING = """
[sampling]
upload_bytes = 40_000
coverage_rounds = 2
anchors = 0.5
"""
ADAPTIVE = """
[adaptive]
low = 0.4
high = 0.8
answers = 2
"""
BEACON = """
[beacon]
late_blocks = 5
wait_blocks = 20
"""


class Ladder(Factbook):
    """A family with five levels, which here nobody plays."""

    levels = (Struct(), Struct(), Struct(), Struct(), Struct())


@contextmanager
def ladder() -> Iterator[None]:
    """``ladder@1`` is installed."""
    FAMILIES["ladder@1"] = Ladder()
    try:
        yield
    finally:
        del FAMILIES["ladder@1"]


def drawn_policy(*sections: str, **changes: str) -> bytes:
    """readme-v1 with short contexts and these tables; ``changes`` replace text of the file."""
    return small_policy(**changes) + "".join(sections or (SAMPLING, ADAPTIVE, BEACON)).encode()


def mix_of(world: World, number: int) -> MixDrawn:
    """What a round has drawn."""
    found: list[MixDrawn] = [mix for mix in world.events(MixDrawn) if mix.round == number]
    [mix] = found
    return mix


def tasks_of(world: World, number: int) -> list[PlannedTask]:
    """A round's tasks, as the secret and the beacon make them."""
    beacon = world.block_hash(number * EVERY + BEACON_DELAY)
    seed = round_seed(world.secrets.secret(number), beacon)
    policy = offered(parse(world.policy), world.sandbox)
    return list(plan_tasks(seed, played(policy, mix_of(world, number))))


def right(world: World, d: Delivery) -> bytes:
    """What everyone says who knows."""
    number, task, hotkey = d.key
    return f"ANSWER: {tasks_of(world, number)[task].variant(hotkey).instance.answer}".encode()


def rounds(
    world: World, count: int, answer: Callable[[World, Delivery], bytes] | None = None
) -> World:
    """The world after so many more rounds; without ``answer`` everyone is wrong."""

    async def play() -> None:
        first = 1 + len(world.events(MixDrawn))
        for number in range(first, first + count):
            await world.play_round(number, answer or (lambda _, __: b"ANSWER: nothing"))

    anyio.run(play)
    return world
