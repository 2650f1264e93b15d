"""WeightSetter's journal: each next step, and that no order of crashes sends a row twice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quasar.events import (
    AnyEvent,
    CheckpointSigned,
    HyperparametersObserved,
    LogOpened,
    MetagraphObserved,
    Neuron,
    Weight,
    WeightsComputed,
    WeightsConfirmed,
    WeightsFailed,
    WeightsIntended,
    WeightsSubmitted,
    WeightsUnknown,
    WeightsVerified,
)
from quasar.log.blobs import MemoryBlobs
from quasar.rules import submission
from quasar.rules.submission import (
    ERA_BLOCKS,
    MAX_ATTEMPTS,
    Confirm,
    GiveUp,
    Intend,
    Lose,
    Seen,
    SubmissionState,
    Submit,
    Verify,
    evolve,
    next_action,
)
from tests.builders import World
from tests.recording import fold, recorded

MINER = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
ROW = {1: 65535}
EMPTY: dict[int, int] = {}


def computed(epoch: int = 1, first: int = 65535) -> WeightsComputed:
    """A row with one weight that counts, and a zero."""
    weights = [
        Weight(hotkey=MINER, uid=uid, score=0.5, samples=9, u16=u16)
        for uid, u16 in ((1, first), (2, 0))
    ]
    return WeightsComputed(
        epoch=epoch,
        attempt=0,
        block=epoch * 10,
        block_hash=World.block_hash(epoch * 10),
        rounds=1,
        weights=weights,
    )


def intended(attempt: int = 0, block: int = 100, epoch: int = 1) -> WeightsIntended:
    return WeightsIntended(epoch=epoch, attempt=attempt, block=block)


def submitted(attempt: int = 0, epoch: int = 1) -> WeightsSubmitted:
    return WeightsSubmitted(epoch=epoch, attempt=attempt, extrinsic=World.block_hash(7))


def confirmed(attempt: int = 0, block: int = 103, epoch: int = 1) -> WeightsConfirmed:
    found = World.block_hash(block)
    return WeightsConfirmed(epoch=epoch, attempt=attempt, block=block, block_hash=found)


def failed(attempt: int = 0, code: str = "no-permit", epoch: int = 1) -> WeightsFailed:
    return WeightsFailed(epoch=epoch, attempt=attempt, code=code, reason="so it is")


def unknown(attempt: int = 0, block: int = 117, epoch: int = 1) -> WeightsUnknown:
    return WeightsUnknown(epoch=epoch, attempt=attempt, block=block)


def verified(attempt: int = 0, equal: bool = True, epoch: int = 1) -> WeightsVerified:
    return WeightsVerified(epoch=epoch, attempt=attempt, block=104, equal=equal)


def signed(size: int) -> CheckpointSigned:
    return CheckpointSigned(size=size, root="0" * 64, note="note")


def parameters(limit: int) -> HyperparametersObserved:
    return HyperparametersObserved(
        number=1,
        hash=World.block_hash(1),
        tempo=100,
        weights_rate_limit=limit,
        min_allowed_weights=1,
        max_weights_limit=65535,
        weights_version=5,
        commit_reveal=False,
    )


def after(*events: AnyEvent) -> SubmissionState:
    state: SubmissionState = fold(submission, SubmissionState(), MemoryBlobs(), *events)
    return state


def seen(head: int, last_update: int = 0, row: dict[int, int] = EMPTY) -> Seen:
    return Seen(head, last_update, row)


def test_an_empty_log_asks_for_nothing() -> None:
    """Without a row there is nothing to send."""
    assert next_action(after(), seen(100), False, 0) is None


def test_a_row_begins_with_an_intent() -> None:
    """At the finalised head."""
    assert next_action(after(computed()), seen(100), False, 0) == Intend(0, 100)


@pytest.mark.parametrize(("head", "due"), [(148, False), (149, True)])
def test_the_rate_limit_is_waited_for(head: int, due: bool) -> None:
    """A row that the pool would refuse is not even intended."""
    state = after(parameters(50), computed())
    expected = Intend(0, head) if due else None
    assert next_action(state, seen(head, 100, {9: 1}), False, 0) == expected


def test_nothing_is_sent_before_a_checkpoint_covers_the_intent() -> None:
    """The intent is event 2: a checkpoint over one event is not enough."""
    assert next_action(after(computed(), intended(), signed(1)), seen(500), True, 0) is None
    state = after(computed(), intended(), signed(2), signed(1))
    assert next_action(state, seen(500), True, 0) == Submit(0)


def test_an_intent_of_another_life_is_never_sent() -> None:
    """Nobody knows whether it was: its era must pass."""
    state = after(computed(), intended(), signed(2))
    assert next_action(state, seen(100 + ERA_BLOCKS), False, 0) is None
    assert next_action(state, seen(101 + ERA_BLOCKS), False, 0) == Lose(0)


def test_the_era_begins_when_it_was_signed() -> None:
    """An extrinsic that left long after its intent lives that much longer."""
    state = after(computed(), intended(), signed(2), submitted())
    assert next_action(state, seen(110 + ERA_BLOCKS), False, 110) is None
    assert next_action(state, seen(111 + ERA_BLOCKS), False, 110) == Lose(0)


@pytest.mark.parametrize("told", [True, False])
def test_finalised_state_confirms(told: bool) -> None:
    """Whether the pool answered or not; even long after the era."""
    state = after(computed(), intended(), signed(2), *([submitted()] if told else []))
    assert next_action(state, seen(500, 103, ROW), False, 400) == Confirm(0)


@pytest.mark.parametrize(
    ("last_update", "row"), [(100, ROW), (0, ROW), (103, {1: 65535, 2: 1}), (103, EMPTY)]
)
def test_another_row_does_not_confirm(last_update: int, row: dict[int, int]) -> None:
    """An older row is another one, however equal; so is one with other weights."""
    state = after(computed(), intended(), submitted())
    assert next_action(state, seen(105, last_update, row), False, 100) is None


def test_it_is_read_back_at_a_later_block() -> None:
    """Verified once the head has moved, equal or not."""
    state = after(computed(), intended(), submitted(), confirmed())
    assert next_action(state, seen(103, 103, ROW), False, 100) is None
    assert next_action(state, seen(104, 103, ROW), False, 100) == Verify(0, True)
    assert next_action(state, seen(104, 104, {2: 65535}), False, 100) == Verify(0, False)


def test_a_lost_attempt_is_followed_by_the_next() -> None:
    """With an intent of its own."""
    state = after(computed(), intended(), unknown())
    assert next_action(state, seen(117), False, 100) == Intend(1, 117)
    again = after(computed(), intended(), unknown(), intended(1, 117), signed(4))
    assert next_action(again, seen(117), True, 100) == Submit(1)


def test_the_last_attempt_lost_is_said() -> None:
    """Every row ends with an event that says what became of it."""
    events: list[AnyEvent] = [computed()]
    for number in range(MAX_ATTEMPTS):
        events += [intended(number), unknown(number)]
    action = next_action(after(*events), seen(500), False, 100)
    assert isinstance(action, GiveUp)
    assert (action.attempt, action.code) == (MAX_ATTEMPTS, "gave-up")
    assert after(*events, failed(MAX_ATTEMPTS, "gave-up")).current is None


def test_a_newer_row_replaces_one_that_has_not_left() -> None:
    """Before its first attempt and between two; one under way goes on."""
    for events in ([computed(1)], [computed(1), intended(), unknown()]):
        state = after(*events, computed(2))
        action = next_action(state, seen(200), False, 100)
        assert isinstance(action, GiveUp)
        assert (action.attempt, action.code) == (len(events) // 2, "superseded")
        state = after(*events, computed(2), failed(action.attempt, "superseded"))
        assert next_action(state, seen(200), False, 100) == Intend(0, 200)
        assert state.current is not None
        assert state.current.computed.epoch == 2
    under_way = after(computed(1), intended(), computed(2))
    assert next_action(under_way, seen(110, 105, ROW), False, 100) == Confirm(0)


@pytest.mark.parametrize(
    "end",
    [
        [failed()],
        [intended(), failed()],
        [intended(), submitted(), failed()],
        [intended(), confirmed(), verified()],
        [intended(), confirmed(), verified(equal=False)],
        [intended(), confirmed(), failed(1, "not-registered")],
    ],
)
def test_what_ended_stays_ended(end: Sequence[AnyEvent]) -> None:
    """Nothing more is done for the row, and the next one drops it."""
    state = after(computed(), *end)
    assert state.current is None
    assert next_action(state, seen(500), False, 0) is None
    assert set(after(computed(), *end, computed(2)).rows) == {2}


def test_the_fold_keeps_what_sending_needs() -> None:
    """The own uid, the newest parameters, the row without zeros, the extrinsic's name."""
    blobs, world = MemoryBlobs(), World(miners=0)
    neurons = [Neuron(uid=3, hotkey=world.hotkey.ss58_address, endpoint=None)]
    metagraphs = [
        MetagraphObserved(number=n, hash=World.block_hash(n), neurons=blobs.put(_json(who)))
        for n, who in ((1, neurons), (2, []))
    ]
    opened = LogOpened(
        log_id=world.log_id,
        log_number=1,
        volume=1,
        netuid=24,
        genesis=world.genesis,
        hotkey=world.hotkey.ss58_address,
        log_key="0" * 64,
        log_key_signature="0" * 128,
        secrets_tip="0" * 64,
        previous=None,
    )
    state = fold(submission, SubmissionState(), blobs, opened, metagraphs[0])
    assert (state.hotkey, state.uid) == (world.hotkey.ss58_address, 3)
    state = fold(submission, state, blobs, metagraphs[1], parameters(7))
    assert (state.uid, state.rate_limit, state.version) == (None, 7, 5)
    state = fold(submission, state, blobs, computed(), intended(), submitted())
    assert state.current.u16 == ROW
    assert state.current.attempts[0].extrinsic == World.block_hash(7)


