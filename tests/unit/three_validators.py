"""Three validators' logs over the same miners and blocks, honest or with one that forges.

The forger plays with our own rules, so everything downstream of its edits is as the rules make it.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import anyio
import msgspec

from quasar.draw import Draw
from quasar.events import AnyEvent
from quasar.log.archive import ArchiveWriter
from quasar.rules.delivery import Delivery
from tests.builders import SEED, World
from tests.forging import few_tasks
from tests.unit.volume_folder import extend, identity_of

ROUNDS = 24
MINERS = 4
NAMES = ("alice", "bob", "carol")

Events = list[AnyEvent]
Forgery = Callable[[World, Delivery, Events], Events]
"""What a validator records in place of what came back."""


def miner(number: int) -> str:
    """Hotkey of a miner."""
    return list(World(MINERS).miners)[number]


RIVAL, FRIEND = miner(1), miner(3)


@cache
def world(name: str, forgery: Forgery | None = None, rounds: int = ROUNDS) -> World:
    """One validator, at the end of its rounds. Not to be changed."""
    played = World(MINERS, few_tasks(), validator=name)
    anyio.run(_play, played, name, forgery, rounds)
    return played


async def _play(played: World, name: str, forgery: Forgery | None, rounds: int) -> None:
    for number in range(1, rounds + 1):
        await played.start_round(number)
        for d in played.open_deliveries():
            events = came_back(played, name, d)
            await played.deliver(d, *(forgery(played, d, events) if forgery else events))
        await played.settle()
        await played.checkpoint()


def came_back(played: World, name: str, d: Delivery) -> Events:
    """What a miner does depends on itself and on luck, not on who asks."""
    number = list(played.miners).index(d.key[2])
    luck = Draw(SEED, f"{name}/{d.key}").below(100)
    if luck < 2:
        return [played.abandoned(d)]
    if luck < 4:
        return [played.acceptance(d), late(played, d)]
    if d.key[2] == FRIEND and luck < 40:
        return [played.acceptance(d), played.abandoned(d, "answer", "timeout")]
    right = luck >= 15 + 15 * number
    answer = played.right_answer(*d.key) if right else b"ANSWER: 1"
    return [played.acceptance(d), played.received(d, answer)]


def late(played: World, d: Delivery) -> AnyEvent:
    answer = played.received(d, b"ANSWER: 1")
    return msgspec.structs.replace(answer, elapsed_ms=answer.deadline_ms + 1)


def silenced(played: World, d: Delivery, events: Events) -> Events:
    """Forgery 11: an answer of the rival is lost in round 7, and all that it says later."""
    if d.key[2] == RIVAL and d.key[0] >= 7:
        return [played.abandoned(d)]
    return events


def excused(played: World, d: Delivery, events: Events) -> Events:
    """Forgery 14: the friend's time-outs become the validator's own fault."""
    if d.key[2] == FRIEND and len(events) == 2 and events[1] == timed_out(played, d):
        return [events[0], played.abandoned(d, "answer", "internal")]
    return events


def timed_out(played: World, d: Delivery) -> AnyEvent:
    return played.abandoned(d, "answer", "timeout")


def write(folder: Path, played: World) -> Path:
    """The signed archive of a validator."""
    with ArchiveWriter.open(folder, identity_of(played)) as writer:
        extend(writer, played, len(played.lines))
    return folder
