"""What MinerProxy still has to do: assignments without an outcome, and proofs to hand out."""

from dataclasses import dataclass, field

from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    BlockObserved,
    CheckpointSigned,
    DeliveryTried,
    Event,
    LogOpened,
    MetagraphObserved,
    PolicyAdopted,
    RoundAbandoned,
    RoundOpened,
    RoundSealed,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.blobs import Blobs
from quasar.events.receipt import QuotedBlock, SignedCheckpoint, TaskRequest, build_request
from quasar.rules.machine import Recorded
from quasar.rules.neurons import read_neurons
from quasar.rules.policy import Policy, recorded_policy

ACTOR = "miner-proxy"

SUBSCRIBES: frozenset[type[Event]] = frozenset(
    {
        LogOpened,
        PolicyAdopted,
        MetagraphObserved,
        BlockObserved,
        RoundOpened,
        RoundAbandoned,
        TaskSampled,
        TaskAssigned,
        DeliveryTried,
        TaskAccepted,
        AnswerReceived,
        AnswerAbandoned,
        RoundSealed,
        CheckpointSigned,
    }
)

Key = tuple[int, int, str]
"""Round, task, hotkey."""


@dataclass
class Delivery:
    """An open assignment."""

    key: Key
    cause: int
    """Sequence number of its TaskAssigned."""
    request: TaskRequest
    policy: Policy
    attempts: int = 0
    accepted: bool = False


@dataclass
class DeliveryState:
    """The fold."""

    log_id: str = ""
    policies: dict[str, Policy] = field(default_factory=dict)
    rounds: dict[int, Policy] = field(default_factory=dict)
    sampled: dict[tuple[int, int], TaskSampled] = field(default_factory=dict)
    open: dict[Key, Delivery] = field(default_factory=dict)
    endpoints: dict[str, str] = field(default_factory=dict)
    checkpoint: SignedCheckpoint | None = None
    """The newest, which requests quote."""
    checkpoints: set[SignedCheckpoint] = field(default_factory=set)
    """All that a miner may have been shown."""
    block: QuotedBlock | None = None
    outcomes: dict[int, dict[Key, int]] = field(default_factory=dict)
    """By round: the sequence number of each outcome."""
    sealed: dict[int, int] = field(default_factory=dict)
    """Round to the sequence number of its seal, until its outcomes are proved."""


def evolve(state: DeliveryState, seen: Recorded, blobs: Blobs) -> DeliveryState:
    """Fold one event."""
    match seen.event:
        case LogOpened(log_id=log_id):
            state.log_id = log_id
        case PolicyAdopted(toml=toml):
            state.policies[toml.sha256] = recorded_policy(blobs.get(toml))
        case MetagraphObserved(neurons=neurons):
            listed = read_neurons(blobs, neurons)
            state.endpoints = {n.hotkey: n.endpoint for n in listed if n.endpoint}
        case BlockObserved(number=number, hash=block_hash):
            state.block = QuotedBlock(number=number, hash=block_hash)
        case CheckpointSigned(size=size, root=root):
            state.checkpoint = SignedCheckpoint(size=size, root=root)
            state.checkpoints.add(state.checkpoint)
        case RoundOpened() as opened:
            state.rounds[opened.round] = state.policies[opened.policy]
        case RoundAbandoned(round=number):
            state.rounds.pop(number, None)
        case TaskSampled() as sampled:
            state.sampled[(sampled.round, sampled.task)] = sampled
        case TaskAssigned() as assigned:
            _assign(state, assigned, seen.seq)
        case DeliveryTried(round=r, task=t, hotkey=hotkey, attempt=attempt):
            state.open[(r, t, hotkey)].attempts = attempt
        case TaskAccepted(acceptance=a):
            state.open[(a.round, a.task, a.hotkey)].accepted = True
        case AnswerReceived() | AnswerAbandoned() as outcome:
            key = (outcome.round, outcome.task, outcome.hotkey)
            state.open.pop(key, None)
            state.outcomes.setdefault(outcome.round, {})[key] = seen.seq
        case RoundSealed(round=number):
            state.sealed[number] = seen.seq
    return state


def forget(state: DeliveryState, number: int) -> None:
    """Drop a round whose outcomes were proved to its miners."""
    state.sealed.pop(number, None)
    state.outcomes.pop(number, None)
    state.rounds.pop(number, None)
    for key in [k for k in state.sampled if k[0] == number]:
        del state.sampled[key]


def _assign(state: DeliveryState, assigned: TaskAssigned, seq: int) -> None:
    key = (assigned.round, assigned.task, assigned.hotkey)
    sampled = state.sampled[(assigned.round, assigned.task)]
    request = build_request(state.log_id, sampled, assigned)
    state.open[key] = Delivery(key, seq, request, state.rounds[assigned.round])
