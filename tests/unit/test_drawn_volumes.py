"""Drawn rounds over restarts and volumes: nothing that a draw depends on is lost."""

from functools import cache
from pathlib import Path

import anyio
import pytest

from quasar.actors.task_sampler import TaskSampler
from quasar.door.outbox import Outbox
from quasar.events import MixDrawn, RoundOpened, TaskAssigned, WeightsComputed
from quasar.events.envelope import payload_of
from quasar.replay.volumes import audit_volumes
from quasar.rules.carried import encode_carried
from quasar.rules.difficulty import FULL
from quasar.rules.machine import Recorded
from quasar.rules.regenerated import ContextState, evolve, obstacle
from tests.builders import LineLog, World, small_policy
from tests.drawn_rounds import ADAPTIVE, drawn_policy, mix_of, right, rounds
from tests.unit.acting import acting, log_of, quiet

TURNS = """
[sampling]
upload_bytes = 30_000
coverage_rounds = 2
anchors = 0.5
"""
EAGER = ADAPTIVE.replace("answers = 2", "answers = 1")


@cache
def one() -> World:
    """Four rounds without a break. Not to be changed."""
    return rounds(World(miners=5, policy=drawn_policy(TURNS, EAGER)), 4, right)


@cache
def two() -> tuple[World, World]:
    """The same, in two volumes. Not to be changed."""
    first = World(miners=5, policy=drawn_policy(TURNS, EAGER))
    anyio.run(play, first, 1, 2)
    second = World(miners=5, policy=drawn_policy(TURNS, EAGER), before=first)
    anyio.run(play, second, 3, 4)
    return first, second


async def play(world: World, *numbers: int) -> None:
    """Rounds with their rows, to the end of a volume."""
    for number in numbers:
        await world.play_round(number, right)
    for row in world.events(WeightsComputed):
        await world.set_row(row.epoch)
    await world.close()


def test_turns_go_on_in_the_next_volume() -> None:
    """Who takes part is the same as in one long volume."""
    played = [o.participants for world in two() for o in world.events(RoundOpened)]
    assert played == [o.participants for o in one().events(RoundOpened)]


def test_levels_and_tickets_go_on_in_the_next_volume() -> None:
    """With miners who know everything tickets fall, and a new volume takes them over."""
    first, second = two()
    carried = {rung.cell.bucket: rung.quarters for rung in first.handed_on().rungs}
    assert min(carried.values()) < FULL
    entries = mix_of(second, 3).entries
    tickets = [16, 8, 4, 4, 4]
    assert [e.tickets for e in mix_of(first, 1).entries] == tickets
    assert [e.tickets for e in entries] == [
        full // FULL * carried.get(e.bucket, FULL) for e, full in zip(entries, tickets, strict=True)
    ]


def test_both_volumes_audit_clean() -> None:
    """The state that is handed on is made anew, bit for bit."""
    logs = [LineLog(world.lines, world.log.blobs) for world in two()]
    report = anyio.run(audit_volumes, logs)
    assert report.first_divergence is None


def test_old_states_have_no_new_fields() -> None:
    """What a volume without draws hands on is the bytes that it was before there were any."""
    plain = rounds(World(miners=1, policy=small_policy()), 1)
    anyio.run(plain.close)
    state = encode_carried(plain.handed_on())
    assert b"rotation" not in state
    assert b"rungs" not in state


@pytest.mark.anyio
async def test_a_sampler_resumes_wherever_it_was_cut(tmp_path: Path) -> None:
    """From the beacon to the last assignment a log that was cut grows into the same one."""
    world = one()
    kinds = [type(event) for event in world.events()]
    first = kinds.index(MixDrawn)
    last = max(i for i, e in enumerate(world.events()) if _assigned(e)) + 1
    wanted = [payload_of(line) for line in world.lines[first:last]]
    for cut in range(first, last + 1, 2):
        log, outbox = log_of(world.lines[:cut], world.log.blobs), Outbox(tmp_path / str(cut))
        async with acting(TaskSampler(log, world.secrets, outbox)):
            await quiet(log)
        made = [payload_of(line) for line in log._lines[first:last]]
        assert made == wanted, f"cut after {cut}"
        named = {e.context.sha256 for e in world.events()[first:last] if _assigned(e)}
        assert set(outbox.held(1)) == named


def _assigned(event: object) -> bool:
    return isinstance(event, TaskAssigned) and event.round == 1


def test_contexts_of_drawn_rounds_may_leave() -> None:
    """The revealed secret makes the drawn tasks anew, anchors too."""
    world, state = one(), ContextState()
    for seq, line in enumerate(world.lines, 1):
        state = evolve(state, Recorded(seq, line), world.log.blobs)
    for number, found in state.rounds.items():
        held = list(found.contexts.values())
        assert obstacle(found, world.secrets.secret(number), held) is None
        assert len(found.current.policy.mix) == len(mix_of(world, number).tasks)
