"""Invented function names that look like anyone's: a verb and a noun, none in the source text."""

from functools import cache

from quasar.benchmarks import tokenizer
from quasar.draw import Draw

_VERBS = (
    "adjust align arrange assess balance blend bundle carve cast clip collect combine compress "
    "count cover derive divide draft drop enrich expand extract fetch fill fold gather grade grow "
    "handle hold join judge lift limit mark match measure merge mix move order parse place plan "
    "press rank rate reduce refine render repair resolve route scale score settle shape shift sort "
    "split spread stack stamp store sweep tally trace trim tune turn update verify weigh wrap"
)
_NOUNS = (
    "account anchor area band batch beam block board branch bridge budget card chain chart claim "
    "clock column corner course credit crop cycle depth district edge engine factor field floor "
    "flow gate group heat journal label lane layer level license loan lot market mass meter "
    "model notice office panel patch payment pipe plate plot pool port portfolio price profile "
    "quota range ratio region rent reserve room route season sector series ship shop signal site "
    "slice slot stage station stock stream street supply survey table tax ticket token track trade "
    "train transfer unit volume wall water wave weight wheel wind yield zone"
)

IDENTIFIERS = tuple(f"{verb}_{noun}" for verb in _VERBS.split() for noun in _NOUNS.split())
"""After a blank, each is two canonical tokens."""


def invent(draw: Draw, n: int) -> list[str]:
    """``n`` different ones."""
    return draw.sample(IDENTIFIERS, n)


@cache
def class_names() -> tuple[str, ...]:
    """The same words written as names of classes, those of two canonical tokens after a blank."""
    joined = ("".join(word.capitalize() for word in name.split("_")) for name in IDENTIFIERS)
    return tuple(name for name in joined if tokenizer.count(f" {name}") == 2)


def invent_classes(draw: Draw, n: int) -> list[str]:
    """``n`` different ones."""
    return draw.sample(class_names(), n)
