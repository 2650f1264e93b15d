"""Forgeries by hand: events moved, dropped and added, and nothing decided anew.

Here the forger rewrites what he has instead of letting his rules play again, since the rules refuse
to follow: they miss an outcome, or a policy. Each function returns the event that must be named.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from quasar.events import (
    AnswerReceived,
    AnswerScored,
    BlockObserved,
    Fault,
    PolicyAdopted,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RoundSealed,
    RoundSkipped,
    RunStarted,
    TaskAccepted,
    TaskAssigned,
    WeightsComputed,
)
from quasar.events.receipt import SignedCheckpoint, statement_bytes
from tests.forging import Forging, Item, few_tasks, in_round, played, tried

Forgery = Callable[[Forging], Item]

EQUAL = "not what the rules decide"
OTHER_POLICY = few_tasks(**{"multiplier = 1.0": "multiplier = 0.5"})


class Edit(NamedTuple):
    """A forgery, and how it must be named. Number 0: an order that no forty names."""

    number: int
    name: str
    forge: Forgery
    level: str
    words: str


def friend(event: Any) -> bool:
    """Events of the miner whom the forger likes."""
    return bool(event.hotkey == list(played().miners)[1])


def other_policy(log: Forging) -> Item:
    log.edit(log.one(PolicyAdopted), toml=log.world.log.blobs.put(OTHER_POLICY))
    return log.one(RoundOpened)


def other_policy_everywhere(log: Forging) -> Item:
    toml = log.world.log.blobs.put(OTHER_POLICY)
    log.edit(log.one(PolicyAdopted), toml=toml)
    for item in log.all(RoundOpened):
        log.edit(item, policy=toml.sha256)
    return log.one(AnswerScored, lambda e: e.bucket == "32k")


def old_receipt_renamed(log: Forging) -> Item:
    old = log.one(AnswerReceived, friend).event
    new = log.one(AnswerReceived, lambda e: friend(e) and e.round == 3)
    receipt = msgspec.structs.replace(new.event.receipt, answer=old.receipt.answer)
    return log.edit(new, text=old.text, receipt=receipt, signature=old.signature)


def task_dropped(log: Forging) -> Item:
    for start in ("task.1.2", "assign.1.2", "accept.1.2", "answer.1.2", "score.1.2"):
        log.drop_slots(start)
    for item in log.all(TaskAssigned, lambda e: e.round > 1):
        log.edit(item, n=item.event.n - 1)
    seeding = [i for i in log.all(BlockObserved) if i.event.number == 78]
    return seeding[0]


def last_score_dropped(log: Forging) -> Item:
    log.drop_slots(f"score.3.2.{min(played().miners)}", "scored.3", "weights.4")
    return log.one(RoundRevealed, in_round(3))


def attempt_after_a_restart(log: Forging) -> Item:
    answer = log.one(AnswerReceived, friend)
    run = msgspec.structs.replace(log.one(RunStarted).event, run=2)
    return log.add(log.add(answer, run, "supervisor"), tried(answer), answer.actor)


def second_answer(log: Forging) -> Item:
    answer = log.one(AnswerReceived, friend)
    return log.add(answer, msgspec.structs.replace(answer.event, elapsed_ms=1))


def round_removed(log: Forging) -> Item:
    log.items = [i for i in log.items if not 150 <= getattr(i.event, "number", 0) < 225]
    log.items = [i for i in log.items if getattr(i.event, "round", None) != 2]
    log.drop(log.all(TaskAccepted, lambda e: e.acceptance.round == 2))
    log.drop_slots("weights.2")
    return next(i for i in log.all(BlockObserved) if i.event.number == 225)


def round_removed_and_renumbered(log: Forging) -> Item:
    round_removed(log)
    opened = log.one(RoundOpened, in_round(3))
    log.items = log.items[: log.items.index(opened) + 1]
    return log.edit(opened, round=2)


def never_revealed(log: Forging) -> Item:
    log.drop_slots("revealed", "score", "weights")
    return log.one(RoundSealed)


def first_not_revealed(log: Forging) -> Item:
    log.drop_slots("revealed.1", "score.1", "scored.1")
    return log.one(RoundSealed)


def two_secrets_at_once(log: Forging) -> Item:
    second = log.all(RoundRevealed)[1]
    log.drop([second])
    return log.edit(log.one(RoundRevealed), round=2, secret=second.event.secret)


def beacon_known(log: Forging) -> Item:
    opened = log.one(RoundOpened)
    return log.edit(opened, beacon_block=opened.event.block)


def score_corrected(log: Forging) -> Item:
    score = log.one(AnswerScored, friend)
    event = msgspec.structs.replace(score.event, accuracy=1.0, reward=1.0)
    return log.add(log.one(RoundScored), event, score.actor)


def round_aborted(log: Forging) -> Item:
    block = log.one(RoundOpened).event.block
    event = RoundSkipped(round=1, block=block, fault=Fault.CHAIN, reason="no miner")
    return log.add(log.all(AnswerReceived, in_round(1))[-1], event, "task-sampler")


def score_of_nobody(log: Forging) -> Item:
    score = log.one(AnswerScored)
    event = msgspec.structs.replace(score.event, task=77)
    return log.add(score, event)


def sealed_early(log: Forging) -> Item:
    sealed = log.one(RoundSealed)
    sealed.cause = 1
    log.items.remove(sealed)
    log.items.insert(log.items.index(log.one(AnswerReceived)), sealed)
    return sealed


def acceptances_dropped(log: Forging) -> Item:
    log.drop(log.all(TaskAccepted, lambda e: e.acceptance.round == 1))
    return log.one(AnswerReceived)


def early_weights(log: Forging) -> Item:
    item = log.one(WeightsComputed)
    item.cause -= 1
    return item


def quoted_longer(log: Forging) -> Item:
    item = log.one(AnswerReceived)
    return resigned(log, item, checkpoint=SignedCheckpoint(size=10_000, root="0" * 64))


def quoted_other_history(log: Forging) -> Item:
    item = log.one(AnswerReceived)
    return resigned(log, item, checkpoint=SignedCheckpoint(size=5, root="0" * 64))


def resigned(log: Forging, item: Item, **changes: Any) -> Item:
    """A receipt that its miner signs anew: what an honest miner saw, against this log."""
    receipt = msgspec.structs.replace(item.event.receipt, **changes)
    key = log.world.miners[receipt.hotkey]
    return log.edit(item, receipt=receipt, signature=key.sign(statement_bytes(receipt)).hex())


def other_assignment_signed(log: Forging) -> Item:
    return resigned(log, log.one(AnswerReceived), n=99)


def other_log_signed(log: Forging) -> Item:
    return resigned(log, log.one(AnswerReceived), log_id="00000000")


EDITS = [
    Edit(3, "policy", other_policy, "lifecycle", "another policy than was adopted"),
    Edit(3, "policy, also in the rounds", other_policy_everywhere, "scores", EQUAL),
    Edit(7, "old receipt, renamed", old_receipt_renamed, "receipts", "does not verify"),
    Edit(8, "task dropped", task_dropped, "tasks", "leads to task.1.2"),
    Edit(9, "score of the last round", last_score_dropped, "scores", "leads to score.3.2."),
    Edit(17, "attempt after a restart", attempt_after_a_restart, "lifecycle", "without excuse"),
    Edit(17, "second answer", second_answer, "structure", "a second event in the slot answer."),
    Edit(28, "round removed", round_removed, "tasks", "leads to round.2"),
    Edit(28, "and renumbered", round_removed_and_renumbered, "tasks", EQUAL),
    Edit(29, "undone after answers", round_aborted, "structure", "a second event in the slot"),
    Edit(30, "none is revealed", never_revealed, "tasks", "never revealed"),
    Edit(30, "the first is not", first_not_revealed, "tasks", "never revealed"),
    Edit(30, "two at once", two_secrets_at_once, "lifecycle", "one by one"),
    Edit(37, "score corrected", score_corrected, "structure", "a second event in the slot score."),
    Edit(39, "second event of a slot", second_answer, "structure", "a second event in the slot"),
    Edit(0, "beacon known", beacon_known, "lifecycle", "the beacon was known"),
    Edit(0, "score of nobody", score_of_nobody, "scores", "no rule leads to this decision"),
    Edit(0, "seal before the answers", sealed_early, "tasks", "no rule leads to this decision"),
    Edit(0, "no acceptances", acceptances_dropped, "lifecycle", "without the miner's acceptance"),
    Edit(0, "another cause", early_weights, "weights", "from another event"),
    Edit(0, "signed for another n", other_assignment_signed, "receipts", "another log or"),
    Edit(0, "signed for another log", other_log_signed, "receipts", "another log or assignment"),
    Edit(0, "the miner saw more", quoted_longer, "receipts", "shown a longer log"),
    Edit(0, "the miner saw another log", quoted_other_history, "receipts", "another history"),
]
