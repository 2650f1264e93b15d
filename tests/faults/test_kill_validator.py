"""kill -9 of the validator, again and again; miners and block source live on."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from quasar.cli.identity import demo_validator
from quasar.draw import Draw
from quasar.events import (
    AnswerAbandoned,
    AnswerNotScored,
    AnswerReceived,
    AnswerScored,
    BlockObserved,
    CheckpointSigned,
    RoundOpened,
    RoundRevealed,
    RoundScored,
    RoundSkipped,
    RunStarted,
    TaskAssigned,
    TaskSampled,
)
from quasar.events.envelope import Envelope, decode
from quasar.events.receipt import SignedCheckpoint
from quasar.inference import engine
from quasar.rules.plan import plan_tasks
from quasar.rules.policy import parse
from quasar.rules.scoring import metric
from quasar.rules.secrets import round_seed
from tests.e2e.programs import (
    QUASAR,
    Watcher,
    newest_volume,
    processes_naming,
    run,
    start,
    subnet,
    write_policy,
)

pytestmark = pytest.mark.nats

SEED = 7
KILLS = int(os.environ.get("QUASAR_FAULT_TURNS", "6"))
SPREAD_MS = 300
"""How long after a landmark a kill comes, at most."""
LANDMARKS = (None, "RunStarted", "RoundOpened", "TaskAssigned", "AnswerReceived", "RoundScored")
"""What kills come after, in turn; the first falls into a start."""
BUSY = {
    "round_every_blocks = 75 ": "round_every_blocks = 45 ",
    "max_lag_blocks = 50": "max_lag_blocks = 1_000_000",
    "tasks = 4": "tasks = 8",
}
"""Rounds that follow one another at once, so that kills fall into them, and none is skipped."""
TASKS = 13


def validate(work: Path, url: str, policy: Path, *more: str) -> list[str]:
    """Arguments of ``quasar``."""
    arguments = ["validate", "--chain", url, "--seed", str(SEED), "--policy", str(policy)]
    arguments += ["--state", str(work / "state"), "--out", str(work / "archive")]
    return [*arguments, "--json", *more]


def kill_after(
    landmark: str | None, seconds: float, arguments: list[str], watcher: Watcher, errors: Path
) -> None:
    """Start a validator, and end it as a power cut would, soon after the event."""
    process = start(QUASAR, arguments, errors)
    try:
        if landmark:
            watcher.wait(landmark, process)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(seconds)
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def events_of(archive: Path) -> list[Envelope]:
    return [decode(line) for _, line in newest_volume(archive).lines()]


def unkilled_accuracy(events: list[Envelope], policy: Path) -> dict[tuple[int, int, str], float]:
    """What the miners' engine earns where nothing is ever killed: asked here, in this process."""
    rules, extractive = parse(policy.read_bytes()), engine("extractive")
    blocks = {e.event.number: e.event.hash for e in events if isinstance(e.event, BlockObserved)}
    secrets = {
        e.event.round: bytes.fromhex(e.event.secret)
        for e in events
        if isinstance(e.event, RoundRevealed)
    }
    found = {}
    for opened in [e.event for e in events if isinstance(e.event, RoundOpened)]:
        number = opened.round
        seed = round_seed(secrets[number], blocks[opened.beacon_block])
        for task in plan_tasks(seed, rules):
            for hotkey in opened.participants:
                instance = task.variant(hotkey).instance
                question = "\n".join(part.text for part in instance.question)
                answer = extractive.answer(instance.context(), question, rules.answers.max_bytes)
                found[(number, task.task, hotkey)] = metric(task.metric)(answer, [instance.answer])
    return found


@pytest.mark.timeout(400)
def test_kills_lose_nothing(tmp_path: Path) -> None:
    """Killed at random points and started again, it goes on as if nothing had happened."""
    draw, policy = Draw(b"tests", "kills"), write_policy(tmp_path, **BUSY)
    watcher = Watcher(tmp_path / "archive")
    with subnet(tmp_path, SEED, miners=2) as url:
        arguments = validate(tmp_path, url, policy)
        for life in range(KILLS):
            landmark, after_s = LANDMARKS[life % len(LANDMARKS)], draw.below(SPREAD_MS) / 1000
            kill_after(landmark, after_s, arguments, watcher, tmp_path / "validator.log")
        rounds = watcher.rounds + 1
        last = run(*arguments, "--rounds", str(rounds))
        assert last.code == 0, last.err
    hotkey = demo_validator(SEED).hotkey.ss58_address
    audited = run("audit", str(tmp_path / "archive"), "--hotkey", hotkey, "--json")
    report = json.loads(audited.out)
    assert (audited.code, report["result"], report["disputes"]) == (0, "clean", 0), audited.out
    events = events_of(tmp_path / "archive")
    check_kills_hit(events)
    check_no_slot_twice(events)
    check_rounds(events, rounds)
    check_scores(events, policy)
    check_quoted(events)
    assert processes_naming(str(tmp_path)) == {}


def check_kills_hit(events: list[Envelope]) -> None:
    """The kills fell into the play, at different places."""
    before = [
        type(events[i - 1].event).__name__
        for i, e in enumerate(events)
        if isinstance(e.event, RunStarted) and e.event.run > 1
    ]
    assert len(before) >= KILLS // 2
    assert len(set(before)) >= 2, Counter(before)


def check_no_slot_twice(events: list[Envelope]) -> None:
    slots = Counter(e.key for e in events)
    assert [slot for slot, count in slots.items() if count > 1] == []


def check_rounds(events: list[Envelope], at_least: int) -> None:
    """Every round was opened, sampled and scored; none was skipped."""
    assert [e.event for e in events if isinstance(e.event, RoundSkipped)] == []
    rounds = [e.event.round for e in events if isinstance(e.event, RoundScored)]
    assert rounds == list(range(1, len(rounds) + 1))
    assert len(rounds) >= at_least
    assert len([e for e in events if isinstance(e.event, TaskSampled)]) == TASKS * len(rounds)


def check_scores(events: list[Envelope], policy: Path) -> None:
    """Every assignment has one score, the one that it has without kills."""
    assert [e.event for e in events if isinstance(e.event, AnswerNotScored)] == []
    assert [e.event for e in events if isinstance(e.event, AnswerAbandoned)] == []
    assigned = {
        (e.event.round, e.event.task, e.event.hotkey)
        for e in events
        if isinstance(e.event, TaskAssigned)
    }
    scored = [e.event for e in events if isinstance(e.event, AnswerScored)]
    assert {s.failure for s in scored} == {None}
    accuracy = {(s.round, s.task, s.hotkey): s.accuracy for s in scored}
    assert len(scored) == len(accuracy)
    assert set(accuracy) == assigned
    assert accuracy == unkilled_accuracy(events, policy)


def check_quoted(events: list[Envelope]) -> None:
    """A checkpoint that a miner was shown is an event before its answer."""
    signed: set[SignedCheckpoint] = set()
    for e in events:
        match e.event:
            case CheckpointSigned(size=size, root=root):
                signed.add(SignedCheckpoint(size=size, root=root))
            case AnswerReceived(receipt=receipt):
                assert receipt.checkpoint is None or receipt.checkpoint in signed
