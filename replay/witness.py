"""A miner's own log beside a validator's: what the one signed for and the other does not tell.

A miner keeps every request that it took, and every answer with the receipt for it. Counters of a
validator's assignments to one miner are dense, so a request that never came leaves a gap in them.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import MsgspecError, Struct

from quasar.errors import CannotJudge, Damaged
from quasar.events import (
    AnswerAbandoned,
    AnswerProduced,
    AnswerReceived,
    AnyEvent,
    LogOpened,
    RequestAccepted,
    RequestRefused,
    TaskAssigned,
)
from quasar.events.receipt import Statement, statement_bytes
from quasar.events.signing import verify_hotkey
from quasar.log import Log
from quasar.replay.revealed import up_to
from quasar.rules.machine import Recorded

Key = tuple[int, int]
"""Round and task."""
Outcome = AnswerReceived | AnswerAbandoned
What = Literal["lost", "other", "never-asked"]

WHY = {
    "lost": "the miner signed a receipt for an answer, and the log says that none came",
    "other": "the log holds another answer than the miner signed for",
    "never-asked": "the log says that the miner could not be reached, and its counter jumps here",
}


class Dispute(Struct, frozen=True, kw_only=True):
    """One outcome on which a validator's log and a miner's differ."""

    seq: int
    """Of the outcome in the validator's log."""
    round: int
    task: int
    hotkey: str
    n: int
    """The assignment's counter."""
    what: What
    volume: int | None = None
    """Set where several volumes were read as one log."""

    @property
    def proved(self) -> bool:
        """Whether a signature shows it. A gap is the miner's word against the validator's: a line
        that was broken between the two looks the same."""
        return self.what != "never-asked"

    @property
    def reason(self) -> str:
        """In words."""
        return WHY[self.what]


class Witnessed(Struct, frozen=True, kw_only=True):
    """What came of laying a miner's own log beside a validator's. A dispute is a reason to ask."""

    hotkey: str
    requests: int
    """Of this log, that the miner took or refused."""
    answers: int
    """That it signed a receipt for."""
    outcomes: int
    """Of its assignments, in the validator's log."""
    signed: int
    """Disputes that a signature shows."""
    gaps: int
    """Requests that never came, by the miner's word alone."""
    disputes: list[Dispute]
    """Both kinds, in the log's order."""


class MinersWord:
    """What a miner's own log says of one validator's log."""

    def __init__(self, log_id: str) -> None:
        self._log_id = log_id
        self.hotkey: str | None = None
        self.asked: set[int] = set()
        """Counters of the requests that came."""
        self.answers: dict[Key, str] = {}
        """Digest of the answer that the miner signed for."""
        self.late: set[Key] = set()
        """Answers that came too late by the miner's own clock: nobody lost them."""
        self._due_ns: dict[Key, int] = {}

    def feed(self, seen: Recorded) -> None:
        """Take one event of the miner's log. Raises CannotJudge where it is not one miner's."""
        event = seen.event
        statement, signature = _signed(event)
        if statement is None or statement.log_id != self._log_id:
            return
        self._check(seen.seq, statement, signature)
        key = (statement.round, statement.task)
        match event:
            case RequestAccepted(request=request):
                self.asked.add(statement.n)
                self._due_ns[key] = seen.envelope.at + request.deadline_ms * 1_000_000
            case RequestRefused():
                self.asked.add(statement.n)
            case AnswerProduced(receipt=receipt):
                self.answers[key] = receipt.answer
                if seen.envelope.at > self._due_ns.get(key, seen.envelope.at):
                    self.late.add(key)

    def _check(self, seq: int, statement: Statement, signature: str) -> None:
        self.hotkey = self.hotkey or statement.hotkey
        if statement.hotkey != self.hotkey:
            raise CannotJudge(f"line {seq} of the miner's log is another miner's: give one's own")
        if not verify_hotkey(statement.hotkey, statement_bytes(statement), signature):
            raise CannotJudge(f"line {seq} of the miner's log is not signed by {self.hotkey}")


