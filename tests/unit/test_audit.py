"""What an audit says of logs that are good, short, or nobody's."""

from collections.abc import AsyncGenerator

import anyio
import msgspec
import pytest

from quasar.events import (
    AnswerReceived,
    CheckpointSigned,
    Fault,
    LogOpened,
    RoundRevealed,
    RoundSealed,
    RoundSkipped,
)
from quasar.events.envelope import decode
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.receipt import Receipt, SignedCheckpoint, digest, statement_bytes
from quasar.log.blobs import MemoryBlobs
from quasar.replay import Report, audit
from quasar.replay.revealed import revealed_secrets
from quasar.rules.delivery import Delivery
from tests.builders import LineLog, World
from tests.forging import Forging, few_tasks, played, report_of

NOT_CHECKED = [
    "chain: blocks, metagraphs and rows were not compared with a chain",
    "signer not verified: name the validator with --hotkey",
    "freshness: none, secrets and blocks come from a public seed",
]


def test_a_clean_log() -> None:
    """Every part of the report on three rounds, with exact counts."""
    world = played()
    report = report_of(world.lines, world.log.blobs)
    # 3 rounds of 3 tasks and 3 miners: opening, 3 samples, 9 assignments, seal, reveal
    tasks, scores, weights, signed = 3 * (1 + 3 + 9 + 2) + 1, 3 * (9 + 1), 4, 9 + 7 + 9 + 5 + 9 + 9
    assert (report.result, report.events) == ("clean", 150)
    assert counts(report) == (tasks + scores + weights, scores, weights, signed)
    assert report.signer is not None
    assert report.signer.hotkey == world.hotkey.ss58_address
    assert report.not_checked == NOT_CHECKED
    assert report.assumed == {
        "carried_state": 0,
        "code_verdicts": 0,
        "metagraphs_without_chain": 5,
        "unproved_faults": 1,
    }
    assert (report.disputes, report.findings, report.first_divergence) == (0, 0, None)
    assert report.proved[-2:] == [
        "27 scores and 3 round means recomputed from the answers, bit for bit",
        "3 weight rows and 1 deferral recomputed, bit for bit",
    ]


def test_what_there_is_none_of_is_not_proved() -> None:
    """A log of two events proves no scores, weights or checkpoints."""
    report = report_of(played().lines[:2], played().log.blobs)
    assert report.proved == ["2 events, none missing, altered or out of order"]


def counts(report: Report) -> tuple[int, int, int, int]:
    """What was compared; all of it must be equal."""
    tallies = (report.decisions, report.scores, report.weights, report.receipts)
    assert all(tally.checked == tally.equal for tally in tallies)
    a, b, c, d = (tally.checked for tally in tallies)
    return a, b, c, d


def test_the_report_has_the_published_fields() -> None:
    """Other programs read these names from ``quasar audit --json``."""
    report = msgspec.to_builtins(report_of(played().lines, played().log.blobs))
    assert {
        "result", "events", "decisions", "scores", "weights", "signer", "not_checked", "assumed",
        "disputes", "first_divergence",
    } <= set(report)  # fmt: skip
    assert set(report["decisions"]) == {"checked", "equal"}


def test_two_audits_give_the_same_bytes() -> None:
    """A report depends on the log alone: no clock, no order of a set, no state left behind."""
    one, two = (report_of(played().lines, played().log.blobs) for _ in range(2))
    assert msgspec.json.encode(one) == msgspec.json.encode(two)


def test_every_prefix_is_clean() -> None:
    """A crash leaves a prefix, whose open work is noted and never called divergent."""
    world = played()
    seen = {"due": 0, "unrevealed": 0}
    for size in range(1, len(world.lines)):
        report = report_of(world.lines[:size], world.log.blobs)
        assert report.first_divergence is None, (size, report.first_divergence)
        assert (report.events, report.disputes) == (size, 0)
        notes = " ".join(report.not_checked)
        seen["due"] += "still due" in notes
        seen["unrevealed"] += "not revealed yet" in notes
    assert seen["due"] > 30
    assert seen["unrevealed"] > 30


def test_an_unrevealed_round_is_not_checked() -> None:
    """What needs a secret that is not revealed yet is said, and is no divergence."""
    world = World(miners=2, policy=few_tasks())
    anyio.run(world.start_round, 1)
    report = report_of(world.lines, world.log.blobs)
    assert report.result == "clean"
    assert "1 steps of rounds that are not revealed yet" in report.not_checked
    assert counts(report)[0] == 2  # RoundOpened and a WeightsDeferred


