"""A miner's own log beside a validator's: what the one signed for and the other does not tell.

A miner keeps every request that it took, and every answer with the receipt for it. Counters of a
validator's assignments to one miner are dense, so a request that never came leaves a gap in them.
"""

from typing import Literal

from msgspec import Struct

from quasar.events import (
    AnswerAbandoned,
    AnswerProduced,
    AnswerReceived,
    LogOpened,
    RequestAccepted,
    RequestRefused,
    TaskAssigned,
)
from quasar.log import Log
from quasar.replay.revealed import up_to
from quasar.rules.machine import Recorded

Key = tuple[int, int]
"""Round and task."""

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
    what: Literal["lost", "other", "never-asked"]

    @property
    def proved(self) -> bool:
        """Whether a signature shows it. A gap is the miner's word against the validator's: a line
        that was broken between the two looks the same."""
        return self.what != "never-asked"

    @property
    def reason(self) -> str:
        """In words."""
        return WHY[self.what]


class MinersWord:
    """What a miner's own log says of one validator's log."""

    def __init__(self, log_id: str) -> None:
        self._log_id = log_id
        self.hotkey: str | None = None
        self.asked: set[int] = set()
        """Counters of the requests that came."""
        self.answers: dict[Key, str] = {}
        """Digest of the answer that the miner signed for."""

    def feed(self, seen: Recorded) -> None:
        """Take one event of the miner's log."""
        match seen.event:
            case RequestAccepted(acceptance=said) | RequestRefused(refusal=said):
                if said.log_id == self._log_id:
                    self.hotkey = said.hotkey
                    self.asked.add(said.n)
            case AnswerProduced(receipt=receipt) if receipt.log_id == self._log_id:
                self.answers[(receipt.round, receipt.task)] = receipt.answer


async def disputes(log: Log, own: Log) -> list[Dispute]:
    """Outcomes of a validator's log that the miner's own log contradicts, in order.

    A receipt binds who signed it; that the validator got it, only an acknowledgement shows.
    """
    word, found, assigned = MinersWord(""), list[Dispute](), dict[Key, int]()
    async for seq, line in up_to(log, await log.head()):
        match event := Recorded(seq, line).event:
            case LogOpened(log_id=log_id):
                word = await _read(own, log_id)
            case TaskAssigned(round=r, task=t, hotkey=hotkey, n=n) if hotkey == word.hotkey:
                assigned[(r, t)] = n
            case AnswerReceived() | AnswerAbandoned() if event.hotkey == word.hotkey:
                key = (event.round, event.task)
                n = assigned.pop(key, 0)
                if what := _what(word, event, n):
                    found.append(
                        Dispute(
                            seq=seq,
                            round=event.round,
                            task=event.task,
                            hotkey=event.hotkey,
                            n=n,
                            what=what,
                        )
                    )
    return found


async def _read(own: Log, log_id: str) -> MinersWord:
    word = MinersWord(log_id)
    async for seq, line in up_to(own, await own.head()):
        word.feed(Recorded(seq, line))
    return word


def _what(
    word: MinersWord, outcome: AnswerReceived | AnswerAbandoned, n: int
) -> Literal["lost", "other", "never-asked"] | None:
    answer = word.answers.get((outcome.round, outcome.task))
    if isinstance(outcome, AnswerReceived):
        return "other" if answer not in (None, outcome.receipt.answer) else None
    if answer is not None:
        return "lost"
    if outcome.refusal is not None:
        return None  # the miner signed for it
    jumped = n not in word.asked and any(later > n for later in word.asked)
    return "never-asked" if jumped else None
