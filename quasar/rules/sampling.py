"""TaskSampler's rule: opens rounds at scheduled blocks, plans, seals and reveals them."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    AnyEvent,
    BeaconDelayed,
    BlockObserved,
    Fault,
    RoundAbandoned,
    RoundOpened,
    RoundRevealed,
    RoundSealed,
    RoundSkipped,
)
from quasar.events.blobs import Blobs
from quasar.rules.assigning import assigned, sampled
from quasar.rules.machine import Recorded
from quasar.rules.mixing import drawn, played
from quasar.rules.neurons import read_neurons
from quasar.rules.plan import PlannedTask, offered, plan_tasks
from quasar.rules.policy import Policy
from quasar.rules.sampling_state import (
    SUBSCRIBES,
    OpenRound,
    SamplerState,
    count_on,
    evolve,
    expired,
    participants,
    turn_of,
)
from quasar.rules.schedule import Schedule
from quasar.rules.secrets import round_seed

ACTOR = "task-sampler"


class Secrets(Protocol):
    """The validator's secret chain, or what a log has revealed of it."""

    def secret(self, number: int) -> bytes | None: ...


class Unrevealed(Exception):
    """Raised when a decision needs a secret that is not revealed yet."""

    def __init__(self, decided: Sequence[AnyEvent] = ()) -> None:
        super().__init__()
        self.decided = decided
        """What follows from the same event and needs no secret."""


class SamplingRule:
    """Decides RoundOpened, RoundSkipped, TaskSampled, TaskAssigned, RoundSealed, RoundRevealed;
    and, where the policy wants them, BeaconDelayed, RoundAbandoned and MixDrawn."""

    actor = ACTOR
    subscribes = SUBSCRIBES

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def initial(self) -> SamplerState:
        return SamplerState()

    def decide(self, state: SamplerState, seen: Recorded, blobs: Blobs) -> Sequence[AnyEvent]:
        match seen.event:
            case BlockObserved() as block:
                scheduled = [*self._schedule(state, block, blobs), *_waited(state, block)]
                try:
                    return [*scheduled, *self._plan(state, block)]
                except Unrevealed:
                    raise Unrevealed(scheduled) from None
            case AnswerReceived() | AnswerAbandoned() as outcome:
                return _seal(state, outcome, seen)
            case (
                RoundSealed(round=number)
                | RoundSkipped(round=number)
                | RoundAbandoned(round=number)
            ):
                return self._reveal(state, number)
        return ()

    def evolve(self, state: SamplerState, seen: Recorded, blobs: Blobs) -> SamplerState:
        return evolve(state, seen, blobs)

    def _schedule(
        self, state: SamplerState, block: BlockObserved, blobs: Blobs
    ) -> Iterator[AnyEvent]:
        """Open the round that this block opens; skip those whose block was never read."""
        policy, schedule = state.policy, state.schedule
        if policy is None or schedule is None:
            return
        due = min(schedule.rounds_through(block.number), state.last_round)
        for number in range(state.decided + 1, due + 1):
            if schedule.block_of(number) != block.number:
                yield _skipped(number, schedule, Fault.VALIDATOR, "the block was not observed")
            else:
                yield self._open(state, policy, schedule, number, block, blobs)

    def _open(
        self,
        state: SamplerState,
        policy: Policy,
        schedule: Schedule,
        number: int,
        block: BlockObserved,
        blobs: Blobs,
    ) -> AnyEvent:
        if block.head - block.number > policy.cadence.max_lag_blocks:
            return _skipped(number, schedule, Fault.VALIDATOR, "the block was observed too late")
        if state.metagraph is None or state.metagraph.hash != block.hash:
            return _skipped(number, schedule, Fault.CHAIN, "no metagraph at this block")
        miners = participants(read_neurons(blobs, state.metagraph.neurons), state.hotkey)
        if not offered(policy, state.sandbox).mix:
            return _skipped(number, schedule, Fault.SANDBOX, "no sandbox, and only tasks in code")
        if not miners:
            return _skipped(number, schedule, Fault.CHAIN, "no miner serves an endpoint")
        turn = turn_of(state, policy, block.hash, blobs)
        return RoundOpened(
            round=number,
            block=block.number,
            block_hash=block.hash,
            beacon_block=block.number + policy.cadence.beacon_delay_blocks,
            policy=state.policy_digest,
            participants=turn.chosen if turn else miners,
        )

    def _plan(self, state: SamplerState, block: BlockObserved) -> Iterator[AnyEvent]:
        """All tasks and assignments of the rounds whose beacon this block is."""
        counters = dict(state.counters)
        for number in sorted(state.rounds):
            current = state.rounds[number]
            if current.opened.beacon_block == block.number:
                yield from self._assign(state, counters, current, block.hash)

    def _assign(
        self, state: SamplerState, counters: dict[str, int], current: OpenRound, beacon_hash: str
    ) -> Iterator[AnyEvent]:
        number, hotkeys = current.opened.round, current.opened.participants
        seed, policy = self._seed(number, beacon_hash), current.policy
        if policy.sampling is not None:
            mix = drawn(number, seed, policy, state.difficulty)
            yield mix
            policy = played(policy, mix)
        for task in plan_tasks(seed, policy):
            yield sampled(number, task, policy)
            counted = [(hotkey, counters.get(hotkey, 0) + task.task + 1) for hotkey in hotkeys]
            yield from assigned(number, task, counted, policy)
        count_on(counters, hotkeys, len(policy.tasks))

    def planned(
        self, state: SamplerState, current: OpenRound, beacon_hash: str
    ) -> Iterator[PlannedTask]:
        """The tasks of a round. Raises Unrevealed while its secret is unknown."""
        seed, policy = self._seed(current.opened.round, beacon_hash), current.policy
        if policy.sampling is not None and not current.drawn:
            policy = played(policy, drawn(current.opened.round, seed, policy, state.difficulty))
        return plan_tasks(seed, policy)

    def _seed(self, number: int, beacon_hash: str) -> bytes:
        secret = self._secrets.secret(number)
        if secret is None:
            raise Unrevealed
        return round_seed(secret, beacon_hash)

    def _reveal(self, state: SamplerState, number: int) -> Sequence[AnyEvent]:
        """Reveal in order: s_(r+1) would give away s_r."""
        finished = state.finished | {number}
        revealed: list[AnyEvent] = []
        following = state.revealed + 1
        while following in finished:
            secret = self._secrets.secret(following)
            if secret is None:
                raise Unrevealed(revealed)
            revealed.append(RoundRevealed(round=following, secret=secret.hex()))
            following += 1
        return revealed


