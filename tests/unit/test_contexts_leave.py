"""Contexts of a revealed round leave once its secret was seen to make them anew."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import msgspec
import pytest
from structlog.testing import capture_logs

from quasar.actors.task_sampler import TaskSampler
from quasar.cli.source import volumes_of
from quasar.door.outbox import Outbox
from quasar.events import RoundRevealed, TaskAssigned
from quasar.log.prune import prune
from quasar.rules.plan import plan_tasks
from quasar.rules.policy import parse
from quasar.rules.secrets import round_seed
from quasar.supervisor.retention import release_contexts, release_rounds, retain
from quasar.supervisor.setup import VolumeLimit
from tests.builders import BEACON_DELAY, EVERY, LineLog, World, edited
from tests.forging import few_tasks
from tests.unit.acting import acting, log_of, quiet
from tests.unit.test_closer import setup_of
from tests.unit.volume_folder import worlds, write_folder

pytestmark = pytest.mark.anyio


@cache
def three_rounds() -> World:
    """Two are revealed, the third is open. Not to be changed."""
    world = World(policy=few_tasks())
    anyio.run(_play, world)
    return world


@pytest.fixture(scope="module", autouse=True)
def _played() -> None:
    """Outside of any event loop."""
    three_rounds()
    worlds()


async def _play(world: World) -> None:
    await world.play_round(1)
    await world.play_round(2)
    await world.start_round(3)


def fill(outbox: Outbox, *filling: World) -> None:
    """With every context that the worlds assigned."""
    for world in filling:
        for e in world.events(TaskAssigned):
            beacon = World.block_hash(e.round * EVERY + BEACON_DELAY)
            seed = round_seed(world.secrets.secret(e.round), beacon)
            task = list(plan_tasks(seed, parse(world.policy)))[e.task]
            outbox.put(e.round, task.variant(e.hotkey).instance.context().encode())


async def kept(world: World, outbox: Outbox, lines: Sequence[bytes]) -> dict[int, str]:
    """Rounds that a log could not release, and why."""
    with capture_logs() as said:
        await release_rounds(LineLog(lines, world.log.blobs), outbox)
    return reasons(said)


def reasons(said: Any) -> dict[int, str]:
    return {e["round"]: e["reason"] for e in said if e["event"] == "retention.contexts-kept"}


async def test_revealed_rounds_leave(tmp_path: Path) -> None:
    """With what a crash left half written; the open round stays, and a second time is none."""
    world, outbox = three_rounds(), Outbox(tmp_path)
    fill(outbox, world)
    (tmp_path / "1" / "half.part").write_bytes(b"half")
    (tmp_path / "notes").mkdir()
    assert outbox.rounds() == [1, 2, 3]
    for _ in range(2):
        assert await kept(world, outbox, world.lines) == {}
        assert outbox.rounds() == [3]
    assert (tmp_path / "notes").exists()


async def test_nothing_leaves_before_the_reveal(tmp_path: Path) -> None:
    """A log that ends one event earlier keeps both rounds' contexts, then one round's."""
    world, outbox = three_rounds(), Outbox(tmp_path)
    fill(outbox, world)
    reveals = [i for i, e in enumerate(world.events()) if isinstance(e, RoundRevealed)]
    assert await kept(world, outbox, world.lines[: reveals[0]]) == {}
    assert outbox.rounds() == [1, 2, 3]
    assert await kept(world, outbox, world.lines[: reveals[1]]) == {}
    assert outbox.rounds() == [2, 3]


async def test_a_text_that_the_log_does_not_name_stays(tmp_path: Path) -> None:
    """It may be all that shows what was sent; the other round leaves."""
    world, outbox = three_rounds(), Outbox(tmp_path)
    fill(outbox, world)
    outbox.put(1, b"never assigned")
    (reason,) = (await kept(world, outbox, world.lines)).values()
    assert "no context that the round's log names" in reason
    assert outbox.rounds() == [1, 3]


@pytest.mark.parametrize("kind", [RoundRevealed, TaskAssigned])
async def test_contexts_that_cannot_be_made_anew_stay(tmp_path: Path, kind: type[Any]) -> None:
    """Another secret, or other texts than the secret gives."""
    world, outbox = three_rounds(), Outbox(tmp_path)
    lines = [forged(line, e) if isinstance(e, kind) else line for line, e in decoded(world)]
    if kind is RoundRevealed:
        fill(outbox, world)
    else:
        outbox.put(1, b"whatever")
    reason = (await kept(world, outbox, lines))[1]
    assert "makes another context" in reason
    assert 1 in outbox.rounds()


def decoded(world: World) -> list[tuple[bytes, Any]]:
    return list(zip(world.lines, world.events(), strict=True))


def forged(line: bytes, event: Any) -> bytes:
    if isinstance(event, RoundRevealed):
        return edited(line, secret="11" * 32)
    return edited(line, context=whatever(event))


def whatever(event: TaskAssigned) -> Any:
    digest = hashlib.sha256(b"whatever").hexdigest()
    return msgspec.structs.replace(event.context, sha256=digest)


async def test_a_skipped_round_stays(tmp_path: Path) -> None:
    """Nothing in the log says what its contexts were."""
    world, outbox = three_rounds(), Outbox(tmp_path)
    outbox.put(1, b"written before the log was lost")
    revealed = [line for line, e in decoded(world) if isinstance(e, RoundRevealed)]
    assert await kept(world, outbox, revealed) == {1: "the round was skipped"}


async def test_they_leave_while_the_volume_plays(tmp_path: Path) -> None:
    """As soon as the reveal is in the log; TaskSampler, started again, makes none anew."""
    world, outbox = three_rounds(), Outbox(tmp_path)
    fill(outbox, world)
    reveal = max(i for i, e in enumerate(world.events()) if isinstance(e, RoundRevealed))
    log = log_of(world.lines[:reveal], world.log.blobs)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(release_rounds, log, outbox)
        await quiet(log)
        assert outbox.rounds() == [2, 3]
        async with acting(TaskSampler(log, world.secrets, outbox)):
            await quiet(log)
        assert outbox.rounds() == [3]
        tasks.cancel_scope.cancel()


def last_of(folder: Path, count: int) -> Any:
    """An open volume after ``count`` sealed ones, with nothing in it yet."""
    base = max(e.round for e in worlds()[count - 1].events(RoundRevealed))
    log = LineLog([], worlds()[0].log.blobs)
    return SimpleNamespace(number=count + 1, base=base, log=log, folder=folder)


async def test_what_earlier_volumes_left_leaves(tmp_path: Path) -> None:
    """A validator that was stopped between a reveal and what follows finds it in the archive."""
    write_folder(tmp_path / "archive")
    outbox = Outbox(tmp_path / "contexts")
    fill(outbox, *worlds()[:3])
    setup = setup_of(worlds()[0], tmp_path / "archive", volumes=VolumeLimit())
    await release_contexts(setup, last_of(tmp_path, 3), outbox)
    assert outbox.rounds() == []


async def test_a_pruned_volume_names_no_contexts(tmp_path: Path) -> None:
    """What it left cannot be tried any more: it stays, and the operator is told."""
    folder = write_folder(tmp_path / "archive")
    prune(volumes_of(folder)[0])
    outbox = Outbox(tmp_path / "contexts")
    fill(outbox, *worlds()[:2])
    setup = setup_of(worlds()[0], folder, volumes=VolumeLimit())
    with capture_logs() as said:
        await release_contexts(setup, last_of(tmp_path, 3), outbox)
    assert reasons(said) == {1: "no volume here names it"}
    assert outbox.rounds() == [1]


async def test_told_to_keep_it_keeps(tmp_path: Path) -> None:
    """--keep-contexts: nothing is looked at."""
    world = three_rounds()
    setup = setup_of(world, tmp_path, keep_contexts=True)
    outbox = Outbox(setup.state / "contexts")
    fill(outbox, world)
    volume: Any = SimpleNamespace(number=1, base=0, log=LineLog(world.lines, world.log.blobs))
    server: Any = None
    await retain(setup, volume, server)
    assert outbox.rounds() == [1, 2, 3]
