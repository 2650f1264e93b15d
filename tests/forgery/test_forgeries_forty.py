"""The forty forgeries of the threat model: where each is named, and those that a log shows."""

from pathlib import Path

import anyio
import msgspec
import pytest

from quasar.events import (
    AnswerAbandoned,
    AnswerReceived,
    Evidence,
    PolicyAdopted,
    RoundRevealed,
    RunStarted,
    TaskAccepted,
    WeightsComputed,
)
from quasar.log.archive import ArchiveLog
from quasar.log.blobs import MemoryBlobs
from quasar.replay import audit
from quasar.rules.sampling import SamplingRule
from quasar.rules.secrets import SecretChain
from tests.builders import Play, World
from tests.forgery import cases
from tests.forgery.cases import CASES, Case
from tests.forgery.cases_rounds import ROUND_CASES
from tests.forgery.edits import EDITS, Edit
from tests.forgery.honest import recorded
from tests.forgery.kit import Forger, place_of
from tests.forging import (
    Forging,
    few_tasks,
    first_is,
    in_round,
    played,
    report_of,
    tried,
    write_archive,
)

ROOT = Path(__file__).parents[2]
ALONE = [*CASES, *ROUND_CASES]
ELSEWHERE = {
    11: "tests/unit/test_diff.py",
    12: "tests/forgery/test_forgeries_miners.py",
    14: "tests/unit/test_diff.py",
    18: "replay/README.md",
    20: "replay/README.md",
    23: "tests/unit/test_audit_chain.py",
    25: "tests/unit/test_audit_chain.py",
    26: "tests/unit/test_audit_chain.py",
    34: "tests/unit/test_volumes.py",
    35: "tests/unit/test_audit_chain.py",
    36: "tests/e2e/test_reexecute.py",
    40: "tests/unit/test_fork.py",
}
"""Forgeries that need a witness besides the log, or that nothing shows: who says so."""
HERE = {10, *(case.number for case in ALONE), *(edit.number for edit in EDITS)}


@pytest.mark.parametrize("number", range(1, 41))
def test_every_forgery_has_its_place(number: int) -> None:
    """Each of the forty is named by a test here or elsewhere, or stands as a limit."""
    if number not in HERE:
        assert (ROOT / ELSEWHERE[number]).exists()


@pytest.mark.parametrize("case", ALONE, ids=lambda c: f"{c.number:02} {c.name}")
def test_a_recomputed_forgery_is_named(case: Case) -> None:
    """Whatever the rules make of the edit afterwards, the edit itself stands out first."""
    forger = Forger(recorded())
    slot = case.forge(forger)
    lines = forger.lines()
    report = report_of(lines, forger.world.log.blobs)
    first_is(report, place_of(lines, slot), case.level, case.words)


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: f"{e.number:02} {e.name}")
def test_a_forgery_by_hand_is_named(edit: Edit) -> None:
    """Events moved, dropped or added, where the rules refuse to follow."""
    log = Forging(played())
    named = edit.forge(log)
    first_is(report_of(log.lines(), log.world.log.blobs), log.place(named), edit.level, edit.words)


def test_nothing_forged_is_the_honest_log() -> None:
    """The replayer alone changes no byte."""
    assert Forger(recorded()).lines() == recorded().lines


def test_only_the_forged_accuracy_is_wrong() -> None:
    """2: means and rows that follow from a forged score agree with it, so it stands alone."""
    forger = Forger(recorded())
    cases.accuracy(forger)
    report = report_of(forger.lines(), forger.world.log.blobs)
    assert report.findings == 1
    assert report.first_divergence is not None
    assert report.first_divergence.field == "accuracy"
    assert report.first_divergence.recorded == "1.0"
    assert report.first_divergence.recomputed == "0.0"


def test_a_policy_from_the_start_is_named_by_the_miners() -> None:
    """3: all is recomputed under another policy; only receipts that quote a root tell of it."""
    forger = Forger(recorded(quoting=True))
    toml = cases.other_policy(forger)
    forger.edit(forger.fact(PolicyAdopted), toml=toml)
    lines = forger.lines()
    first = forger.fact(AnswerReceived, lambda e: e.receipt.checkpoint is not None)
    report = report_of(lines, forger.world.log.blobs)
    first_is(report, place_of(lines, first.event.slot), "receipts", "another history")


def test_a_policy_after_the_answers_weighs_nothing_of_them() -> None:
    """4: adopted when the answers are known, it rules the next round and no mean before."""
    forger = Forger(recorded())
    toml = forger.world.log.blobs.put(few_tasks(**{"ema_alpha = 0.1": "ema_alpha = 1.0"}))
    adopted = PolicyAdopted(number=2, name="readme-v1", toml=toml)
    last = forger.last(AnswerReceived, in_round(1))
    forger.insert(last, adopted, "supervisor").led_by = ""
    lines = forger.lines()
    report = report_of(lines, forger.world.log.blobs)
    assert report.result == "clean", report.first_divergence
    row = next(line for line in lines if b'"type":"WeightsComputed","epoch":2' in line)
    honest = forger.decision(WeightsComputed, lambda e: e.epoch == 2)
    assert msgspec.json.encode(honest.weights) in row


def test_a_lost_answer_is_disputed() -> None:
    """10: the miner's next receipt names the one that the log does not have."""
    forger = Forger(recorded())
    fact = forger.fact(AnswerReceived, lambda e: cases.rival(e) and e.round == 2)
    e = fact.event
    fact.event = AnswerAbandoned(
        round=e.round,
        task=e.task,
        hotkey=e.hotkey,
        attempts=1,
        evidence=Evidence(stage="answer", code="timeout", bytes=0, elapsed_ms=1),
        refusal=None,
        signature=None,
    )
    report = report_of(forger.lines(), forger.world.log.blobs)
    assert (report.result, report.disputes) == ("clean", 1), report.first_divergence


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


def test_a_duplicate_key_is_named() -> None:
    """39: a line that decodes to the same event and is not what a log writes."""
    lines = played().lines
    lines[30] = lines[30].replace(b'"actor":', b'"actor":"x","actor":', 1)
    first_is(report_of(lines, played().log.blobs), 31, "structure", "not canonical")


def test_a_restart_excuses_another_attempt() -> None:
    """After a crash the validator asks again, also a miner that had accepted."""
    log = Forging(played())
    accepted = log.one(TaskAccepted)
    run = msgspec.structs.replace(log.one(RunStarted).event, run=2)
    log.add(log.add(accepted, run, "supervisor"), tried(log.one(AnswerReceived)), accepted.actor)
    report = report_of(log.lines(), log.world.log.blobs)
    assert report.result == "clean", report.first_divergence


RESIGNED = {1, 5, 28, 31}


@pytest.mark.parametrize(
    "case", [c for c in ALONE if c.number in RESIGNED], ids=lambda c: f"{c.number:02} {c.name}"
)
def test_a_forged_archive_is_named(case: Case, tmp_path: Path) -> None:
    """The same in a whole archive with new segments, tiles and signatures."""
    forger = Forger(recorded())
    slot = case.forge(forger)
    lines = forger.lines()
    folder = write_archive(tmp_path / "forged", forger.world, lines)
    report = anyio.run(audit, ArchiveLog(folder))
    first_is(report, place_of(lines, slot), case.level, case.words)
