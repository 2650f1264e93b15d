"""Rounds: opened at their block, or skipped with a reason; sealed with the last outcome."""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import msgspec
import pytest

from quasar.errors import CannotJudge
from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    Fault,
    Neuron,
    PolicyAdopted,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RoundSealed,
    RoundSkipped,
    RunStarted,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.envelope import decode, payload_of
from quasar.replay.finding import Level
from quasar.rules.plan import PlannedTask, plan_tasks
from quasar.rules.policy import parse
from quasar.rules.sampling_state import participants
from tests.builders import EVERY, World, small_policy
from tests.forging import few_tasks, played, report_of

RULES: tuple[Level, ...] = ("tasks", "receipts", "scores", "weights")
"""Here blocks come as no observer would read them (level lifecycle names that): a rule must hold
whatever is observed."""

Script = Callable[[World], Coroutine[Any, Any, None]]


def after(script: Script, world: World | None = None, miners: int = 2) -> World:
    """A world that was opened at block 0 and played by a script; its audit is clean."""
    world = world or World(miners=miners, policy=few_tasks())

    async def play() -> None:
        await world.open()
        await world.block(0, metagraph=True)
        await script(world)

    anyio.run(play)
    report = report_of(world.lines, world.log.blobs, levels=RULES)
    assert report.first_divergence is None
    return world


def skipped(world: World) -> list[tuple[int, int, Fault, str]]:
    return [(s.round, s.block, s.fault, s.reason) for s in world.events(RoundSkipped)]


async def _played_once(world: World) -> None:
    """One round was planned, and blocks went on past the second's."""
    await world.play_round(1)
    await world.block(2 * EVERY, epoch=2, metagraph=True)
    await world.block(2 * EVERY + 40, epoch=2)
    started = msgspec.structs.replace(world.events(RunStarted)[0], run=2, rounds=4)
    await world.append("supervisor", started)
    await world.settle()


def test_a_run_that_was_to_end_leaves_its_later_rounds_to_the_next() -> None:
    """The round between two runs is skipped and revealed, so that the ones after it can be."""
    world = World(policy=few_tasks(), rounds=1)
    anyio.run(_played_once, world)
    assert [e.round for e in world.events(RoundOpened)] == [1]
    anyio.run(world.play_round, 3)
    assert [e.round for e in world.events(RoundSkipped)] == [2]
    assert [e.round for e in world.events(RoundRevealed)] == [1, 2, 3]
    assert [e.round for e in world.events(RoundScored)] == [1, 3]
    assert report_of(world.lines, world.log.blobs).result == "clean"


def test_an_opening_block_that_was_missed_is_skipped() -> None:
    """Its round is the validator's fault, with the block that it should have opened at."""

    async def script(world: World) -> None:
        await world.block(76, metagraph=True)
        await world.block(231, metagraph=True)

    reason = "the block was not observed"
    assert skipped(after(script)) == [
        (number, number * 75, Fault.VALIDATOR, reason) for number in (1, 2, 3)
    ]


def test_a_block_that_was_read_late_is_skipped() -> None:
    """At the policy's lag a round still opens; one block later it would start stale."""

    async def script(world: World) -> None:
        await world.block(75, metagraph=True, head=125)
        await world.block(150, metagraph=True, head=201)

    world = after(script)
    assert [o.round for o in world.events(RoundOpened)] == [1]
    assert skipped(world) == [(2, 150, Fault.VALIDATOR, "the block was observed too late")]


def test_a_block_without_metagraph_is_skipped() -> None:
    """Nobody knows who would take part; another block's metagraph does not count."""

    async def script(world: World) -> None:
        await world.block(74, metagraph=True)
        await world.block(75)

    assert skipped(after(script)) == [(1, 75, Fault.CHAIN, "no metagraph at this block")]


def test_a_subnet_without_miners_is_skipped() -> None:
    """A round needs one endpoint."""

    async def script(world: World) -> None:
        await world.block(75, metagraph=True)

    assert skipped(after(script, miners=0)) == [(1, 75, Fault.CHAIN, "no miner serves an endpoint")]