def test_an_opening_in_an_unrevealed_step_is_checked() -> None:
    """A missing secret excuses only what needs it: a skipped round in the same step does not."""
    world = World(miners=2, policy=few_tasks())
    anyio.run(world.start_round, 1)
    log = Forging(world)
    planned = log.items[-1]
    opened = next(e for e in world.events() if type(e).__name__ == "RoundOpened")
    skipped = RoundSkipped(round=2, block=opened.block, fault=Fault.CHAIN, reason="no miner")
    item = log.add(planned, skipped)
    report = report_of(log.lines(), world.log.blobs)
    assert report.first_divergence is not None
    assert report.first_divergence.seq == log.place(item)


def test_an_empty_log_is_not_clean() -> None:
    """Nothing proves nothing."""
    report = report_of([], MemoryBlobs())
    assert report.first_divergence is not None
    assert (report.first_divergence.seq, report.first_divergence.level) == (1, "structure")
    assert (report.signer, report.checkpoint_root) == (None, None)


def test_a_log_starts_with_its_opening() -> None:
    """Without LogOpened nobody is known to have signed anything."""
    report = report_of(played().lines[1:], played().log.blobs)
    assert report.first_divergence is not None
    assert report.first_divergence.seq == 1
    assert "starts with LogOpened" in report.first_divergence.reason
    assert report.signer is None


def test_a_pinned_hotkey_is_verified() -> None:
    """``--hotkey`` makes the signer part of the verdict."""
    world = played()
    report = report_of(world.lines, world.log.blobs, world.hotkey.ss58_address)
    assert report.signer is not None
    assert report.signer.pinned
    assert report.not_checked == [NOT_CHECKED[0], NOT_CHECKED[2]]


def test_another_hotkey_is_divergent() -> None:
    """A good log of somebody else is not the log that was asked for."""
    other = min(played().miners)
    report = report_of(played().lines, played().log.blobs, other)
    first = report.first_divergence
    assert first is not None
    assert (first.seq, first.level, first.field) == (1, "structure", "hotkey")
    assert (first.recorded, first.recomputed) == (played().hotkey.ss58_address, other)