def outcomes_digest(outcomes: dict[str, str]) -> str:
    """SHA-256 over the sorted ``slot SP sha256(payload) LF`` lines."""
    lines = "".join(f"{slot} {payload}\n" for slot, payload in sorted(outcomes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _skipped(number: int, schedule: Schedule, fault: Fault, reason: str) -> RoundSkipped:
    block = max(0, schedule.block_of(number))  # one that an older cadence fixed
    return RoundSkipped(round=number, block=block, fault=fault, reason=reason)


def _waited(state: SamplerState, block: BlockObserved) -> Iterator[AnyEvent]:
    """What this block says of beacons that were not read when they were new."""
    for number, current in sorted(state.rounds.items()):
        rule, beacon = current.policy.beacon, current.opened.beacon_block
        if rule is None or current.beacon_hash:
            continue
        if expired(current, block):
            reason = "the beacon block could not be read in time"
            yield RoundAbandoned(
                round=number,
                beacon_block=beacon,
                block=block.head,
                fault=Fault.CHAIN,
                reason=reason,
            )
        elif beacon == block.number and block.head >= beacon + rule.late_blocks:
            yield BeaconDelayed(round=number, beacon_block=beacon, block=block.head)


def _seal(
    state: SamplerState, outcome: AnswerReceived | AnswerAbandoned, seen: Recorded
) -> Sequence[AnyEvent]:
    """Seal with the last outcome."""
    current = state.rounds[outcome.round]
    if len(current.outcomes) + (outcome.slot not in current.outcomes) < current.expected:
        return ()
    outcomes = {**current.outcomes, outcome.slot: hashlib.sha256(seen.payload).hexdigest()}
    answered = current.answered + isinstance(outcome, AnswerReceived)
    return [
        RoundSealed(
            round=outcome.round,
            assignments=current.expected,
            answered=answered,
            abandoned=current.expected - answered,
            outcomes=outcomes_digest(outcomes),
        )
    ]