async def witness(logs: Sequence[Log], own: Log) -> Witnessed:
    """The volumes of a validator's log, in order, beside the miner's own log.

    A receipt binds who signed it; that the validator got it, only an acknowledgement shows.
    Raises CannotJudge for a miner's log that is damaged, not signed, or not about this log, and
    Damaged where the validator's is.
    """
    found, outcomes = list[Dispute](), 0
    word = await _read(own, await _log_id(logs[0]))
    for log in logs:
        assigned, volume = dict[Key, int](), None
        async for seq, line in up_to(log, await log.head()):
            match event := Recorded(seq, line).event:
                case LogOpened() if len(logs) > 1:
                    volume = event.volume
                case TaskAssigned(round=r, task=t, hotkey=hotkey, n=n) if hotkey == word.hotkey:
                    assigned[(r, t)] = n
                case AnswerReceived() | AnswerAbandoned() if event.hotkey == word.hotkey:
                    outcomes += 1
                    n = assigned.pop((event.round, event.task), 0)
                    if what := _what(word, event, n):
                        found.append(_dispute(seq, event, n, what, volume))
    return _told(word, outcomes, found)


async def disputes(log: Log, own: Log) -> list[Dispute]:
    """Outcomes of a validator's log that the miner's own log contradicts, in order."""
    return (await witness([log], own)).disputes


def _dispute(seq: int, outcome: Outcome, n: int, what: What, volume: int | None) -> Dispute:
    return Dispute(
        seq=seq,
        round=outcome.round,
        task=outcome.task,
        hotkey=outcome.hotkey,
        n=n,
        what=what,
        volume=volume,
    )


def _told(word: MinersWord, outcomes: int, found: list[Dispute]) -> Witnessed:
    signed = len([one for one in found if one.proved])
    return Witnessed(
        hotkey=word.hotkey or "",
        requests=len(word.asked),
        answers=len(word.answers),
        outcomes=outcomes,
        signed=signed,
        gaps=len(found) - signed,
        disputes=found,
    )


async def _log_id(log: Log) -> str:
    async for seq, line in log.read():
        match Recorded(seq, line).event:
            case LogOpened(log_id=log_id):
                return log_id
        break
    raise Damaged(1, "missing: a log starts with LogOpened")


async def _read(own: Log, log_id: str) -> MinersWord:
    word, seq = MinersWord(log_id), 0
    try:
        async for seq, line in up_to(own, await own.head()):
            word.feed(Recorded(seq, line))
    except (Damaged, MsgspecError) as problem:
        at = problem.seq if isinstance(problem, Damaged) else seq
        raise CannotJudge(
            f"line {at} of the miner's log is no event: give its miner.jsonl as it is"
        ) from None
    if word.hotkey is None:
        raise CannotJudge(
            f"the miner's log holds no request of log {log_id}: give the log of a miner that this "
            "validator asked"
        )
    return word


def _signed(event: AnyEvent) -> tuple[Statement | None, str]:
    """What the miner signed here, and its signature."""
    match event:
        case RequestAccepted(acceptance=acceptance, signature=signature):
            return acceptance, signature
        case RequestRefused(refusal=refusal, signature=signature):
            return refusal, signature
        case AnswerProduced(receipt=receipt, signature=signature):
            return receipt, signature
    return None, ""


def _what(word: MinersWord, outcome: Outcome, n: int) -> What | None:
    key = (outcome.round, outcome.task)
    answer = word.answers.get(key)
    if isinstance(outcome, AnswerReceived):
        return "other" if answer not in (None, outcome.receipt.answer) else None
    if answer is not None:
        return None if key in word.late else "lost"
    if outcome.refusal is not None:
        return None  # the miner signed for it
    jumped = n not in word.asked and any(later > n for later in word.asked)
    return "never-asked" if jumped else None