def test_a_gap_is_named() -> None:
    """A reader that skips a number shows the missing event."""

    class Gap(LineLog):
        async def read(self, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
            async for seq, line in super().read(after):
                if seq != 7:
                    yield seq, line

    report = anyio.run(audit, Gap(played().lines, played().log.blobs))
    assert report.first_divergence is not None
    assert (report.first_divergence.seq, report.first_divergence.level) == (7, "structure")


def test_progress_counts_events() -> None:
    """A progress bar gets every event and their total."""
    told: list[tuple[int, int]] = []

    async def run() -> None:
        log = LineLog(played().lines, played().log.blobs)
        await audit(log, progress=lambda done, total: told.append((done, total)))

    anyio.run(run)
    assert told == [(i, 150) for i in range(1, 151)]


def test_a_live_log_is_audited_up_to_its_head() -> None:
    """A log that goes on is judged as it is now."""
    report = anyio.run(audit, played().log)
    assert (report.result, report.events) == ("clean", 150)


def lost(world: World) -> None:
    """10: each miner's first answer comes, and is recorded as if the miner were away."""

    async def play() -> None:
        await world.start_round(1)
        for d in world.open_deliveries():
            received = world.received(d, b"ANSWER: 1")
            if d.key[1] == 0:
                await world.deliver(d, world.abandoned(d))
            else:
                await world.deliver(d, world.acceptance(d), received)
        await world.settle()

    anyio.run(play)


def test_an_answer_recorded_as_lost_is_disputed() -> None:
    """10: the miners' next receipts quote what the log lacks; each missing one counts once."""
    world = World(miners=2, policy=few_tasks())
    lost(world)
    report = report_of(world.lines, world.log.blobs)
    assert (report.result, report.disputes) == ("clean", 2)
    assert report.assumed["unproved_faults"] == 2


def test_unacknowledged_receipts_are_disputed_once() -> None:
    """A miner that names a lost receipt again and again makes one dispute of it."""
    world = World(miners=1, policy=few_tasks())

    async def play() -> None:
        await world.start_round(1)
        for d in world.open_deliveries():
            receipt = world.received(d, b"ANSWER: 1").receipt
            receipt = msgspec.structs.replace(receipt, unacknowledged=["ab" * 32, "cd" * 32])
            event = signed(world, d, receipt)
            await world.deliver(d, world.acceptance(d), event)
            world.receipts[d.key[2]] = digest(receipt)
        await world.settle()

    anyio.run(play)
    assert report_of(world.lines, world.log.blobs).disputes == 2


def signed(world: World, d: Delivery, receipt: Receipt) -> AnswerReceived:
    """An answer under another receipt."""
    signature = world.miners[d.key[2]].sign(statement_bytes(receipt)).hex()
    received = world.received(d, b"ANSWER: 1")
    return msgspec.structs.replace(received, receipt=receipt, signature=signature)


def test_answers_that_overtake_each_other_are_no_dispute() -> None:
    """A receipt may quote one that reaches the log later; till the seal it is not missed."""
    world = World(miners=1, policy=few_tasks())

    async def play() -> None:
        await world.start_round(1)
        deliveries = world.open_deliveries()
        made = [(d, world.acceptance(d), world.received(d, b"ANSWER: 1")) for d in deliveries]
        for d, accepted, answer in reversed(made):
            await world.deliver(d, accepted, answer)
        await world.settle()

    anyio.run(play)
    for size in range(1, len(world.lines) + 1):
        assert report_of(world.lines[:size], world.log.blobs).disputes == 0


def test_a_dispatch_never_sent_is_the_validators_word() -> None:
    """12: a time-out that the miner knows nothing of is counted as unproved, never as proved."""
    world = World(miners=2, policy=few_tasks())

    async def play() -> None:
        await world.start_round(1)
        for d in world.open_deliveries():
            if d.key[1] == 0 and d.key[2] == min(world.miners):
                await world.deliver(d, world.abandoned(d, "accept", "timeout"))
            else:
                answer = world.received(d, b"ANSWER: 1")
                await world.deliver(d, world.acceptance(d), answer)
        await world.settle()

    anyio.run(play)
    report = report_of(world.lines, world.log.blobs)
    assert (report.result, report.assumed["unproved_faults"]) == ("clean", 1)


def test_a_quoted_checkpoint_of_this_log_is_fine() -> None:
    """A miner that was shown this very history is a witness for it."""
    world = World(miners=1, policy=few_tasks())

    async def play() -> None:
        await world.start_round(1)
        await world.checkpoint()
        for d in world.open_deliveries():
            state = Forging(world).all(CheckpointSigned)[0].event
            quoted = SignedCheckpoint(size=state.size, root=state.root)
            answer = world.received(d, b"ANSWER: 1", checkpoint=quoted)
            await world.deliver(d, world.acceptance(d), answer)
        await world.settle()

    anyio.run(play)
    assert report_of(world.lines, world.log.blobs).result == "clean"


def test_only_secrets_of_the_chain_are_used() -> None:
    """A reveal that does not link is left out; one that skips a round still proves itself."""
    world = played()
    log = Forging(world)
    first, second, third = (i.event for i in log.all(RoundRevealed))
    log.edit(log.all(RoundRevealed)[1], secret="0" * 64)
    found = anyio.run(revealed_secrets, LineLog(log.lines(), world.log.blobs), 150)
    assert found == {1: first.secret, 3: third.secret}
    log.edit(log.all(RoundRevealed)[1], round=2**53, secret=second.secret)
    found = anyio.run(revealed_secrets, LineLog(log.lines(), world.log.blobs), 150)
    assert found == {1: first.secret, 3: third.secret}


def test_a_jump_of_the_chain_is_bounded() -> None:
    """A block number from nowhere skips no more rounds than a volume has secrets."""
    world = World(miners=1, policy=few_tasks())

    async def play() -> None:
        await world.open()
        await world.block(0, metagraph=True)
        await world.block(2**28)

    anyio.run(play)
    assert len(world.events(RoundSkipped)) == 4096
    assert report_of(world.lines, world.log.blobs).result == "clean"


@pytest.mark.parametrize("kind", [LogOpened, RoundSealed, AnswerReceived])
def test_the_root_is_that_of_the_lines(kind: type) -> None:
    """The report's root is over the stored bytes, so it changes with any of them."""
    world = played()
    size = next(i for i, line in enumerate(world.lines, 1) if isinstance(decode(line).event, kind))
    report = report_of(world.lines[:size], world.log.blobs)
    assert report.checkpoint_root == Tree(leaf_hash(x) for x in world.lines[:size]).root().hex()
