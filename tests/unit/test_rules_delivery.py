"""What MinerProxy still has to do, after any crash."""

import anyio
import pytest

from quasar.events import AnyEvent, DeliveryTried, Evidence, RoundSealed
from quasar.events.receipt import SignedCheckpoint
from quasar.rules import delivery
from quasar.rules.delivery import Delivery, DeliveryState, forget
from tests.builders import World
from tests.forging import few_tasks, played
from tests.recording import fold


def state_of(world: World, size: int | None = None) -> DeliveryState:
    """The fold of the first events."""
    events = [e for e in world.events()[:size] if type(e) in delivery.SUBSCRIBES]
    state: DeliveryState = fold(delivery, DeliveryState(), world.log.blobs, *events)
    return state


def assigned() -> tuple[World, list[Delivery]]:
    world = World(miners=2, policy=few_tasks())
    anyio.run(world.start_round, 1)
    return world, world.open_deliveries()


def test_every_assignment_is_open_at_first() -> None:
    """Three tasks for two miners, each caused by its own assignment."""
    world, open_ = assigned()
    assert [d.key[1:] for d in open_] == [(t, h) for t in range(3) for h in sorted(world.miners)]
    assert len({d.cause for d in open_}) == 6
    for d in open_:
        r = d.request
        assert (d.attempts, d.accepted) == (0, False)
        assert (r.log_id, r.round, r.task, r.hotkey) == (world.log_id, *d.key)
        assert r.n == d.key[1] + 1


def test_attempts_and_acceptance_survive() -> None:
    """After a restart an assignment goes on where it stood."""
    world, open_ = assigned()
    evidence = Evidence(stage="connect", code="refused", bytes=0, elapsed_ms=1)
    r, t, hotkey = open_[0].key
    tried = DeliveryTried(round=r, task=t, hotkey=hotkey, attempt=1, evidence=evidence)
    anyio.run(world.deliver, open_[0], tried, world.acceptance(open_[0]))
    found = world.open_deliveries()[0]
    assert (found.key, found.attempts, found.accepted) == (open_[0].key, 1, True)


@pytest.mark.parametrize("ends", ["received", "abandoned", "refused"])
def test_an_outcome_closes_an_assignment(ends: str) -> None:
    """Whatever came back, it is done, and its number is kept for the proof."""
    world, open_ = assigned()
    d = open_[0]
    events: dict[str, list[AnyEvent]] = {
        "received": [world.acceptance(d), world.received(d, b"x")],
        "abandoned": [world.abandoned(d)],
        "refused": [world.refused(d)],
    }
    anyio.run(world.deliver, d, *events[ends])
    assert d.key not in {e.key for e in world.open_deliveries()}
    assert list(state_of(world).outcomes[1]) == [d.key]


def test_a_sealed_round_waits_for_its_proofs() -> None:
    """Outcomes are kept until they are proved, then the round is forgotten."""
    state = state_of(played())
    assert sorted(state.sealed) == [1, 2, 3]
    assert not state.open
    assert len(state.outcomes[2]) == 9
    forget(state, 2)
    assert sorted(state.sealed) == sorted(state.outcomes) == [1, 3]
    assert sorted(state.rounds) == [1, 3, 4]
    assert {r for r, _ in state.sampled} == {1, 3}


def test_requests_quote_the_newest() -> None:
    """The newest checkpoint and block, and every checkpoint that a miner may have been shown."""
    world = played()
    state = state_of(world)
    newest = [e for e in world.events() if type(e).__name__ == "CheckpointSigned"][-1]
    assert state.checkpoint == SignedCheckpoint(size=newest.size, root=newest.root)
    assert len(state.checkpoints) == 3
    assert state.block is not None
    assert state.block.number == 300


def test_endpoints_are_those_of_the_newest_metagraph() -> None:
    """The validator serves none; a miner that leaves loses its own."""
    world = World(miners=2, policy=few_tasks())
    anyio.run(world.start_round, 1)
    assert sorted(state_of(world).endpoints) == sorted(world.miners)
    gone, _ = world.miners.popitem()

    async def play() -> None:
        await world.block(100, metagraph=True)

    anyio.run(play)
    assert gone not in state_of(world).endpoints


def test_every_prefix_can_be_resumed() -> None:
    """Cut anywhere, what is open and what is done make up all that was assigned."""
    world = played()
    for size in range(len(world.lines)):
        state = state_of(world, size)
        done = sum(len(keys) for keys in state.outcomes.values())
        names = [type(e).__name__ for e in world.events()[:size]]
        assert len(state.open) + done == names.count("TaskAssigned")
        assert len(state.sealed) == len(
            [e for e in world.events()[:size] if type(e) is RoundSealed]
        )