def test_participants_serve_an_endpoint() -> None:
    """Sorted, without the validator and without those who serve none."""
    names = sorted(played().miners)
    neurons = [Neuron(uid=i, hotkey=h, endpoint="1.2.3.4:1") for i, h in enumerate(names[::-1])]
    neurons.append(Neuron(uid=9, hotkey=played().hotkey.ss58_address, endpoint="1.2.3.4:1"))
    assert participants(neurons, played().hotkey.ss58_address) == names
    silent = [Neuron(uid=0, hotkey=names[0], endpoint=None)]
    assert participants(silent, played().hotkey.ss58_address) == []


def test_skipped_rounds_are_revealed() -> None:
    """A secret that was never used is revealed in its turn, so that none is held back."""

    async def script(world: World) -> None:
        await world.block(76)
        await world.block(151)

    world = after(script)
    assert [r.round for r in world.events(RoundRevealed)] == [1, 2]


def test_a_run_ends_with_its_last_round() -> None:
    """No round opens or is skipped after the last one planned."""

    async def script(world: World) -> None:
        for number in (75, 150, 226):
            await world.block(number, metagraph=True)

    world = after(script, World(miners=1, policy=few_tasks(), rounds=1))
    assert [o.round for o in world.events(RoundOpened)] == [1]
    assert not skipped(world)


async def overlapping(world: World) -> None:
    """Round 2 is over before round 1; round 3 is skipped in between."""
    for number in (75, 78, 150, 153):
        await world.block(number, metagraph=True)
    await world.block(226)
    open_ = world.open_deliveries()
    for wanted in (2, 1):
        for d in open_:
            if d.key[0] == wanted:
                answer = world.received(d, b"ANSWER: 1")
                await world.deliver(d, world.acceptance(d), answer)
        await world.settle()


def test_overlapping_rounds_are_revealed_in_order() -> None:
    """A later secret gives away the earlier ones, so it waits for them."""
    world = after(overlapping)
    told = [e for e in world.events() if isinstance(e, RoundSealed | RoundSkipped | RoundRevealed)]
    assert [(type(e).__name__, e.round) for e in told] == [
        ("RoundSkipped", 3),
        ("RoundSealed", 2),
        ("RoundSealed", 1),
        ("RoundRevealed", 1),
        ("RoundRevealed", 2),
        ("RoundRevealed", 3),
    ]


def test_assignments_are_counted_without_gaps() -> None:
    """n is dense per hotkey over all rounds, also those that overlap."""
    world = after(overlapping)
    for hotkey in world.miners:
        counted = [a.n for a in world.events(TaskAssigned) if a.hotkey == hotkey]
        assert counted == list(range(1, 7))


def test_two_rounds_with_one_beacon_are_counted_on() -> None:
    """After a change of cadence two rounds may share a beacon; n goes on through both."""
    toml = few_tasks(**{"beacon_delay_blocks = 3": "beacon_delay_blocks = 10"})
    faster = few_tasks(
        **{
            "round_every_blocks = 75": "round_every_blocks = 8",
            "beacon_delay_blocks = 3": "beacon_delay_blocks = 5",
        }
    )

    async def script(world: World) -> None:
        await world.block(75, metagraph=True)
        blob = world.log.blobs.put(faster)
        await world.append("supervisor", PolicyAdopted(number=2, name="readme-v1", toml=blob))
        await world.block(80, metagraph=True)
        await world.block(85)

    world = after(script, World(miners=1, policy=toml))
    assert [o.beacon_block for o in world.events(RoundOpened)] == [85, 85]
    assert [a.n for a in world.events(TaskAssigned)] == [1, 2, 3, 4, 5, 6]


async def skipping_at_a_beacon(world: World) -> None:
    """A block that passes three openings of a new cadence, and seeds an open round."""
    await world.block(75, metagraph=True)
    faster = few_tasks(
        **{
            "round_every_blocks = 75": "round_every_blocks = 3",
            "beacon_delay_blocks = 3": "beacon_delay_blocks = 1",
        }
    )
    blob = world.log.blobs.put(faster)
    await world.append("supervisor", PolicyAdopted(number=2, name="readme-v1", toml=blob))
    await world.block(85)


