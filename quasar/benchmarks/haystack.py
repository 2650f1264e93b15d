"""Fills a budget of tokens with whole units in drawn order."""

from collections.abc import Sequence

from quasar.draw import Draw


def fill(draw: Draw, sizes: Sequence[int], budget: int) -> list[int]:
    """Numbers of the units taken, in drawn order; none is taken twice.

    A drawn unit is taken if it still fits. Draws end when at most 1 % of the budget is left
    (or no unit is). Work is linear in the units drawn: a shuffle that stops early.
    """
    pool = list(range(len(sizes)))
    taken: list[int] = []
    left = budget
    for i in range(len(pool)):
        if left * 100 <= budget:
            break
        j = i + draw.below(len(pool) - i)
        pool[i], pool[j] = pool[j], pool[i]
        if sizes[pool[i]] <= left:
            taken.append(pool[i])
            left -= sizes[pool[i]]
    return taken
