"""Programs: what the sandbox gave may only be recorded for one that came in time, and once."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import pytest

from quasar.events import (
    AnswerReceived,
    AnswerScored,
    CodeExecuted,
    ExecutionAbandoned,
    Fault,
    RoundRevealed,
)
from tests.forgery.honest import programs
from tests.forgery.kit import Forger, place_of
from tests.forging import Forging, Item, first_is, report_of

Forge = Callable[[Forger], str]


class Case(NamedTuple):
    """A forgery, and how it must be named."""

    name: str
    forge: Forge
    level: str
    words: str


def run_before_the_reveal(f: Forger) -> str:
    ran = f.fact(CodeExecuted)
    ran.led_by = "sealed.1"
    return str(ran.event.slot)


def abandoned(fault: Fault) -> Forge:
    """A rival's program is said not to have run, by somebody's fault."""

    def forge(f: Forger) -> str:
        fact = f.fact(CodeExecuted)
        e = fact.event
        fact.event = ExecutionAbandoned(
            round=e.round, task=e.task, hotkey=e.hotkey, fault=fault, reason="x"
        )
        return str(e.slot)

    return forge


CASES = [
    Case("before the reveal", run_before_the_reveal, "lifecycle", "than its round's reveal"),
    Case("blamed on the miner", abandoned(Fault.MINER), "lifecycle", "the sandbox's failure"),
    Case("blamed on the chain", abandoned(Fault.CHAIN), "lifecycle", "the sandbox's failure"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_forged_execution_is_named(case: Case) -> None:
    """Whatever the rules would make of it."""
    forger = Forger(programs())
    slot = case.forge(forger)
    lines = forger.lines()
    first_is(
        report_of(lines, forger.world.log.blobs), place_of(lines, slot), case.level, case.words
    )


def run_in_place_of(log: Forging, answer: AnswerReceived) -> Item:
    """A program of this answer is made to have run, right after the reveal."""
    ran = log.one(CodeExecuted).event
    revealed = log.one(RoundRevealed)
    event = msgspec.structs.replace(ran, task=answer.task, hotkey=answer.hotkey)
    item = log.add(revealed, event, "sandbox-executor")
    item.seq, item.cause = 9999, revealed.seq
    return item


def test_a_late_program_is_not_run() -> None:
    """A run that is slipped in before the zero is written does not take the zero's place."""
    log = Forging(programs())
    late = log.one(AnswerReceived, lambda e: e.elapsed_ms > e.deadline_ms).event
    item = run_in_place_of(log, late)
    score = log.edit(log.one(AnswerScored, lambda e: e.failure == "late"), failure=None)
    score.cause = item.seq
    report = report_of(log.lines(), log.world.log.blobs)
    first_is(report, log.place(item), "lifecycle", "did not come in time")
    assert (log.place(score), "scores") in [(f.seq, f.level) for f in report.listed]


def test_an_answer_in_words_is_not_run() -> None:
    """Only answers to tasks in code are programs."""
    log = Forging(programs())
    code = log.one(CodeExecuted).event
    item = run_in_place_of(log, log.one(AnswerReceived, lambda e: e.task != code.task).event)
    report = report_of(log.lines(), log.world.log.blobs)
    first_is(report, log.place(item), "lifecycle", "that nobody was asked for")


def test_fewer_cases_are_named() -> None:
    """A program is judged by all its hidden cases: the failed ones cannot be left out."""
    log = Forging(programs())
    item = log.one(CodeExecuted)
    log.edit(item, cases=item.event.cases[:1])
    report = report_of(log.lines(), log.world.log.blobs)
    first_is(report, log.place(item), "scores", "other cases than the hidden ones")


def test_a_sandbox_that_failed_is_no_finding() -> None:
    """Nothing but another validator's log tells whether it did: no zero comes of it."""
    forger = Forger(programs())
    abandoned(Fault.SANDBOX)(forger)
    report = report_of(forger.lines(), forger.world.log.blobs)
    assert report.result == "clean", report.first_divergence
