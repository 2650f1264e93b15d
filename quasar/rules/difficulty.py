"""How hard the next tasks are: a staircase over what all miners together make of each entry.

An entry of the mix moves when its miners have given enough answers since its last move. The
median over miners of their mean accuracies decides: above ``high`` the next level, below ``low``
the one before; an entry that has no such level loses tickets to those that tell miners apart, and
in between it wins them back. Between ``low`` and ``high`` nothing moves, so it does not swing.

The median is why one who answers wrong on purpose makes nothing easier. Sums are of integers, so
the order of answers does not matter; nothing moves before a round is scored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from quasar.benchmarks import FAMILIES
from quasar.events import AnswerScored
from quasar.events.base import Count, Part
from quasar.rules.policy import Mix
from quasar.rules.policy_sections import Adaptive

UNIT = 1_000_000
"""An accuracy of 1.0."""
FULL = 4
"""Quarters of its tickets that an entry has when it tells enough."""
MINERS = 3
"""With fewer the median is one miner's word: nothing moves."""


class Cell(NamedTuple):
    """An entry, as the policy names it: a later policy that has it too goes on from its rung."""

    family: str
    bucket: str
    level: int | None
    metric: str | None
    source: str | None


class Given(NamedTuple):
    """One miner's answers since the last move."""

    answers: int
    sum: int
    """Of accuracies, in ``UNIT``."""


class Rung(Part, frozen=True):
    """Where an entry stands."""

    cell: Cell
    level: Count | None
    quarters: Count = FULL
    """Of its tickets."""
    given: dict[str, Given] = msgspec.field(default_factory=dict)
    """By hotkey."""


@dataclass
class Watched:
    """A drawn round that is not scored."""

    rule: Adaptive
    tasks: list[Cell]
    """By number."""
    given: dict[Cell, dict[str, Given]] = field(default_factory=dict)


@dataclass
class DifficultyState:
    """The fold."""

    rungs: dict[Cell, Rung] = field(default_factory=dict)
    rounds: dict[int, Watched] = field(default_factory=dict)


def cell_of(entry: Mix) -> Cell:
    """The entry without what may change."""
    return Cell(entry.family, entry.bucket, entry.level, entry.metric, entry.source)


def levels_of(family: str) -> int:
    """The highest level of an installed family."""
    return max(1, len(FAMILIES[family].levels)) if family in FAMILIES else 1


def rung_of(state: DifficultyState, entry: Mix) -> Rung:
    """Where an entry stands; at first on the level that the policy gives it."""
    return state.rungs.get(cell_of(entry)) or Rung(cell=cell_of(entry), level=entry.level)


def watch(state: DifficultyState, number: int, rule: Adaptive, tasks: Iterable[Cell]) -> None:
    """A round is drawn."""
    state.rounds[number] = Watched(rule, list(tasks))


def note(state: DifficultyState, score: AnswerScored) -> None:
    """An answer is scored. What only the validator says was missed tells nothing."""
    watched = state.rounds.get(score.round)
    if watched is not None and not score.unproved:
        given = watched.given.setdefault(watched.tasks[score.task], {})
        _add(given, score.hotkey, Given(1, round(score.accuracy * UNIT)))


def settle(state: DifficultyState, number: int) -> None:
    """All answers of a round are scored: its entries move."""
    watched = state.rounds.pop(number, None)
    for cell, given in watched.given.items() if watched else ():
        rung = state.rungs.get(cell) or Rung(cell=cell, level=cell.level)
        together = dict(rung.given)
        for hotkey, more in given.items():
            _add(together, hotkey, more)
        assert watched is not None
        state.rungs[cell] = _moved(watched.rule, rung, together)


def median(given: Iterable[Given]) -> float:
    """Over miners, of their mean accuracies."""
    means = sorted(each.sum / (each.answers * UNIT) for each in given)
    half = len(means) // 2
    return means[half] if len(means) % 2 else (means[half - 1] + means[half]) / 2


def _add(given: dict[str, Given], hotkey: str, more: Given) -> None:
    before = given.get(hotkey, Given(0, 0))
    given[hotkey] = Given(before.answers + more.answers, before.sum + more.sum)


def _moved(rule: Adaptive, rung: Rung, given: dict[str, Given]) -> Rung:
    answers = 0
    for each in given.values():
        answers += each.answers
    if len(given) < MINERS or answers < rule.answers * len(given):
        return Rung(cell=rung.cell, level=rung.level, quarters=rung.quarters, given=given)
    found = median(given.values())
    step = (found > rule.high) - (found < rule.low)
    level = _level(rung, step)
    if step == 0 or level != rung.level:
        return Rung(cell=rung.cell, level=level, quarters=min(FULL, rung.quarters + 1))
    return Rung(cell=rung.cell, level=level, quarters=max(1, rung.quarters - 1))


def _level(rung: Rung, step: int) -> int | None:
    """The next one, if the family has it."""
    if rung.level is None:
        return None
    return min(max(1, rung.level + step), levels_of(rung.cell.family))
