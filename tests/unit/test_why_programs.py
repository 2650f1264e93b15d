"""What `quasar why` tells of a program that ran."""

from functools import partial

import anyio
import pytest

from quasar.benchmarks.families.code_cases import CASES
from quasar.cli.why_words import show
from quasar.events import CodeExecuted
from quasar.replay.why import Why, why
from quasar.replay.why_found import ScoredAnswer
from tests.builders import LineLog, World
from tests.code_round import first_case
from tests.forgery.honest import ran
from tests.forgery.kit import Forger


def program_of(found: Why) -> ScoredAnswer:
    """Its answer in code."""
    (answer,) = [a for earned in found.rounds for a in earned.answers if a.cases]
    return answer


def explained(world: World, lines: list[bytes], hotkey: str) -> Why:
    return anyio.run(partial(why, LineLog(lines, world.log.blobs), hotkey))


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_each_case_is_shown(twice: bool) -> None:
    """Its end, its time, whether it passed, and what a second run gave."""
    run = next(r for r in ran().events(CodeExecuted) if (r.again is not None) == twice)
    answer = program_of(explained(ran(), ran().lines, run.hotkey))
    assert len(answer.cases) == CASES
    case = answer.cases[0]
    assert (case.status, case.passed) == ("ok", False)
    assert (case.execution_time_ms, case.cpu_time_ms) == (2, 1)
    assert (case.again, case.same) == (("ok", True) if twice else (None, None))


def test_a_contradiction_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The failure follows from the two runs, and one line says so."""
    forger = Forger(ran())
    fact = forger.fact(CodeExecuted, lambda run: run.again is not None)
    fact.event = first_case("again", status="error", output=None)(fact.event)
    found = explained(ran(), forger.lines(), fact.event.hotkey)
    assert program_of(found).failure == "nondeterministic"
    assert found.differences == []
    show(found)
    shown = capsys.readouterr().out
    assert f"0 of {CASES} cases passed, {CASES} another value; 2 to 2 ms each" in shown
    assert "a second run: 1 end otherwise" in shown


def test_a_case_that_never_ran_is_no_slow_one(capsys: pytest.CaptureFixture[str]) -> None:
    """The record has no words for it but a timeout of no time."""
    forger = Forger(ran())
    fact = forger.fact(CodeExecuted, lambda run: run.again is None)
    ended = first_case(status="timeout", output=None, execution_time_ms=0, cpu_time_ms=0)
    fact.event = ended(fact.event)
    show(explained(ran(), forger.lines(), fact.event.hotkey))
    shown = " ".join(capsys.readouterr().out.split())
    assert f"1 not run (no time left), {CASES - 1} another value; 0 to 2 ms each" in shown


def test_a_failure_that_does_not_follow_is_named() -> None:
    """Two runs that agree are no reason to score nothing."""
    forger = Forger(ran())
    run = forger.fact(CodeExecuted, lambda run: run.again is not None).event
    scored = next(e for e in forger.decided if e.slot == f"score.1.{run.task}.{run.hotkey}")
    forger.impose(scored, failure="nondeterministic")
    found = explained(ran(), forger.lines(), run.hotkey)
    assert [(d.what, d.recorded) for d in found.differences] == [("failure", "nondeterministic")]
