"""The known limit of each family: a program that was written for its public wordings."""

import subprocess
import sys

import pytest

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.about import SUPERSEDED
from quasar.benchmarks.checking import asked, instances, parsed
from quasar.benchmarks.family import Family
from quasar.benchmarks.parsers import PARSERS, Parser, parser_of
from quasar.benchmarks.pins import levels_of, smallest
from quasar.cli.task_judge import judge_of
from quasar.metrics import PROGRAM_METRICS
from tests.families import NAMES

WITHOUT_SOURCE = [name for name in NAMES if name not in SUPERSEDED]


def read(family: Family) -> Parser:
    """The parser of a family that has one."""
    found = parser_of(family.name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", WITHOUT_SOURCE)
def test_a_parser_knows_every_wording(name: str) -> None:
    """It earns all of a task at each level, so what ``quasar task check`` reports is no guess."""
    family, tokens = FAMILIES[name], smallest(name)
    judge = judge_of(family.metric, runs_code=family.metric in PROGRAM_METRICS)
    for level in levels_of(family):
        assert parsed(family, 1, tokens, judge, read(family), level) == 1.0


@pytest.mark.parametrize("name", WITHOUT_SOURCE)
def test_a_parser_reads_the_context(name: str) -> None:
    """With the context of another hotkey, no parser finds the answer of the first one."""
    one, other = instances(FAMILIES[name], smallest(name), 1)
    try:
        answer = read(FAMILIES[name])(asked(one), other.context())
    except (LookupError, ValueError):
        answer = ""
    assert answer != read(FAMILIES[name])(asked(one), one.context())


def test_a_parser_that_fails_earns_nothing() -> None:
    """Of two tasks, one that it cannot read counts as wrong."""
    family, tokens = FAMILIES["latest@1"], smallest("latest@1")
    parser, unread = read(family), asked(instances(family, tokens, 1)[0])

    def forgetful(question: str, context: str) -> str:
        if question == unread:
            raise LookupError(question)
        return parser(question, context)

    judge = judge_of(family.metric, runs_code=False)
    assert parsed(family, 2, tokens, judge, forgetful) == 0.5


def test_nobody_imports_parsers_by_accident() -> None:
    """Neither families nor the command that checks them do; a foreign family has none."""
    command = "import sys, quasar.cli.task_check; print([*sys.modules])"
    modules = subprocess.check_output([sys.executable, "-c", command], text=True)
    assert "quasar.benchmarks.parsers'" in modules
    assert "quasar.benchmarks.parsers." not in modules
    assert set(PARSERS) <= set(NAMES)
    assert parser_of("foreign@1") is None