def _json(neurons: list[Neuron]) -> bytes:
    return msgspec.json.encode(neurons)


class Sent(NamedTuple):
    """An extrinsic in the pool."""

    epoch: int
    attempt: int
    birth: int


@dataclass
class Model:
    """One validator that may die at every step, and a chain that includes, delays and forgets."""

    rate_limit: int = 3
    state: SubmissionState = field(default_factory=SubmissionState)
    size: int = 0
    head: int = 100
    pool: list[Sent] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    landed: list[tuple[int, Sent]] = field(default_factory=list)
    epochs: int = 0
    ends: Counter[int] = field(default_factory=Counter)
    """Verified or Failed, by epoch."""
    unsent: tuple[int, int] | None = None
    settled: int | None = None
    looked: int = 0
    """The head that the process has heard of; it may lag."""

    def write(self, event: AnyEvent) -> None:
        self.size += 1
        self.state = evolve(self.state, recorded(event, self.size), MemoryBlobs())
        if isinstance(event, WeightsVerified | WeightsFailed):
            self.ends[event.epoch] += 1

    def crash(self) -> None:
        self.unsent, self.settled, self.looked = None, None, self.head

    def tick(self, include: bool) -> None:
        """A block; it takes what lives of the pool, or leaves it there."""
        self.head += 1
        self.pool = [x for x in self.pool if self.head < x.birth + ERA_BLOCKS]
        if include:
            for x in self.pool:
                if not self.landed or self.head - self.landed[-1][0] >= self.rate_limit:
                    self.landed.append((self.head, x))
            self.pool.clear()

    def seen(self) -> Seen:
        past = [(number, x) for number, x in self.landed if number <= self.looked]
        if not past:
            return Seen(self.looked, 0, EMPTY)
        return Seen(self.looked, past[-1][0], self.row(past[-1][1].epoch))

    @staticmethod
    def row(epoch: int) -> dict[int, int]:
        """Two epochs in a row have equal weights, so equality alone tells nothing."""
        return {1: 60000 + epoch // 2}

    def act(self, fate: str) -> None:
        """One step of the program; ``fate`` is what becomes of an extrinsic that it sends."""
        if self.settled is None:
            self.settled = self.head
        row = self.state.current
        if row is None:
            return
        epoch = row.computed.epoch
        unsent = self.unsent == (epoch, len(row.attempts) - 1)
        action = next_action(self.state, self.seen(), unsent, self.settled)
        match action:
            case Intend(attempt=attempt, block=block):
                assert not any(x.epoch == epoch for x in self.pool), "an attempt still lives"
                assert not any(x.epoch == epoch for _, x in self.landed), "it is on chain already"
                assert attempt == len(row.attempts) < MAX_ATTEMPTS
                self.unsent = (epoch, attempt)
                self.write(intended(attempt, block, epoch))
            case Submit(attempt=attempt):
                self.send(Sent(epoch, attempt, self.head), fate)
            case GiveUp(attempt=attempt, code=code):
                self.write(failed(attempt, code, epoch))
            case Confirm(attempt=attempt):
                assert any(x.epoch == epoch for _, x in self.landed), "that is another row"
                self.write(confirmed(attempt, self.looked, epoch))
            case Lose(attempt=attempt):
                assert not any(x.epoch == epoch for x in self.pool), "it still lives"
                self.write(unknown(attempt, self.looked, epoch))
            case Verify(attempt=attempt, equal=equal):
                assert equal
                self.write(verified(attempt, equal, epoch))

    def send(self, x: Sent, fate: str) -> None:
        assert self.unsent == (x.epoch, x.attempt), "an intent of another life"
        assert x[:2] not in [s[:2] for s in self.sent], "sent twice"
        self.unsent = self.settled = None
        if fate == "refused":
            self.write(failed(x.attempt, epoch=x.epoch))
            return
        if fate != "killed before":
            self.sent.append(x)
        if fate not in ("killed before", "lost"):
            self.pool.append(x)
        if fate == "taken":
            self.write(submitted(x.attempt, x.epoch))
        if fate.startswith("killed"):
            self.crash()

    def step(self, name: str) -> None:
        match name:
            case "compute":
                self.epochs += 1
                self.write(computed(self.epochs, self.row(self.epochs)[1]))
            case "checkpoint":
                self.write(signed(self.size))
            case "crash":
                self.crash()
            case "forget":
                self.pool.clear()
            case "look":
                self.looked = self.head
            case "block":
                self.tick(True)
            case "slow block":
                self.tick(False)
            case "slow era":
                for _ in range(ERA_BLOCKS - 2):
                    self.tick(False)
            case "go":
                for easy in ("look", "taken", "checkpoint", "taken"):
                    self.step(easy)
            case _:
                self.act(name)


FATES = ["taken", "unanswered", "lost", "refused", "killed before", "killed after"]
STEPS = [*FATES, "taken", "compute", "checkpoint", "crash", "forget", "look", "look", "block"]
STEPS += ["slow block", "slow era", "go", "go", "go"]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(STEPS), max_size=80))
def test_no_order_of_crashes_brings_two_rows_or_a_wrong_one(steps: list[str]) -> None:
    """Sent at most once an attempt, landed at most once a row, and every row ends."""
    model = Model()
    model.write(parameters(model.rate_limit))
    model.step("compute")
    for name in steps:
        model.step(name)
    for _ in range((ERA_BLOCKS + 12) * (MAX_ATTEMPTS + 1) * model.epochs):
        if model.state.current is None:
            break
        for name in ("look", "taken", "checkpoint", "block"):
            model.step(name)
    assert model.state.current is None, "it never ends"
    landed = Counter(x.epoch for _, x in model.landed)
    assert set(landed.values()) <= {1}
    assert model.ends == dict.fromkeys(range(1, model.epochs + 1), 1)
