"""Small real functions that call one other function: their text with places for new names."""

import re
from functools import cache
from typing import NamedTuple

from quasar.benchmarks.sources import sources

LONGEST = 300
"""Characters of a function without its documentation, at most."""

_FUNCTION = re.compile(r"def ([a-z]\w*)\(([^()*\n]*)\):\n((?:(?:    .*)?\n)+)")
_DOCUMENTATION = re.compile(r'\A    r?""".*?"""\n\n?', re.DOTALL)
_CALL = re.compile(r"(?<![\w.])(?<!raise )([A-Za-z_]\w*)\(")
_PLAIN = (
    "and assert await bool bytes del dir divmod elif enumerate except for getattr globals hasattr "
    "if in int is isinstance issubclass len list map max min next not open or ord print range "
    "raise repr return set setattr sorted str sum super tuple type while yield"
)
"""What may stand before a parenthesis and is no function of the document."""


class Host(NamedTuple):
    """A function of the source text, cut around its name, its parameters and its call."""

    name: str
    """What it is really called."""
    parameters: str
    """As it has them, such as ``path, mode='r'``; may be empty."""
    before: str
    """Its body up to the call; ends with a blank."""
    after: str
    """Its body from the parenthesis of the call on."""

    def source(self, name: str, parameter: str, default: int, called: str) -> str:
        """The function with another name, one more parameter, and another function called."""
        own = f"{self.parameters}, " if self.parameters else ""
        head = f"def {name}({own}{parameter}={default}):\n"
        return f"{head}{self.before}{called}{self.after}"


@cache
def hosts() -> tuple[Host, ...]:
    """All that have one such call, behind a blank, and no comments; their documentation is cut.

    Those with a function inside, or a call inside text ("no active ..."), are left out.
    """
    matches = filter(None, map(_FUNCTION.fullmatch, sources().units))
    return tuple(host for match in matches for host in _cut(*match.groups()))


def _cut(name: str, parameters: str, text: str) -> list[Host]:
    """The host, if it is small and there is just one call to rename."""
    body = _DOCUMENTATION.sub("", text)
    calls = [call for call in _CALL.finditer(body) if call[1] not in _PLAIN.split()]
    unclear = any(mark in body for mark in ("#", '""', "def ", "active "))
    if len(body) > LONGEST or unclear or len(calls) != 1:
        return []
    start, end = calls[0].span(1)
    return [Host(name, parameters, body[:start], body[end:])] if body[start - 1] == " " else []
