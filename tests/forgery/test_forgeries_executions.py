"""Records of programs that ran: of another text, other cases, or another number of runs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest

from quasar.events import AnswerScored, CodeExecuted
from tests.code_round import code_policy, first_case, older
from tests.forgery.honest import SUBMISSIONS, ran
from tests.forgery.kit import Forger
from tests.forging import Forging, event_of, first_is, report_of

Replace = Callable[[CodeExecuted], Any]


def changed(**changes: Any) -> Replace:
    return lambda run: msgspec.structs.replace(run, **changes)


class Case(NamedTuple):
    """A forged record, and how it must be named. ``twice``: of a program that ran twice."""

    name: str
    twice: bool
    forge: Replace
    words: str


CASES_OF = "on other cases than the hidden ones"
CUT: dict[str, Any] = {"status": "timeout", "output": None, "execution_time_ms": 0}
NOBODY = "who ran it, or for how long"
FORGED = [
    Case("text", False, changed(code="0" * 64), "another text ran"),
    Case("input", False, first_case(input="0" * 64), CASES_OF),
    Case("no-input", False, first_case(input=None), CASES_OF),
    Case("fewer", False, lambda run: changed(cases=run.cases[1:])(run), CASES_OF),
    Case("more", False, lambda run: changed(cases=[*run.cases, run.cases[0]])(run), CASES_OF),
    Case("order", False, lambda run: changed(cases=run.cases[::-1])(run), CASES_OF),
    Case("left-out", True, changed(again=None), "the seed chose a second run"),
    Case("invented", False, lambda run: changed(again=run.cases)(run), "chose no second run"),
    Case("empty-again", True, changed(again=[]), CASES_OF),
    Case("again-input", True, first_case("again", input="0" * 64), CASES_OF),
    Case("again-fewer", True, lambda run: changed(again=run.cases[1:])(run), CASES_OF),
    Case("value-of-failure", False, first_case(status="timeout"), "if, and only if, it is ok"),
    Case("no-value", True, first_case("again", output=None), "if, and only if, it is ok"),
    Case("no-driver", False, changed(driver=None), NOBODY),
    Case("no-python", False, changed(python=None), NOBODY),
    Case("no-time", True, first_case("again", cpu_time_ms=None), NOBODY),
    Case("cut-short", False, first_case(**CUT), "its miner had time left"),
    Case("again-cut-short", True, first_case("again", **CUT), "its miner had time left"),
    Case("older", False, older, "lacks what its policy asks for"),
    Case("no-text", False, changed(code=None), "lacks what its policy asks for"),
]


@pytest.mark.parametrize("case", FORGED, ids=lambda c: c.name)
def test_a_record_that_cannot_be(case: Case) -> None:
    """It is named, whatever score was made of it."""
    log = Forging(ran())
    item = log.one(CodeExecuted, lambda run: (run.again is not None) == case.twice)
    item.event = case.forge(item.event)
    report = report_of(log.lines(), log.world.log.blobs)
    first = report.first_divergence
    assert first is not None
    assert (first.seq, first.level) == (log.place(item), "scores")
    assert case.words in first.reason


def test_the_honest_one_is_clean() -> None:
    """Some ran twice, some once, and nothing is left open."""
    report = report_of(ran().lines, ran().log.blobs)
    assert report.result == "clean"
    twice = [run for run in ran().events(CodeExecuted) if run.again is not None]
    assert 0 < len(twice) < SUBMISSIONS
    assert not any("too old" in words for words in report.not_checked)


BLOB = "a blob"
"""Stands for one that the world holds, with another value."""
SECOND = [
    ("value", {"output": BLOB}, True),
    ("error", {"status": "error", "output": None}, True),
    ("forbidden", {"status": "forbidden", "output": None}, True),
    ("flood", {"status": "output_limit", "output": None}, True),
    ("timeout", {"status": "timeout", "output": None}, False),
    ("memory", {"status": "oom", "output": None}, False),
    ("crash", {"status": "crashed", "output": None}, False),
    ("slower", {"cpu_time_ms": 900, "execution_time_ms": 1000}, False),
]


@pytest.mark.parametrize(("changes", "proves"), [s[1:] for s in SECOND], ids=[s[0] for s in SECOND])
def test_a_second_run_that_ends_otherwise(changes: dict[str, Any], proves: bool) -> None:
    """Two ends that the code chose contradict each other: it earns nothing. A machine's prove
    nothing. The audit finds the same."""
    forger = Forger(ran())
    fact = forger.fact(CodeExecuted, lambda run: run.again is not None)
    blobs = forger.world.log.blobs
    if changes.get("output") is BLOB:
        changes = changes | {"output": blobs.put(b"8")}
    fact.event = first_case("again", **changes)(fact.event)
    lines = forger.lines()
    assert report_of(lines, blobs).result == "clean"
    scores = [e for e in map(event_of, lines) if isinstance(e, AnswerScored)]
    assert {score.failure for score in scores} == {None, "nondeterministic" if proves else None}
    place = (fact.event.task, fact.event.hotkey)
    assert all((s.task, s.hotkey) == place and not s.accuracy for s in scores if s.failure)


def test_records_of_an_older_program() -> None:
    """Where no policy asks for more they are taken, and it is said what they cannot tell."""
    world = ran(code_policy())
    log = Forging(world)
    for item in log.all(CodeExecuted):
        item.event = older(item.event)
    report = report_of(log.lines(), world.log.blobs)
    assert report.result == "clean", report.first_divergence
    (words,) = [words for words in report.not_checked if "too old" in words]
    assert words.startswith(f"{SUBMISSIONS} programs")


def test_an_older_record_behind_a_newer_one() -> None:
    """Whoever wrote it could not have read the log: a way around the second run."""
    world = ran(code_policy())
    log = Forging(world)
    item = log.all(CodeExecuted)[1]
    item.event = older(item.event)
    first_is(report_of(log.lines(), world.log.blobs), log.place(item), "lifecycle", "older record")


def test_cases_that_never_ran() -> None:
    """They stand where the miner's time is used up, and the audit adds it up too."""
    world = ran()
    log = Forging(world)
    item = log.one(CodeExecuted, lambda run: run.again is None)
    long = first_case(execution_time_ms=300_000)(item.event)
    *most, last = long.cases
    item.event = msgspec.structs.replace(long, cases=[*most, msgspec.structs.replace(last, **CUT)])
    assert report_of(log.lines(), world.log.blobs).result == "clean"
    hurried = first_case(execution_time_ms=299_000)(item.event)
    item.event = hurried
    report = report_of(log.lines(), world.log.blobs)
    first_is(report, log.place(item), "scores", "its miner had time left")
