"""Invented place names: none occurs in the corpus, each has the same number of tokens."""

from collections.abc import Callable
from functools import cache

from quasar.benchmarks import tokenizer
from quasar.draw import Draw

NAME_TOKENS = 4
"""Canonical tokens of every name at the start of a line."""

_CONSONANTS = (
    "b",
    "br",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "z",
)
_VOWELS = ("a", "e", "i", "o", "u")
_ENDINGS = ("dova", "gund", "lesk", "maur", "nesh", "quil", "rund", "vanth", "vosk", "zamar")


def spell(number: int) -> str:
    """The name of a number; numbers from 0 to NAMES - 1 give all names, each once."""
    number, ending = divmod(number, len(_ENDINGS))
    letters = _ENDINGS[ending]
    for _ in range(2):
        number, vowel = divmod(number, len(_VOWELS))
        number, consonant = divmod(number, len(_CONSONANTS))
        letters = _CONSONANTS[consonant] + _VOWELS[vowel] + letters
    return letters.capitalize()


NAMES = (len(_CONSONANTS) * len(_VOWELS)) ** 2 * len(_ENDINGS)
"""How many names ``spell`` knows, of any token count."""


def invent(draw: Draw, n: int) -> list[str]:
    """``n`` different names of NAME_TOKENS tokens each, for ``n`` of at most 100."""
    return _invent(draw, n, lambda name: tokenizer.count(name) == NAME_TOKENS)


def invent_people(draw: Draw, n: int) -> list[str]:
    """As ``invent``, with NAME_TOKENS tokens after a blank too: such a name may stand anywhere."""

    def fits(name: str) -> bool:
        return tokenizer.count(name) == tokenizer.count(f" {name}") == NAME_TOKENS

    return _invent(draw, n, fits)


MANY = 5_000
"""How many names ``many`` gives at most: some 28 thousand of all names are of its kind."""


def many(draw: Draw, n: int) -> list[str]:
    """``n`` different names of NAME_TOKENS tokens each, at a line's start and after a blank.

    ``n`` is at most MANY. What follows a name never changes that, as long as it is no letter.
    """
    assert n <= MANY, f"{n} names are more than {MANY}"
    numbers: dict[int, None] = {}
    while len(numbers) < n:
        number = draw.below(NAMES)
        if _fits(number):
            numbers[number] = None
    return [spell(number) for number in numbers]


@cache
def _fits(number: int) -> bool:
    name = spell(number)
    return tokenizer.count(name) == tokenizer.count(f" {name}") == NAME_TOKENS


def _invent(draw: Draw, n: int, fits: Callable[[str], bool]) -> list[str]:
    names: list[str] = []
    for _ in range(1000):
        name = spell(draw.below(NAMES))
        if name not in names and fits(name):
            names.append(name)
        if len(names) == n:
            return names
    raise AssertionError(f"1000 draws gave {len(names)} of {n} names")
