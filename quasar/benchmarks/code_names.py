"""What is swapped in source text: names of its functions and classes, and its long numbers."""

import re
from functools import cache

from quasar.benchmarks.sources import numbers, sources
from quasar.benchmarks.swaps import Swaps

WORD = re.compile(
    r"(?<![\w\x00-\x09\x0b-\x1f\x7f-\U0010ffff])"
    r"(?:[A-Za-z]+_[A-Za-z_]*[A-Za-z]|[A-Z][a-z]+[A-Z][A-Za-z]*[a-z]|[1-9][0-9]{2,4})(?!\w)"
)
"""Names of more than one part, in either style, and numbers of three to five digits.

What stands before is a blank, a line's end or ASCII punctuation: for these ``Swaps`` is exact.
"""
_DEFINED = re.compile(r"^(def|class) (\w+)", re.MULTILINE)


@cache
def swaps() -> Swaps:
    """Groups of functions, of classes and of numbers that may be exchanged.

    Names of one part are left alone: they may be words of prose.
    """
    found: dict[str, dict[str, None]] = {"def": {}, "class": {}}
    for kind, name in _DEFINED.findall("".join(sources().units)):
        if WORD.fullmatch(name):
            found[kind][name] = None
    classes = [name for name in found["class"] if name not in found["def"]]
    long = (str(number) for number in sorted(numbers()))
    return Swaps([list(found["def"]), classes, [text for text in long if WORD.fullmatch(text)]])
