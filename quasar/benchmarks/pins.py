"""One digest per family that changes with any task it makes: for other Pythons and later releases.

``python -c "from quasar.benchmarks.pins import pin; print(pin('hops@1'))"`` prints it.
"""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from itertools import product

import msgspec
from msgspec import Struct

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.family import Family, Instance
from quasar.errors import UsageError

SIZES = (2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 124_000, 512_000, 2_000_000)
"""Lengths that are tried for the smallest, in canonical tokens."""
SEEDS = tuple(sha256(b"pin %d" % i).digest() for i in range(3))
HOTKEYS = tuple(sha256(b"hotkey %d" % i).digest() for i in range(2))


def levels_of(family: Family) -> list[Struct | None]:
    """Parameters of each level; None alone where there is one."""
    return list(family.levels) or [None]


@cache
def smallest(name: str) -> int:
    """The least of SIZES that a family can make at every level. Raises UsageError for none."""
    for tokens in SIZES:
        if all(_makes(FAMILIES[name], tokens, level) for level in levels_of(FAMILIES[name])):
            return tokens
    raise UsageError(f"{name} makes no length of {', '.join(map(str, SIZES))} tokens")


def _makes(family: Family, tokens: int, level: Struct | None) -> bool:
    try:
        return all(family.template(seed, tokens, level).instance(b"").tokens for seed in SEEDS)
    except UsageError:
        return False


def pin(name: str) -> str:
    """SHA-256, hex, over all that a few tasks of each level consist of."""
    family, made = FAMILIES[name], sha256()
    for level, seed in product(levels_of(family), SEEDS):
        template = family.template(seed, smallest(name), level)
        made.update(template.digest.encode())
        for hotkey in HOTKEYS:
            made.update(msgspec.json.encode(list(_said(template.instance(hotkey)))))
    return made.hexdigest()


def _said(instance: Instance) -> Iterator[object]:
    yield [part.text for part in instance.question]
    yield instance.answer
    yield list(instance.references)
    yield sorted(instance.options.items())
    yield sha256(instance.context().encode()).hexdigest()
    yield list(instance.proof)
    yield instance.tokens
