"""A long haystack of source text: the vendored modules, then vendored prose as comments."""

import hashlib
from functools import cache

from quasar.benchmarks import tokenizer
from quasar.benchmarks.corpus import DATA_DIGEST, corpus
from quasar.benchmarks.haystack import fill
from quasar.benchmarks.packs import Text
from quasar.benchmarks.sources import CODE_DIGEST, sources
from quasar.draw import Draw, bulk

NOTE = "# "
"""What makes a line of prose a comment."""


@cache
def codebase() -> Text:
    """About 3 million canonical tokens: first the units of ``sources``, then one a line of prose.

    The prose is counted once a process without being read again: only its first words are.
    """
    more = cache(lambda head: tokenizer.count(NOTE + head) - tokenizer.count(head))
    notes = zip(corpus().units, corpus().tokens, strict=True)
    sizes = [size + more(unit.split(" ", 1)[0]) for unit, size in notes]
    digest = hashlib.sha256(f"{CODE_DIGEST}{DATA_DIGEST}{NOTE}".encode()).hexdigest()
    units = (*sources().units, *(NOTE + unit for unit in corpus().units))
    return Text(digest, units, (*sources().tokens, *sizes))


def arranged(draw: Draw, budget: int) -> list[int]:
    """Numbers of the units that fill a budget of tokens, in order.

    Modules stand in drawn order, each in its own. Prose comes in only where they are used up, and
    then anywhere behind a module.
    """
    own = len(sources().units)
    taken = fill(draw, sources().tokens, budget)
    left = budget - sum(sources().tokens[i] for i in taken)
    notes = fill(draw, codebase().tokens[own:], left) if left * 100 > budget else []
    modules = len(sources().modules)
    rank = draw.shuffled(range(modules))
    behind = bulk(draw.below(2**256).to_bytes(32), "modules", modules, len(notes))
    placed = [(rank[sources().homes[i]], i) for i in taken]
    placed += [(rank[home], own + note) for home, note in zip(behind, notes, strict=True)]
    return [unit for _, unit in sorted(placed)]