@pytest.mark.parametrize("script", [overlapping, skipping_at_a_beacon])
def test_every_prefix_of_crossing_rounds_is_clean(script: Script) -> None:
    """A log that ends inside a step, with some of its secrets unknown, is no divergence."""
    toml = few_tasks(**{"beacon_delay_blocks = 3": "beacon_delay_blocks = 10"})
    policy = toml if script is skipping_at_a_beacon else few_tasks()
    world = after(script, World(miners=1, policy=policy))
    assert len(world.events(RoundSkipped)) == (3 if script is skipping_at_a_beacon else 1)
    for size in range(1, len(world.lines) + 1):
        report = report_of(world.lines[:size], world.log.blobs, levels=RULES)
        assert report.first_divergence is None, size


def test_a_policy_acts_from_the_next_round() -> None:
    """An open round keeps the policy it was opened under; cadence changes at once."""
    other = few_tasks(
        **{
            "round_every_blocks = 75": "round_every_blocks = 10",
            "max_bytes = 16_384": "max_bytes = 7",
        }
    )

    async def script(world: World) -> None:
        await world.block(75, metagraph=True)
        blob = world.log.blobs.put(other)
        await world.append("supervisor", PolicyAdopted(number=2, name="readme-v1", toml=blob))
        await world.block(78)
        await world.block(80, metagraph=True)
        await world.block(83)

    world = after(script)
    limits = {(s.round, s.answer_bytes) for s in world.events(TaskSampled)}
    assert limits == {(1, 16_384), (2, 7)}
    first, second = world.events(RoundOpened)
    assert (first.block, second.block) == (75, 80)
    assert first.policy == hashlib.sha256(few_tasks()).hexdigest()
    assert second.policy == hashlib.sha256(other).hexdigest()


def test_a_seal_covers_every_outcome() -> None:
    """Counts, and the digest over the sorted slots with the digests of their payloads."""
    world = played()
    sealed = world.events(RoundSealed)[1]
    outcomes = [
        f"{decode(line).key} {hashlib.sha256(payload_of(line)).hexdigest()}\n"
        for line in world.lines
        if isinstance(decode(line).event, AnswerReceived | AnswerAbandoned)
        and decode(line).key.startswith("answer.2.")
    ]
    assert (sealed.assignments, sealed.answered, sealed.abandoned) == (9, 5, 4)
    assert sealed.outcomes == hashlib.sha256("".join(sorted(outcomes)).encode()).hexdigest()


def test_a_long_step_goes_in_parts() -> None:
    """120 miners make a step of more than 1000 events; cut between its parts it is still clean."""
    world = World(miners=120, policy=small_policy())

    async def play() -> None:
        await world.open()
        await world.block(0, metagraph=True)
        await world.block(75, metagraph=True)
        await world.block(78)

    anyio.run(play)
    step = [e for e in world.events() if isinstance(e, TaskSampled | TaskAssigned)]
    assert len(step) == 9 * 121
    report = report_of(world.lines[: -len(step) + 1000], world.log.blobs)
    assert report.first_divergence is None


def test_variants_share_all_but_the_surface() -> None:
    """One template, length and metric a task; each miner's question or text is its own."""
    world = played()
    for task in world.events(TaskSampled):
        variants = [
            a for a in world.events(TaskAssigned) if (a.round, a.task) == (task.round, task.task)
        ]
        assert len({a.context.tokens for a in variants}) == 1
        assert len({a.context.sha256 for a in variants}) == 3
        assert len({a.commitment for a in variants}) == 3
        assert len({a.deadline_ms for a in variants}) == 1


def test_a_plan_is_a_pure_function() -> None:
    """The same seed gives the same tasks, another one others."""

    def shown(task: PlannedTask) -> tuple[int, str, str]:
        return task.task, task.template.digest, task.variant("hotkey").commitment

    policy = parse(few_tasks())
    one, two, other = ([shown(t) for t in plan_tasks(s, policy)] for s in (b"a", b"a", b"b"))
    assert one == two
    assert not set(one) & set(other)


def test_an_unknown_family_cannot_be_judged() -> None:
    """A task of a newer program is no divergence."""
    policy = parse(few_tasks().replace(b"factbook@1", b"factbook@99"))
    with pytest.raises(CannotJudge, match="'factbook@99' is not installed"):
        next(plan_tasks(b"seed", policy))
