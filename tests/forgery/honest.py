"""Honest logs to forge: rounds with every way to fail, rows on chain, an anchor, and programs."""

from functools import cache

import anyio

from quasar.benchmarks.families.code_cases import CASES
from quasar.events import (
    CheckpointAnchored,
    CheckpointSigned,
    CodeExecuted,
    HyperparametersObserved,
    RunEnded,
)
from quasar.events.receipt import SignedCheckpoint
from tests.builders import EVERY, World
from tests.code_round import WRONG, code_instance, code_policy, executed
from tests.forging import fail_in_every_way, few_tasks

SUBMISSIONS = 9
"""Of ``ran``: so many that the seed chooses some for a second run, and not all."""
EXECUTION = b"\n[execution]\ntimeout_s = 10\nmemory_mib = 512\nbudget_s = 300\n"


class WithParameters(World):
    """Reads the subnet's parameters with the first block, as an observer does."""

    async def open(self) -> None:
        await super().open()
        limits = HyperparametersObserved(
            number=0,
            hash=self.block_hash(0),
            tempo=75,
            weights_rate_limit=10,
            min_allowed_weights=1,
            max_weights_limit=65535,
            weights_version=0,
            commit_reveal=False,
        )
        await self.append("chain-observer", limits)


@cache
def recorded(quoting: bool = False) -> World:
    """Three rounds of three miners. Not to be changed.

    ``quoting``: in the last round the miners' receipts name the newest checkpoint.
    """
    world = WithParameters(miners=3, policy=few_tasks())
    anyio.run(_play, world, quoting)
    return world


async def _play(world: World, quoting: bool) -> None:
    await world.play_round(1)
    await world.checkpoint()
    await world.start_round(2)
    await world.set_row(2)
    await _anchor(world)
    await fail_in_every_way(world)
    await world.checkpoint()
    await world.start_round(3)
    newest = world.events(CheckpointSigned)[-1]
    quoted = SignedCheckpoint(size=newest.size, root=newest.root) if quoting else None
    for d in world.open_deliveries():
        answer = world.received(d, world.right_answer(*d.key), checkpoint=quoted)
        await world.deliver(d, world.acceptance(d), answer)
    await world.settle()
    await world.block(4 * EVERY, epoch=4, metagraph=True)
    await world.checkpoint()
    await world.append("supervisor", RunEnded(run=1, reason="stopped"))


async def _anchor(world: World) -> None:
    signed = world.events(CheckpointSigned)[-1]
    landed = CheckpointAnchored(
        size=signed.size, attempt=0, block=160, block_hash=world.block_hash(160), previous=None
    )
    await world.append("checkpointer", landed)


@cache
def programs() -> World:
    """A round with a task in code: one program in time, one late. Not to be changed."""
    world = World(miners=2, policy=code_policy(), sandbox="docker")
    anyio.run(_run_programs, world)
    return world


async def _run_programs(world: World) -> None:
    await world.start_round(1)
    late = list(world.miners)[1]
    for d in world.open_deliveries():
        is_code = code_instance(world, d.key) is not None
        answer = WRONG.encode() if is_code else world.right_answer(*d.key)
        elapsed = d.request.deadline_ms + 1 if is_code and d.key[2] == late else 50
        await world.deliver(d, world.acceptance(d), world.received(d, answer, elapsed))
    await world.settle()
    await world.append("sandbox-executor", wrong_program(world), cause=revealed_at(world))
    await world.settle()
    await world.block(EVERY + 30, epoch=2, metagraph=True)
    await world.checkpoint()


def revealed_at(world: World) -> int:
    """Sequence number of the reveal."""
    return 1 + [event.slot for event in world.events()].index("revealed.1")


def wrong_program(world: World) -> CodeExecuted:
    """What the first miner's program gave: nothing."""
    hotkey = next(iter(world.miners))
    task = next(t for t in range(2) if code_instance(world, (1, t, hotkey)) is not None)
    return executed(world, (1, task, hotkey), [None] * CASES)


@cache
def ran(policy: bytes = code_policy() + EXECUTION) -> World:
    """A round in which every program returns 7 in every case. Not to be changed."""
    world = World(miners=SUBMISSIONS, policy=policy, sandbox="docker")
    anyio.run(_run_all, world)
    return world


async def _run_all(world: World) -> None:
    await world.start_round(1)
    keys = []
    for d in world.open_deliveries():
        is_code = code_instance(world, d.key) is not None
        answer = WRONG.encode() if is_code else world.right_answer(*d.key)
        await world.deliver(d, world.acceptance(d), world.received(d, answer))
        keys += [d.key] if is_code else []
    await world.settle()
    for key in keys:
        record = executed(world, key, [b"7"] * CASES)
        await world.append("sandbox-executor", record, cause=revealed_at(world))
        await world.settle()
    await world.block(EVERY + 30, epoch=2, metagraph=True)
    await world.checkpoint()
