"""Lazy edits: one payload changed, nothing else recomputed, all signed again."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    BlockObserved,
    CheckpointAnchored,
    Evidence,
    Fault,
    HyperparametersObserved,
    LogOpened,
    MetagraphObserved,
    PolicyAdopted,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RoundSealed,
    RunEnded,
    RunStarted,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
    WeightsComputed,
    WeightsConfirmed,
    WeightsDeferred,
    WeightsIntended,
    WeightsSubmitted,
    WeightsVerified,
)
from tests.builders import World
from tests.forging import Forging, Item, few_tasks

Change = Callable[[Any, World], dict[str, Any]]
ITSELF = ""
ZERO = "0" * 64


class Lazy(NamedTuple):
    """One field of one event."""

    kind: type[Any]
    field: str
    change: Change
    """Gives the field's new value from the event."""
    level: str
    named: str = ITSELF
    """Start of the slot of the first event that does not fit; the edited one's own by default."""
    where: Callable[[Any], bool] = lambda _: True

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.kind.__name__}.{self.field}"

    def forge(self, log: Forging) -> Item:
        """Edit; gives the event that must be named."""
        item = log.one(self.kind, self.where)
        item = log.edit(item, **self.change(item.event, log.world))
        if self.named == ITSELF:
            return item
        return next(i for i in log.items if i.event.slot.startswith(self.named))


def to(**changes: Any) -> Change:
    """These values, whatever they were."""
    return lambda event, world: changes


def more(name: str, by: Any = 1) -> Change:
    """A number made larger."""
    return lambda event, world: {name: getattr(event, name) + by}


def inner(name: str, **changes: Any) -> Change:
    """Fields of a struct inside the event."""
    return lambda event, world: {name: msgspec.structs.replace(getattr(event, name), **changes)}


def first_of(name: str, **changes: Any) -> Change:
    """Fields of the first element of a list."""

    def change(event: Any, world: World) -> dict[str, Any]:
        one, *rest = getattr(event, name)
        return {name: [msgspec.structs.replace(one, **changes), *rest]}

    return change


def without_last(name: str) -> Change:
    """A list without its last element."""
    return lambda event, world: {name: getattr(event, name)[:-1]}


def fewer_neurons(event: Any, world: World) -> dict[str, Any]:
    """A metagraph without its last neuron."""
    neurons = msgspec.json.decode(world.log.blobs.get(event.neurons))[:-1]
    return {"neurons": world.log.blobs.put(msgspec.json.encode(neurons))}


def doubled_neurons(event: Any, world: World) -> dict[str, Any]:
    """A metagraph that lists its last neuron twice."""
    neurons = msgspec.json.decode(world.log.blobs.get(event.neurons))
    return {"neurons": world.log.blobs.put(msgspec.json.encode([*neurons, neurons[-1]]))}


def other_toml(event: Any, world: World) -> dict[str, Any]:
    """Another policy file under the same name."""
    toml = few_tasks(**{"multiplier = 1.0": "multiplier = 0.5"})
    return {"toml": world.log.blobs.put(toml)}


def number(n: int) -> Callable[[Any], bool]:
    """Of a block."""
    return lambda event: bool(event.number == n)


def epoch(n: int) -> Callable[[Any], bool]:
    """Of an epoch."""
    return lambda event: bool(event.epoch == n)


def silent(event: AnswerAbandoned) -> bool:
    """Cut off while the request went out."""
    return event.evidence.stage == "upload"


SILENCE = Evidence(stage="answer", code="timeout", bytes=0, elapsed_ms=1)
OTHER = "0x" + "cd" * 32

