"""Forgeries of the threat model, each signed again by the log-key holder, each named by the audit.

A forgery is a function that edits the log and returns the event that the audit must name first.
Numbers are those of the threat model; what a log alone cannot show is listed at the end.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from quasar.events import (
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    BlockObserved,
    EventQuarantined,
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
    TaskSampled,
    Weight,
    WeightsComputed,
    WeightsDeferred,
)
from quasar.events.receipt import SignedCheckpoint, statement_bytes
from quasar.log.archive import ArchiveLog
from quasar.log.blobs import MemoryBlobs
from quasar.replay import audit
from quasar.rules.sampling import SamplingRule
from quasar.rules.secrets import SecretChain
from tests.builders import BLOCK_NS, Play, World
from tests.forging import (
    Forging,
    Item,
    few_tasks,
    first_is,
    in_round,
    played,
    report_of,
    tried,
    write_archive,
)

Forgery = Callable[[Forging], Item]

OTHER_POLICY = few_tasks(**{"multiplier = 1.0": "multiplier = 0.5"})


def friend(event: Any) -> bool:
    """Events of the miner whom the forger likes."""
    return bool(event.hotkey == list(played().miners)[1])


def reward_raised(log: Forging) -> Item:
    return log.edit(log.one(AnswerScored, lambda e: e.reward == 0.0), reward=1.0)


def accuracy_raised(log: Forging) -> Item:
    item = log.edit(log.one(AnswerScored, lambda e: e.reward == 0.0), accuracy=1.0, reward=1.0)
    log.decide_again()
    return item


def other_multiplier(log: Forging) -> Item:
    item = log.edit(log.one(AnswerScored, lambda e: e.bucket == "124k"), multiplier=2.0)
    log.decide_again()
    return item


def other_policy(log: Forging) -> Item:
    log.edit(log.one(PolicyAdopted), toml=log.world.log.blobs.put(OTHER_POLICY))
    return log.one(RoundOpened)


def other_policy_everywhere(log: Forging) -> Item:
    toml = log.world.log.blobs.put(OTHER_POLICY)
    log.edit(log.one(PolicyAdopted), toml=toml)
    for item in log.all(RoundOpened):
        log.edit(item, policy=toml.sha256)
    return log.one(AnswerScored, lambda e: e.bucket == "32k")


def policy_after_answers(log: Forging) -> Item:
    toml = log.world.log.blobs.put(OTHER_POLICY)
    last = log.all(AnswerReceived, in_round(1))[-1]
    log.add(last, PolicyAdopted(number=2, name="readme-v1", toml=toml), "supervisor")
    return log.edit(log.one(RoundOpened), policy=toml.sha256)


def answer_edited(log: Forging) -> Item:
    return log.edit(log.one(AnswerReceived, friend), text="ANSWER: 2")


def answers_exchanged(log: Forging) -> Item:
    one, two = log.all(AnswerReceived)[:2]
    names = ("text", "receipt", "signature")
    mine = {name: getattr(one.event, name) for name in names}
    log.edit(one, **{name: getattr(two.event, name) for name in names})
    log.edit(two, **mine)
    return one


def answers_exchanged_and_renamed(log: Forging) -> Item:
    one, two = log.all(AnswerReceived)[:2]
    receipt = msgspec.structs.replace(two.event.receipt, hotkey=one.event.hotkey)
    return log.edit(one, text=two.event.text, receipt=receipt, signature=two.event.signature)


def old_receipt(log: Forging) -> Item:
    old = log.one(AnswerReceived, friend).event
    new = log.one(AnswerReceived, lambda e: friend(e) and e.round == 3)
    return log.edit(new, text=old.text, receipt=old.receipt, signature=old.signature)


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


def score_dropped(log: Forging) -> Item:
    log.drop([log.one(AnswerScored, friend)])
    return log.one(RoundRevealed)


def last_score_dropped(log: Forging) -> Item:
    log.drop_slots(f"score.3.2.{min(played().miners)}", "scored.3", "weights.4")
    return log.one(RoundRevealed, in_round(3))


def timeout_excused(log: Forging) -> Item:
    item = log.one(AnswerScored, lambda e: e.failure == "silent")
    s = item.event
    item.event = AnswerNotScored(
        round=s.round,
        task=s.task,
        hotkey=s.hotkey,
        bucket=s.bucket,
        fault=Fault.VALIDATOR,
        failure="internal",
    )
    log.decide_again()
    return item


def upload_blamed(log: Forging) -> Item:
    item = log.one(AnswerNotScored)
    s, like = item.event, log.one(AnswerScored, lambda e: e.unproved).event
    item.event = msgspec.structs.replace(like, task=s.task, hotkey=s.hotkey, bucket=s.bucket)
    log.decide_again()
    return item


def answer_quarantined(log: Forging) -> Item:
    answer = log.one(AnswerReceived, friend)
    event = EventQuarantined(actor="scorer", seq=answer.seq, reason="cannot be read")
    return log.add(answer, event, "supervisor")


def second_attempt(log: Forging) -> Item:
    answer = log.one(AnswerReceived, friend)
    return log.add(answer, tried(answer))


def attempt_after_acceptance(log: Forging) -> Item:
    accepted = log.one(TaskAccepted)
    return log.add(accepted, tried(log.one(AnswerReceived)))


def attempt_after_a_restart(log: Forging) -> Item:
    answer = log.one(AnswerReceived, friend)
    run = msgspec.structs.replace(log.one(RunStarted).event, run=2)
    return log.add(log.add(answer, run, "supervisor"), tried(answer), answer.actor)


def second_answer(log: Forging) -> Item:
    answer = log.one(AnswerReceived, friend)
    return log.add(answer, msgspec.structs.replace(answer.event, elapsed_ms=1))


def longer_deadline(log: Forging) -> Item:
    item = log.one(TaskAssigned, friend)
    deadline = item.event.deadline_ms + 60_000
    log.edit(log.one(AnswerReceived, friend), deadline_ms=deadline)
    return log.edit(item, deadline_ms=deadline)


def longer_deadline_in_answer(log: Forging) -> Item:
    item = log.one(AnswerScored, lambda e: e.failure == "late")
    log.edit(item, failure=None, accuracy=1.0, reward=1.0)
    late = [i for i in log.all(AnswerReceived) if i.event.elapsed_ms > i.event.deadline_ms]
    log.decide_again()
    return log.edit(late[0], deadline_ms=late[0].event.elapsed_ms)


def easier_task(log: Forging) -> Item:
    return log.edit(log.one(TaskSampled, lambda e: e.bucket == "124k"), bucket="32k")


def shorter_context(log: Forging) -> Item:
    item = log.one(TaskAssigned, friend)
    return log.edit(item, context=msgspec.structs.replace(item.event.context, tokens=10))


def rival_left_out(log: Forging) -> Item:
    item = log.one(RoundOpened)
    return log.edit(item, participants=item.event.participants[1:])


def other_commitment(log: Forging) -> Item:
    return log.edit(log.one(TaskAssigned, friend), commitment="0" * 64)


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


def uids_swapped(log: Forging) -> Item:
    item = log.one(WeightsComputed)
    one, two, *rest = item.event.weights
    swapped = [
        msgspec.structs.replace(one, uid=two.uid),
        msgspec.structs.replace(two, uid=one.uid),
    ]
    return log.edit(item, weights=[*swapped, *rest])


def row(change: Callable[[Weight], Weight]) -> Forgery:
    """Change every entry of the newest row."""

    def forge(log: Forging) -> Item:
        item = log.all(WeightsComputed)[-1]
        return log.edit(item, weights=[change(w) for w in item.event.weights])

    return forge


def other_alpha(w: Weight) -> Weight:
    return msgspec.structs.replace(w, score=w.score / 0.1 * 0.2)


def sum_scaled(w: Weight) -> Weight:
    return msgspec.structs.replace(w, u16=w.u16 // 2)


def row_deferred(log: Forging) -> Item:
    item = log.one(WeightsComputed)
    e = item.event
    item.event = WeightsDeferred(epoch=e.epoch, attempt=0, block=e.block, reason="all-zero")
    return item


def score_corrected(log: Forging) -> Item:
    score = log.one(AnswerScored, friend)
    event = msgspec.structs.replace(score.event, accuracy=1.0, reward=1.0)
    return log.add(log.one(RoundScored), event, score.actor)


def back_dated(kind: type[Any]) -> Forgery:
    """Date an event an hour early."""

    def forge(log: Forging) -> Item:
        item = log.all(kind)[1]
        item.at -= 300 * BLOCK_NS
        return item

    return forge


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


EQUAL = "not what the rules decide"
FORGERIES: list[tuple[str, Forgery, str, str]] = [
    ("1 reward", reward_raised, "scores", EQUAL),
    ("2 accuracy and all that follows", accuracy_raised, "scores", EQUAL),
    ("3 multiplier", other_multiplier, "scores", EQUAL),
    ("3 policy", other_policy, "tasks", EQUAL),
    ("3 policy, also in the rounds", other_policy_everywhere, "scores", EQUAL),
    ("4 policy after the answers", policy_after_answers, "tasks", EQUAL),
    ("5 answer", answer_edited, "receipts", "signed another answer"),
    ("6 answers exchanged", answers_exchanged, "receipts", "for another assignment"),
    ("6 and renamed", answers_exchanged_and_renamed, "receipts", "for another"),
    ("7 old receipt", old_receipt, "receipts", "for another assignment"),
    ("7 old receipt, renamed", old_receipt_renamed, "receipts", "does not verify"),
    ("8 task dropped", task_dropped, "tasks", "leads to task.1.2"),
    ("9 score dropped", score_dropped, "scores", "leads to score.1.0."),
    ("9 score dropped in the last round", last_score_dropped, "scores", "leads to score.3.2."),
    ("13 time-out excused", timeout_excused, "scores", EQUAL),
    ("15 upload blamed on the miner", upload_blamed, "scores", EQUAL),
    ("16 answer quarantined", answer_quarantined, "lifecycle", "rules accept the event"),
    ("17 second attempt", second_attempt, "lifecycle", "without excuse"),
    ("17 attempt after acceptance", attempt_after_acceptance, "lifecycle", "without excuse"),
    ("17 attempt after a restart", attempt_after_a_restart, "lifecycle", "without excuse"),
    ("17 second answer", second_answer, "structure", "a second event in the slot answer."),
    ("19 longer deadline", longer_deadline, "tasks", EQUAL),
    ("19 in the answer alone", longer_deadline_in_answer, "lifecycle", "another deadline"),
    ("21 easier task", easier_task, "tasks", EQUAL),
    ("21 shorter context", shorter_context, "tasks", EQUAL),
    ("22 rival left out", rival_left_out, "tasks", EQUAL),
    ("27 expected answer", other_commitment, "tasks", EQUAL),
    ("28 round removed", round_removed, "tasks", "leads to round.2"),
    ("28 and renumbered", round_removed_and_renumbered, "tasks", EQUAL),
    ("29 aborted after answers", round_aborted, "structure", "a second event in the slot round.1"),
    ("30 never revealed", never_revealed, "tasks", "never revealed"),
    ("30 one not revealed", first_not_revealed, "tasks", "never revealed"),
    ("30 two at once", two_secrets_at_once, "lifecycle", "one by one"),
    ("31 uids swapped", uids_swapped, "weights", EQUAL),
    ("32 EMA", row(other_alpha), "weights", EQUAL),
    ("33 row scaling", row(sum_scaled), "weights", EQUAL),
    ("33 row deferred", row_deferred, "weights", EQUAL),
    ("37 score corrected", score_corrected, "structure", "a second event in the slot score."),
    ("38 seal back-dated", back_dated(RoundSealed), "lifecycle", "dated before a block"),
    ("38 reveal back-dated", back_dated(RoundRevealed), "lifecycle", "dated before a block"),
    ("beacon known", beacon_known, "lifecycle", "the beacon was known"),
    ("score of nobody", score_of_nobody, "scores", "no rule leads to this decision"),
    ("seal before the answers", sealed_early, "tasks", "no rule leads to this decision"),
    ("acceptances dropped", acceptances_dropped, "lifecycle", "without the miner's acceptance"),
    ("another cause", early_weights, "weights", "from another event"),
    ("signed for another n", other_assignment_signed, "receipts", "another log or assignment"),
    ("signed for another log", other_log_signed, "receipts", "another log or assignment"),
    ("the miner saw more", quoted_longer, "receipts", "shown a longer log"),
    ("the miner saw another log", quoted_other_history, "receipts", "shown another history"),
]


@pytest.mark.parametrize(
    ("name", "forgery", "level", "reason"), FORGERIES, ids=[f[0] for f in FORGERIES]
)
def test_a_forgery_is_named(name: str, forgery: Forgery, level: str, reason: str) -> None:
    """Each forgery, rebuilt and signed again, is named with its level, reason and first event."""
    log = Forging(played())
    named = forgery(log)
    first_is(report_of(log.lines(), log.world.log.blobs), log.place(named), level, reason)


def test_only_the_forged_accuracy_is_wrong() -> None:
    """Means and rows that follow from a forged score agree with it, so it stands alone."""
    log = Forging(played())
    accuracy_raised(log)
    report = report_of(log.lines(), log.world.log.blobs)
    assert report.findings == 1
    assert report.first_divergence is not None
    assert report.first_divergence.field == "accuracy"
    assert report.first_divergence.recorded == "1.0"
    assert report.first_divergence.recomputed == "0.0"


def test_another_secret_is_named_where_it_is_revealed() -> None:
    """24: a whole log made from another secret chain breaks its promise at the first reveal."""
    world = World(miners=2, policy=few_tasks())
    promised, chosen = world.secrets, SecretChain(b"chosen late", world.log_id, 1)
    world.players[0] = Play(SamplingRule(chosen), world.log.blobs)

    async def play() -> None:
        assert world.secrets is promised  # LogOpened commits to this chain
        await world.open()
        world.secrets = chosen
        await world.block(0, metagraph=True)
        await world.block(75, metagraph=True)
        await world.block(78)
        for d in world.open_deliveries():
            answer = world.received(d, world.right_answer(*d.key))
            await world.deliver(d, world.acceptance(d), answer)
        await world.settle()

    anyio.run(play)
    seq = next(i for i, e in enumerate(world.events(), 1) if isinstance(e, RoundRevealed))
    report = report_of(world.lines, world.log.blobs)
    first_is(report, seq, "lifecycle", "does not belong to the chain")
    assert report.findings == 1


def test_a_secret_that_was_exchanged_is_named() -> None:
    """24: another secret in the reveal alone is no reason to doubt the tasks before it."""
    log = Forging(played())
    item = log.edit(log.one(RoundRevealed), secret="0" * 64)
    report = report_of(log.lines(), log.world.log.blobs)
    first_is(report, log.place(item), "lifecycle", "does not belong to the chain")


def test_a_dropped_blob_is_named() -> None:
    """9: an answer whose blob is missing is named."""
    log = Forging(played())
    item = log.one(AnswerReceived, lambda e: e.blob is not None)
    blobs = MemoryBlobs()
    for sha256, data in log.world.log.blobs._held.items():  # type: ignore[attr-defined]
        if sha256 != item.event.blob.sha256:
            blobs.put(data)
    first_is(report_of(log.lines(), blobs), log.place(item), "structure", "blob is missing")


def test_an_edited_blob_is_named() -> None:
    """5: an answer in a blob is covered by the receipt as one in the event is."""
    log = Forging(played())
    item = log.one(AnswerReceived, lambda e: e.blob is not None)
    log.edit(item, blob=log.world.log.blobs.put(b"y" * 5000))
    report = report_of(log.lines(), log.world.log.blobs)
    first_is(report, log.place(item), "receipts", "signed another answer")


def test_a_restart_excuses_another_attempt() -> None:
    """After a crash the validator asks again, also a miner that had accepted."""
    log = Forging(played())
    accepted = log.one(TaskAccepted)
    run = msgspec.structs.replace(log.one(RunStarted).event, run=2)
    log.add(log.add(accepted, run, "supervisor"), tried(log.one(AnswerReceived)), accepted.actor)
    assert report_of(log.lines(), log.world.log.blobs).result == "clean"


RESIGNED = ["1 reward", "5 answer", "9 score dropped", "28 round removed", "31 uids swapped"]


@pytest.mark.parametrize("case", [f for f in FORGERIES if f[0] in RESIGNED], ids=lambda f: f[0])
def test_a_forged_archive_is_named(case: tuple[str, Forgery, str, str], tmp_path: Path) -> None:
    """The same in a whole archive with new segments, tiles and signatures."""
    _, forgery, level, reason = case
    log = Forging(played())
    named = forgery(log)
    folder = write_archive(tmp_path / "forged", log.world, log.lines())
    report = anyio.run(audit, ArchiveLog(folder))
    first_is(report, log.place(named), level, reason)
