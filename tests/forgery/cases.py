"""The forgeries of the threat model that a log alone gives away, with all that follows recomputed.

Each function edits an honest log in the forger's hands and returns the slot of the event that an
audit must name. The numbers are those of the table in ``replay/README.md``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    DeliveryTried,
    EventQuarantined,
    Evidence,
    Fault,
    PolicyAdopted,
    RoundOpened,
    RoundRevealed,
    RunStarted,
    TaskAccepted,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.receipt import digest
from tests.forgery.honest import recorded
from tests.forgery.kit import Forger
from tests.forging import few_tasks

Forge = Callable[[Forger], str]
EQUAL = "not what the rules decide"


class Case(NamedTuple):
    """A forgery, and how it must be named."""

    number: int
    name: str
    forge: Forge
    level: str
    words: str


def rival(event: Any) -> bool:
    """Events of the miner who is always right."""
    return bool(event.hotkey == next(iter(recorded().miners)))


def friend(event: Any) -> bool:
    """Events of a miner who guesses, and whom the forger likes."""
    return bool(event.hotkey == list(recorded().miners)[1])


def in_round(number: int) -> Callable[[Any], bool]:
    """Events of a round."""
    return lambda event: bool(event.round == number)


def wrong(event: AnswerScored) -> bool:
    """An answer of the friend that earned nothing."""
    return friend(event) and event.reward == 0.0 and event.failure is None


def reward(f: Forger) -> str:
    return f.impose(f.decision(AnswerScored, wrong), reward=1.0)


def accuracy(f: Forger) -> str:
    return f.impose(f.decision(AnswerScored, wrong), accuracy=1.0, reward=1.0)


def multiplier(f: Forger) -> str:
    score = f.decision(AnswerScored, lambda e: e.bucket == "124k")
    return f.impose(score, multiplier=2.0, reward=1.0)


def bucket(f: Forger) -> str:
    return f.impose(f.decision(AnswerScored, lambda e: e.bucket == "32k"), bucket="124k")


def other_policy(f: Forger) -> Any:
    """The file of another policy, kept beside the log."""
    toml = few_tasks(
        **{"multiplier = 1.0": "multiplier = 0.5", "ema_alpha = 0.1": "ema_alpha = 1.0"}
    )
    f.known.append(f.world.log.blobs.put(toml))
    return f.known[-1]


def policy_of_a_round(f: Forger) -> str:
    return f.impose(f.decision(RoundOpened), policy=other_policy(f).sha256)


def policy_after_answers(f: Forger) -> str:
    toml = other_policy(f)
    last = f.last(AnswerReceived, in_round(1))
    adopted = PolicyAdopted(number=2, name="readme-v1", toml=toml)
    f.insert(last, adopted, "supervisor").led_by = ""
    return f.impose(f.decision(RoundOpened), policy=toml.sha256)


def answer(f: Forger) -> str:
    return f.edit(f.fact(AnswerReceived, rival), text="ANSWER: 2")


def answer_and_receipt(f: Forger) -> str:
    fact = f.fact(AnswerReceived, friend)
    right = f.fact(AnswerReceived, rival).event
    receipt = msgspec.structs.replace(fact.event.receipt, answer=right.receipt.answer)
    return f.edit(fact, text=right.text, receipt=receipt)


def exchanged(f: Forger) -> str:
    names = ("text", "receipt", "signature")
    one, two = f.fact(AnswerReceived, rival), f.fact(AnswerReceived, friend)
    mine = {name: getattr(one.event, name) for name in names}
    theirs = {name: getattr(two.event, name) for name in names}
    f.edit(two, **mine)
    f.edit(one, **theirs)
    slots = [str(x.event.slot) for x in f.facts]
    return min(str(one.event.slot), str(two.event.slot), key=slots.index)


def renamed(f: Forger) -> str:
    one, two = f.fact(AnswerReceived, rival), f.fact(AnswerReceived, friend)
    receipt = msgspec.structs.replace(one.event.receipt, hotkey=two.event.hotkey)
    return f.edit(two, text=one.event.text, receipt=receipt, signature=one.event.signature)


def old_receipt(f: Forger) -> str:
    old = f.fact(AnswerReceived, rival).event
    new = f.fact(AnswerReceived, lambda e: rival(e) and e.round == 3)
    return f.edit(new, text=old.text, receipt=old.receipt, signature=old.signature)


def score_dropped(f: Forger) -> str:
    f.put[f.decision(AnswerScored, wrong).slot] = None
    return "revealed.1"


def excused(f: Forger) -> str:
    s = f.decision(AnswerScored, lambda e: e.failure == "silent")
    excuse = AnswerNotScored(
        round=s.round,
        task=s.task,
        hotkey=s.hotkey,
        bucket=s.bucket,
        fault=Fault.VALIDATOR,
        failure="internal",
    )
    return f.impose(excuse)


def blamed(f: Forger) -> str:
    lost = f.decision(AnswerNotScored)
    like = f.decision(AnswerScored, lambda e: e.unproved)
    return f.impose(like, task=lost.task, hotkey=lost.hotkey, bucket=lost.bucket)


def quarantined(f: Forger) -> str:
    fact = f.fact(AnswerReceived, rival)
    event = EventQuarantined(actor="scorer", seq=27, reason="cannot be read")
    return str(f.insert(fact, event, "supervisor").event.slot)


def tried(event: Any, attempt: int = 1) -> DeliveryTried:
    """A failed attempt at the assignment of an outcome."""
    evidence = Evidence(stage="connect", code="refused", bytes=0, elapsed_ms=1)
    return DeliveryTried(
        round=event.round,
        task=event.task,
        hotkey=event.hotkey,
        attempt=attempt,
        evidence=evidence,
    )


def second_attempt(f: Forger) -> str:
    fact = f.fact(AnswerReceived, friend)
    return str(f.insert(fact, tried(fact.event)).event.slot)


def attempt_before_answer(f: Forger) -> str:
    fact = f.fact(AnswerReceived, friend)
    before = f.facts[f.facts.index(fact) - 1]
    return str(f.insert(before, tried(fact.event)).event.slot)


def longer_deadline(f: Forger) -> str:
    given = f.decision(TaskAssigned, friend)
    fact = f.fact(AnswerReceived, friend)
    f.edit(fact, deadline_ms=given.deadline_ms + 60_000)
    return f.impose(given, deadline_ms=given.deadline_ms + 60_000)


def deadline_of_answer(f: Forger) -> str:
    late = f.fact(AnswerReceived, lambda e: e.elapsed_ms > e.deadline_ms)
    return f.edit(late, deadline_ms=late.event.elapsed_ms)


def slow_rival(f: Forger) -> str:
    return f.edit(f.fact(AnswerReceived, rival), elapsed_ms=10_000_000)


def easier(f: Forger) -> str:
    return f.impose(f.decision(TaskSampled, lambda e: e.bucket == "124k"), bucket="32k")


def shorter(f: Forger) -> str:
    given = f.decision(TaskAssigned, friend)
    return f.impose(given, context=msgspec.structs.replace(given.context, tokens=10))


def other_question(f: Forger) -> str:
    given = f.decision(TaskAssigned, friend)
    other = f.decision(TaskAssigned, lambda e: friend(e) and e.task == 1)
    return f.impose(given, question=other.question)


def left_out(f: Forger) -> str:
    opened = f.decision(RoundOpened)
    others = [h for h in opened.participants if h != next(iter(recorded().miners))]
    return f.impose(opened, participants=others)


def other_secret(f: Forger) -> str:
    return f.impose(f.decision(RoundRevealed), secret="0" * 64)


def other_commitment(f: Forger) -> str:
    return f.impose(f.decision(TaskAssigned, friend), commitment="0" * 64)


def refusal_dropped(f: Forger) -> str:
    fact = f.fact(AnswerAbandoned, lambda e: e.refusal is not None)
    return f.edit(fact, refusal=None, signature=None)


def acceptance_of_another_cause(f: Forger) -> str:
    fact = f.fact(TaskAccepted)
    fact.led_by = "round.1"
    return str(fact.event.slot)


def receipt_digest_exchanged(f: Forger) -> str:
    fact = f.fact(AnswerReceived, lambda e: rival(e) and e.round == 3)
    other = digest(f.fact(AnswerReceived, friend).event.receipt)
    return f.edit(fact, receipt=msgspec.structs.replace(fact.event.receipt, previous=other))


def second_run(f: Forger) -> str:
    run = f.fact(RunStarted)
    return str(f.insert(run, msgspec.structs.replace(run.event, run=3)).event.slot)


CASES = [
    Case(1, "reward", reward, "scores", EQUAL),
    Case(2, "accuracy and all that follows", accuracy, "scores", EQUAL),
    Case(3, "multiplier", multiplier, "scores", EQUAL),
    Case(3, "bucket", bucket, "scores", EQUAL),
    Case(4, "policy of a round", policy_of_a_round, "lifecycle", "another policy than was"),
    Case(4, "policy after the answers", policy_after_answers, "lifecycle", "another policy"),
    Case(5, "answer", answer, "receipts", "signed another answer"),
    Case(5, "answer and receipt", answer_and_receipt, "receipts", "does not verify"),
    Case(6, "answers exchanged", exchanged, "receipts", "for another assignment"),
    Case(6, "and renamed", renamed, "receipts", "signed for another"),
    Case(7, "old receipt", old_receipt, "receipts", "for another assignment"),
    Case(7, "receipt before it", receipt_digest_exchanged, "receipts", "does not verify"),
    Case(9, "score dropped", score_dropped, "scores", "leads to score.1.0."),
    Case(13, "time-out excused", excused, "scores", EQUAL),
    Case(
        13, "refusal dropped", refusal_dropped, "lifecycle", "the evidence and the refusal differ"
    ),
    Case(15, "upload blamed on the miner", blamed, "scores", EQUAL),
    Case(16, "answer quarantined", quarantined, "lifecycle", "rules accept the event"),
    Case(17, "second attempt", second_attempt, "lifecycle", "without excuse"),
    Case(17, "attempt after acceptance", attempt_before_answer, "lifecycle", "without excuse"),
    Case(19, "longer deadline", longer_deadline, "tasks", EQUAL),
    Case(19, "in the answer alone", deadline_of_answer, "lifecycle", "another deadline"),
    Case(19, "rival made late", slow_rival, "lifecycle", "longer than the log's own times"),
    Case(21, "easier task", easier, "tasks", EQUAL),
    Case(21, "shorter context", shorter, "tasks", EQUAL),
    Case(21, "another question", other_question, "tasks", EQUAL),
    Case(22, "rival left out", left_out, "tasks", EQUAL),
    Case(24, "another secret", other_secret, "lifecycle", "does not belong to the chain"),
    Case(27, "expected answer", other_commitment, "tasks", EQUAL),
]