LAZY = [
    Lazy(LogOpened, "log_number", to(log_number=2), "lifecycle"),
    Lazy(LogOpened, "netuid", to(netuid=25), "structure"),
    Lazy(LogOpened, "secrets_tip", to(secrets_tip=ZERO), "lifecycle", "revealed.1"),
    Lazy(RunStarted, "run", to(run=2), "lifecycle"),
    Lazy(RunStarted, "rounds", to(rounds=2), "tasks", "round.3"),
    Lazy(RunEnded, "run", to(run=2), "lifecycle"),
    Lazy(PolicyAdopted, "number", to(number=2), "lifecycle"),
    Lazy(PolicyAdopted, "name", to(name="readme-v2"), "lifecycle"),
    Lazy(PolicyAdopted, "toml", other_toml, "lifecycle", "round.1"),
    Lazy(BlockObserved, "number", more("number"), "lifecycle", where=number(78)),
    Lazy(BlockObserved, "hash", to(hash=OTHER), "tasks", "task.1", where=number(78)),
    Lazy(BlockObserved, "timestamp_ms", to(timestamp_ms=1), "lifecycle", where=number(78)),
    Lazy(BlockObserved, "epoch", more("epoch"), "lifecycle", where=number(78)),
    Lazy(BlockObserved, "head", more("head", 60), "lifecycle", where=number(75)),
    Lazy(MetagraphObserved, "number", more("number"), "lifecycle", where=number(75)),
    Lazy(MetagraphObserved, "hash", to(hash=OTHER), "lifecycle", where=number(75)),
    Lazy(MetagraphObserved, "neurons", fewer_neurons, "tasks", "round.1", where=number(75)),
    Lazy(MetagraphObserved, "neurons", doubled_neurons, "lifecycle", where=number(75)),
    Lazy(HyperparametersObserved, "number", more("number"), "lifecycle"),
    Lazy(RoundOpened, "beacon_block", more("beacon_block"), "tasks"),
    Lazy(RoundOpened, "participants", without_last("participants"), "tasks"),
    Lazy(RoundOpened, "policy", to(policy=ZERO), "lifecycle"),
    Lazy(TaskSampled, "family", to(family="code@1"), "tasks"),
    Lazy(TaskSampled, "answer_bytes", more("answer_bytes"), "tasks"),
    Lazy(TaskSampled, "template", to(template=ZERO), "tasks"),
    Lazy(TaskAssigned, "n", more("n"), "tasks"),
    Lazy(TaskAssigned, "context", inner("context", sha256=ZERO), "tasks"),
    Lazy(TaskAssigned, "commitment", to(commitment=ZERO), "tasks"),
    Lazy(TaskAccepted, "acceptance", inner("acceptance", request=ZERO), "receipts"),
    Lazy(TaskAccepted, "signature", to(signature="0" * 128), "receipts"),
    Lazy(AnswerReceived, "text", to(text="ANSWER: 2"), "receipts"),
    Lazy(AnswerReceived, "text", to(text=None), "lifecycle"),
    Lazy(AnswerReceived, "receipt", inner("receipt", previous=ZERO), "receipts"),
    Lazy(AnswerReceived, "signature", to(signature="0" * 128), "receipts"),
    Lazy(AnswerReceived, "elapsed_ms", more("elapsed_ms"), "tasks", "sealed.1"),
    Lazy(AnswerReceived, "elapsed_ms", more("elapsed_ms", 10**7), "lifecycle"),
    Lazy(AnswerReceived, "deadline_ms", more("deadline_ms"), "lifecycle"),
    Lazy(AnswerAbandoned, "evidence", to(evidence=SILENCE), "tasks", "sealed.2", where=silent),
    Lazy(AnswerAbandoned, "attempts", more("attempts"), "tasks", "sealed.2"),
    Lazy(RoundSealed, "outcomes", to(outcomes=ZERO), "tasks"),
    Lazy(RoundSealed, "answered", more("answered"), "tasks"),
    Lazy(RoundRevealed, "secret", to(secret=ZERO), "lifecycle"),
    Lazy(AnswerScored, "accuracy", to(accuracy=0.5), "scores"),
    Lazy(AnswerScored, "unproved", to(unproved=True), "scores"),
    Lazy(AnswerScored, "failure", to(failure="late"), "scores"),
    Lazy(AnswerNotScored, "fault", to(fault=Fault.VALIDATOR), "scores"),
    Lazy(RoundScored, "rewards", first_of("rewards", mean=0.9), "scores"),
    Lazy(RoundScored, "rewards", without_last("rewards"), "scores"),
    Lazy(WeightsDeferred, "reason", to(reason="all-zero"), "weights"),
    Lazy(WeightsComputed, "weights", first_of("weights", u16=1), "weights"),
    Lazy(WeightsComputed, "rounds", more("rounds"), "weights"),
    Lazy(WeightsIntended, "attempt", more("attempt"), "lifecycle"),
    Lazy(WeightsSubmitted, "epoch", to(epoch=4), "lifecycle"),
    Lazy(WeightsConfirmed, "block", to(block=1), "lifecycle"),
    Lazy(WeightsVerified, "equal", to(equal=False), "weights"),
    Lazy(WeightsVerified, "block", to(block=1), "lifecycle"),
    Lazy(CheckpointAnchored, "previous", to(previous=ZERO), "lifecycle"),
    Lazy(CheckpointAnchored, "attempt", to(attempt=1), "lifecycle"),
    Lazy(CheckpointAnchored, "size", to(size=5), "lifecycle"),
]
"""Fields that only a chain, a miner or nobody else knows are not here: see replay/README.md."""
