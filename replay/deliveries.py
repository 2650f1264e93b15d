"""An assignment's way: attempts, acceptance, one outcome, and the run of a program."""

from dataclasses import dataclass, field

from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    CodeExecuted,
    DeliveryTried,
    ExecutionAbandoned,
    Fault,
    RoundRevealed,
    RoundScored,
    RoundSealed,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
)
from quasar.rules.executed import is_older
from quasar.rules.machine import Recorded
from quasar.rules.plan import runs_code

Place = tuple[int, str]
"""Task and hotkey."""
Outcome = AnswerReceived | AnswerAbandoned
Execution = CodeExecuted | ExecutionAbandoned


@dataclass
class Delivery:
    """One assignment."""

    seq: int
    """Of its TaskAssigned."""
    deadline_ms: int
    attempts: int = 0
    run: int = 0
    """In which its miner accepted it; 0 while none did."""
    accepted_at: int = 0
    """Unix nanoseconds, by the log."""
    ended: bool = False
    in_time: bool = False
    """An answer came, and not late."""


@dataclass
class Round:
    """What is under way in a round that is not scored."""

    code: dict[int, bool] = field(default_factory=dict)
    """Sampled tasks, and whether their answers are programs."""
    deliveries: dict[Place, Delivery] = field(default_factory=dict)
    sealed: bool = False
    revealed: int = 0
    """Sequence number of the reveal."""


class DeliveryCheck:
    """Feeds on every event in order. A round is forgotten once it is scored."""

    def __init__(self) -> None:
        self._rounds: dict[int, Round] = {}
        self._newer = False
        """Whether a record of a run has what the second schema brought."""

    def feed(self, seen: Recorded, run: int, skew_ms: int) -> str | None:
        """What is wrong with this event. ``run``: the newest; ``skew_ms``: what clocks may err."""
        match seen.event:
            case TaskSampled() as sampled:
                code = runs_code(sampled.family)
                self._rounds.setdefault(sampled.round, Round()).code[sampled.task] = code
            case TaskAssigned() as assigned:
                return self._assign(seen.seq, assigned)
            case DeliveryTried() as tried:
                return self._try(seen, tried, run)
            case TaskAccepted(acceptance=a):
                return self._accept(seen, a.round, (a.task, a.hotkey), run)
            case AnswerReceived() | AnswerAbandoned() as outcome:
                return self._end(seen, outcome, skew_ms)
            case RoundSealed(round=number) if number in self._rounds:
                self._rounds[number].sealed = True
            case RoundRevealed(round=number) if number in self._rounds:
                self._rounds[number].revealed = seen.seq
            case CodeExecuted() | ExecutionAbandoned() as execution:
                return self._execute(seen, execution)
            case RoundScored(round=number):
                self._rounds.pop(number, None)
        return None

    def _find(self, number: int, place: Place) -> Delivery | None:
        current = self._rounds.get(number)
        return current.deliveries.get(place) if current else None

    def _assign(self, seq: int, assigned: TaskAssigned) -> str | None:
        current = self._rounds.setdefault(assigned.round, Round())
        place = (assigned.task, assigned.hotkey)
        current.deliveries[place] = Delivery(seq, assigned.deadline_ms)
        return None if assigned.task in current.code else "assigned before it was sampled"

    def _try(self, seen: Recorded, tried: DeliveryTried, run: int) -> str | None:
        delivery = self._find(tried.round, (tried.task, tried.hotkey))
        if delivery is None:
            return "an attempt without an assignment"
        delivery.attempts += 1
        if delivery.ended or delivery.run == run:
            return "an attempt without excuse: the miner had accepted"
        if tried.attempt != delivery.attempts:
            return "attempts are not dense"
        return _caused(seen, delivery)

    def _accept(self, seen: Recorded, number: int, place: Place, run: int) -> str | None:
        delivery = self._find(number, place)
        if delivery is None:
            return "accepted without an assignment"
        delivery.run, delivery.accepted_at = run, seen.envelope.at
        return "accepted after the seal" if self._rounds[number].sealed else _caused(seen, delivery)

    def _end(self, seen: Recorded, outcome: Outcome, skew_ms: int) -> str | None:
        delivery = self._find(outcome.round, (outcome.task, outcome.hotkey))
        if delivery is None:
            return "an outcome without an assignment"
        delivery.ended = True
        if isinstance(outcome, AnswerReceived):
            reason = _answered(seen, outcome, delivery, skew_ms)
        else:
            reason = _abandoned(outcome)
        return reason or _caused(seen, delivery)

    def _execute(self, seen: Recorded, execution: Execution) -> str | None:
        current = self._rounds.get(execution.round)
        delivery = self._find(execution.round, (execution.task, execution.hotkey))
        if current is None or delivery is None or not current.code.get(execution.task):
            return "a program ran that nobody was asked for"
        if not delivery.in_time:
            return "a program ran that did not come in time"
        if seen.envelope.cause != current.revealed:
            return "a program ran from another event than its round's reveal"
        if isinstance(execution, CodeExecuted):
            return self._age(execution)
        if execution.fault is not Fault.SANDBOX:
            return "a program that did not run is the sandbox's failure, and nobody else's"
        return None

    def _age(self, run: CodeExecuted) -> str | None:
        """No program writes the first schema behind the second: it could not have read it."""
        self._newer = self._newer or not is_older(run)
        return "an older record than one before it" if self._newer and is_older(run) else None


def _answered(
    seen: Recorded, answer: AnswerReceived, delivery: Delivery, skew_ms: int
) -> str | None:
    delivery.in_time = answer.elapsed_ms <= answer.deadline_ms
    if not delivery.run:
        return "an answer without the miner's acceptance"
    if (answer.text is None) == (answer.blob is None):
        return "an answer is either text or a blob"
    if answer.deadline_ms != delivery.deadline_ms:
        return "another deadline than was assigned"
    # Shorter proves nothing: the clock starts anew where another process fetches the answer.
    passed_ms = (seen.envelope.at - delivery.accepted_at) // 1_000_000
    if answer.elapsed_ms > passed_ms + skew_ms:
        return "it took longer than the log's own times allow"
    return None


def _abandoned(abandoned: AnswerAbandoned) -> str | None:
    if (abandoned.refusal is None) != (abandoned.signature is None):
        return "a refusal and its signature stand together"
    if (abandoned.refusal is None) == (abandoned.evidence.code == "refusal"):
        return "the evidence and the refusal differ"
    return None


def _caused(seen: Recorded, delivery: Delivery) -> str | None:
    return None if seen.envelope.cause == delivery.seq else "not caused by its assignment"
