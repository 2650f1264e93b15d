"""What every family of tasks promises, whoever wrote it.

Families that need a source of their own (LongBench) have their tests beside what reads it.
"""

import tracemalloc
from hashlib import sha256

import msgspec
import pytest

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.about import SUPERSEDED, bounds, parameters, purpose, usual_level
from quasar.benchmarks.checking import broken, instances
from quasar.benchmarks.pins import levels_of, smallest
from quasar.cli.task_judge import judge_of
from quasar.errors import UsageError
from quasar.metrics import METRICS, PROGRAM_METRICS
from tests.families import NAMES

ALL = pytest.mark.parametrize("name", NAMES)
FEW_LINES = {"code@1", "factbook@1", "hops@1"}
"""Older ones: fewer than 50 lines differ between two variants."""


@ALL
def test_a_family_says_what_it_is(name: str) -> None:
    """Name and version, a metric that is there, a guess rate, levels of one type, a sentence."""
    family = FAMILIES[name]
    assert family.name == name
    assert (family.metric in METRICS) != (family.metric in PROGRAM_METRICS)
    assert 0.0 <= family.guess_rate < 0.5
    assert len({type(level) for level in family.levels}) <= 1
    assert len(purpose(family)) > 20
    assert family.levels == () or 1 <= (usual_level(family) or 0) <= len(family.levels)


@ALL
def test_tasks_keep_their_promises(name: str) -> None:
    """Exact length, one proof for all variants, decoys, and references that score 1.0."""
    family, tokens = FAMILIES[name], smallest(name)
    judge = judge_of(family.metric, runs_code=family.metric in PROGRAM_METRICS)
    for number, level in enumerate(levels_of(family)):
        found = list(broken(family, tokens, number, level, judge))
        spared = "only " if name in FEW_LINES else "never"
        assert [problem for problem in found if not problem.startswith(spared)] == []


@ALL
def test_hotkeys_get_other_answers(name: str) -> None:
    """Of 12 tasks at most half have the same answer for two hotkeys, such as a distance that the
    template draws."""
    family, tokens = FAMILIES[name], smallest(name)
    pairs = [instances(family, tokens, number) for number in range(12)]
    same = [one.answer for one, other in pairs if one.answer == other.answer]
    assert len(same) <= 6


@ALL
def test_seeds_make_other_tasks(name: str) -> None:
    """Digest and answer follow from seed, size and level, each time anew."""
    family, tokens = FAMILIES[name], smallest(name)
    one, again, other = (
        family.template(sha256(seed).digest(), tokens) for seed in (b"one", b"one", b"other")
    )
    assert one.digest == again.digest != other.digest
    assert one.instance(b"m").answer == again.instance(b"m").answer
    assert one.instance(b"m").context() == again.instance(b"m").context()
    of_levels = [family.template(b"level", tokens, level).digest for level in levels_of(family)]
    assert len(set(of_levels)) == len(of_levels)


@ALL
def test_sizes_out_of_range_are_refused(name: str) -> None:
    """Too few and too many tokens, at the latest when the length is asked for."""
    family, (least, most) = FAMILIES[name], bounds(FAMILIES[name])
    assert least is not None
    assert most is not None
    for tokens in (-1, 0, least - 1, most + 1):
        with pytest.raises(UsageError, match="tokens"):
            family.template(b"seed", tokens)


class Foreign(msgspec.Struct):
    """Parameters of no family."""

    foreign: int = 1


@ALL
def test_foreign_parameters_and_sources_are_refused(name: str) -> None:
    """Parameters of another family, a level too high, an unknown name, a value of another type."""
    family, tokens = FAMILIES[name], smallest(name)
    with pytest.raises(UsageError):
        family.template(b"seed", tokens, Foreign())
    with pytest.raises(UsageError):
        parameters(family, len(family.levels) + 1, {})
    with pytest.raises(UsageError):
        parameters(family, None, {"foreign": "1"})
    for field in msgspec.structs.fields(family.levels[0]) if family.levels else ():
        with pytest.raises(UsageError, match=field.name):
            parameters(family, None, {field.name: "a thousand"})


@ALL
def test_question_and_answer_need_no_context(name: str) -> None:
    """A scorer's work is cheap: never is as much memory taken as a context has, about 8 MB."""
    family = FAMILIES[name]
    longest = min(bounds(family).most or 2_000_000, 2_000_000)
    family.template(b"warm", longest).instance(b"m").answer  # noqa: B018  loads data once
    tracemalloc.start()
    try:
        instance = family.template(b"cheap", longest).instance(b"m")
        assert instance.question
        assert instance.references
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_what_is_superseded_exists() -> None:
    """The list names families of this package."""
    assert set(SUPERSEDED) <= set(FAMILIES)
