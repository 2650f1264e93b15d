"""RULER's needles in a haystack of noise or real text, so that no search by words finds them.

One line about each person tells what they do and keep, another one which number is theirs. The
question names the person by trade and pet, in words that no line has ("the cobbler who keeps
bees"): one has to know who puts soles under boots, learn the name, and find its number. Each line
names somebody else too, in any order, and each name stands equally often in each kind of line.

These are the tasks ``niah_single_1`` to ``3``, ``multikey_1``, ``multivalue`` and ``multiquery``
(Hsieh et al. 2024), with their haystacks, kinds of values and numbers of needles; ``multikey_2``
and ``3`` are in ``ruler_needles``. They measure finding by meaning and one to three steps from
line to line, not secrecy of method: a program that knows these wordings and traits solves them.
"""

from typing import Annotated

from msgspec import Meta, Struct

from quasar.benchmarks import values
from quasar.benchmarks.families.ruler_people import Links, Niah, Shape
from quasar.benchmarks.families.ruler_wordings import BOTH
from quasar.benchmarks.noise import InNoise


class Single(Struct, frozen=True):
    """One needle is asked for, and no two people have the same trade."""

    people: Annotated[int, Meta(ge=55, le=74)] = 70
    links: Links = 0


class NiahSingle2(Niah[Single]):
    """Finding one number by a description in other words, in real text."""

    name = "ruler.niah_single_2@1"
    guess_rate = 1 / 140
    levels = (Single(), Single(links=1), Single(links=2))

    def shape(self, parameters: Single) -> Shape:
        return Shape(parameters.people, links=parameters.links)


class NiahSingle1(InNoise, NiahSingle2):
    """Finding one number by a description in other words, in noise."""

    name = "ruler.niah_single_1@1"


class NiahSingle3(NiahSingle2):
    """Finding one UUID by a description in other words, in real text."""

    name = "ruler.niah_single_3@1"
    guess_rate = 1 / 120
    levels = (Single(60), Single(60, links=1), Single(60, links=2))
    value = staticmethod(values.uuid)
    form = "the number, letters and hyphens included"


class Keys(Struct, frozen=True):
    """One needle is asked for; ``keys`` people have its trade, and other pets."""

    people: Annotated[int, Meta(ge=55, le=84)] = 72
    keys: Annotated[int, Meta(ge=2, le=16)] = 4
    links: Links = 0


class NiahMultikey1(Niah[Keys]):
    """Finding one number by a description, among people of the same trade, in real text."""

    name = "ruler.niah_multikey_1@1"
    guess_rate = 1 / 144
    levels = (Keys(), Keys(keys=8), Keys(keys=12, links=1))

    def shape(self, parameters: Keys) -> Shape:
        return Shape(parameters.people, parameters.keys, links=parameters.links)


class Values(Struct, frozen=True):
    """All numbers of one person are asked for; they stand on different lines, two on each."""

    people: Annotated[int, Meta(ge=52, le=56)] = 52
    values: Annotated[int, Meta(ge=4, le=6, multiple_of=2)] = 4
    links: Annotated[int, Meta(ge=0, le=2)] = 0


class NiahMultivalue(Niah[Values]):
    """Finding all numbers of one person, on several lines of real text."""

    name = "ruler.niah_multivalue@1"
    metric = "set_exact@1"
    guess_rate = 0.0
    levels = (Values(), Values(links=1), Values(values=6, links=1))
    about = "Everybody in it has {n} numbers. Which are those of"
    form = "the {n} numbers with commas between them"
    wordings = BOTH

    def shape(self, parameters: Values) -> Shape:
        return Shape(parameters.people, values=parameters.values, links=parameters.links)


class Queries(Struct, frozen=True):
    """Several people are asked for at once."""

    people: Annotated[int, Meta(ge=55, le=74)] = 70
    queries: Annotated[int, Meta(ge=2, le=8)] = 4
    links: Links = 0


class NiahMultiquery(Niah[Queries]):
    """Finding the numbers of several people, in real text."""

    name = "ruler.niah_multiquery@1"
    metric = "set_exact@1"
    guess_rate = 0.0
    about = "Everybody in it has one valid number. Which are the numbers of these people:"
    form = "the {n} numbers with commas between them"
    levels = (Queries(queries=2), Queries(), Queries(queries=6, links=1))

    def shape(self, parameters: Queries) -> Shape:
        return Shape(parameters.people, queries=parameters.queries, links=parameters.links)
