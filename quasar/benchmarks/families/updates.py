"""Histories: several lines about one key, of which the last true one holds.

A line states a value, or it only seems to: it plans, denies, dreams or asks. Which line of a key
is the last true one is drawn flat over its lines, so neither the first mention nor the last is
right more often than any other; and each value stands on as many lines as any other.
"""

from collections.abc import Sequence

from msgspec import Struct

from quasar.draw import Draw


class Update(Struct, frozen=True):
    """One line about a key."""

    key: int
    value: int
    holds: bool
    """Whether it was really so."""
    wording: int
    """Of the true wordings, or of the others."""


def histories(
    draw: Draw, keys: int, lines: int, wordings: tuple[int, int], values_a_key: int = 1
) -> list[list[Update]]:
    """For each key ``lines`` lines in order, with different values below ``keys * values_a_key``.

    ``lines`` is a multiple of ``values_a_key``: so values stand equally often.
    ``wordings``: how many there are for what holds, and for what does not.
    """
    values = draw.shuffled(range(keys * values_a_key))
    steps = draw.sample(range(keys), lines // values_a_key)
    shifts = [values_a_key * step + rest for step in steps for rest in range(values_a_key)]
    found = list[list[Update]]()
    for key in range(keys):
        first = key * values_a_key
        stated = [values[(first + shift) % len(values)] for shift in shifts]
        found.append(_history(draw, key, stated, wordings))
    return found


def _history(
    draw: Draw, key: int, values: Sequence[int], wordings: tuple[int, int]
) -> list[Update]:
    last = draw.below(len(values))
    found = list[Update]()
    for i, value in enumerate(draw.shuffled(values)):
        holds = i == last or (i < last and draw.below(2) == 0)
        found.append(Update(key, value, holds, draw.below(wordings[0 if holds else 1])))
    return found


def latest(updates: Sequence[Update]) -> int:
    """The value that holds after all these lines about one key."""
    return [update.value for update in updates if update.holds][-1]


def interleaved(draw: Draw, lengths: Sequence[int]) -> list[int]:
    """Whose line stands at each place: number i as often as it has lines, in drawn order."""
    return draw.shuffled([i for i, length in enumerate(lengths) for _ in range(length)])
