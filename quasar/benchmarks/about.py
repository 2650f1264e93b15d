"""What a person wants to know of a family, and families as a person names them."""

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.family import Family
from quasar.errors import UsageError

SUPERSEDED = {
    "code@1": "it ends at 512,000 tokens; code@2 is the same up to two million",
    "factbook@1": "a search for the question's words finds the answer; factbook@2 leads there",
    "hops@1": "two steps along shared names often hit the answer; ancestors@1 has more of them",
}
"""Families kept for old logs alone: why, and what to take instead."""
SHORT = 40
"""Characters; a sentence of a class that has fewer needs that of its module beside it."""
S = TypeVar("S", bound=Struct)


def find(name: str) -> Family:
    """A family by its name with or without ``@version`` (then the newest).

    Raises UsageError for an unknown one, with names that look like it.
    """
    versions = [known for known in FAMILIES if known.partition("@")[0] == name]
    if name in FAMILIES or versions:
        return FAMILIES[name if name in FAMILIES else max(versions, key=_version)]
    names = sorted({*FAMILIES, *(known.partition("@")[0] for known in FAMILIES)})
    near = get_close_matches(name, names, 3, 0.5)
    hint = f"; near it: {', '.join(near)}" if near else ""
    raise UsageError(f"no task family is called {name!r}{hint}; `quasar task list` has all")


def _version(name: str) -> int:
    version = name.partition("@")[2]
    return int(version) if version.isdecimal() else -1


def purpose(family: Family) -> str:
    """What it measures, in a sentence: of its module, its class or both."""
    own, module = type(family).__doc__ or "", sys.modules[type(family).__module__].__doc__ or ""
    said = _sentence(module.partition("``: ")[2] or module)
    if own.startswith("The family"):
        return said
    return _sentence(own) if len(_sentence(own)) >= SHORT else f"{_sentence(own)}: {said}"


def _sentence(text: str) -> str:
    first = " ".join(text.split("\n\n")[0].split()).partition(". ")[0]
    return first.rstrip(".").replace("``", "")


class Bounds(NamedTuple):
    """Lengths that a family makes, in canonical tokens."""

    least: int | None
    most: int | None


def bounds(family: Family) -> Bounds:
    """As the family or its module states them; None where neither does."""
    module = sys.modules[type(family).__module__]
    least = getattr(family, "min_tokens", getattr(module, "MIN_TOKENS", None))
    return Bounds(least, getattr(family, "max_tokens", getattr(module, "MAX_TOKENS", None)))


def usual_level(family: Family) -> int | None:
    """The level, from 1, of a task that names none; None where there is one alone."""
    return getattr(family, "usual", 1) if family.levels else None


def parameters(family: Family, level: int | None, values: Mapping[str, str]) -> Struct | None:
    """Those of a level (None: the usual one), some of them set by hand.

    Raises UsageError for a level, name or value that the family does not have.
    """
    if not family.levels:
        if level is not None or values:
            raise UsageError(f"{family.name} has no levels or parameters: leave them out")
        return None
    if level is not None and not 1 <= level <= len(family.levels):
        raise UsageError(f"{family.name} has levels 1 to {len(family.levels)}, not {level}")
    chosen = family.levels[(level or usual_level(family) or 1) - 1]
    return _changed(family.name, chosen, values) if values else chosen


def _changed(name: str, chosen: S, values: Mapping[str, str]) -> S:
    known = [field.name for field in msgspec.structs.fields(chosen)]
    for unknown in [key for key in values if key not in known]:
        raise UsageError(f"{name} has no parameter {unknown!r}; it has {', '.join(known)}")
    try:
        old = {key: getattr(chosen, key) for key in known}
        return msgspec.convert({**old, **values}, type(chosen), strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        said = ", ".join(f"{key}={value}" for key, value in values.items())
        raise UsageError(f"{name} cannot take {said}: {error}") from None
