"""Invented values to be found: those of a kind all have the same number of tokens."""

from collections.abc import Callable, Sequence

from quasar.draw import Draw

UUID = (3, "ll", 3, "-", 2, "ll", "-", 2, "ll", "-", 2, "ll", "-", 3, "ll", 3, "ll", 2)
"""Shape of a UUID: digits by number, letters by pairs; any such group is one canonical token."""
_PAIRS = tuple(a + b for a in "abcdef" for b in "abcdef")


def number(draw: Draw, digits: int = 7) -> str:
    """A number of so many digits, the first of which is not 0."""
    low = int("1" + "0" * (digits - 1))
    return str(low + draw.below(9 * low))


def uuid(draw: Draw) -> str:
    """In the form 8-4-4-4-12 of hexadecimal digits, with letters and digits in fixed places."""
    return as_uuid(draw.below(UUIDS))


def as_uuid(n: int) -> str:
    """The UUID of a number from 0 to UUIDS - 1, each another one."""
    text: list[str] = []
    for group in UUID:
        if isinstance(group, int):
            n, digits = divmod(n, int("1" + "0" * group))
            text.append(f"{digits:0{group}}")
        elif group == "ll":
            n, pair = divmod(n, len(_PAIRS))
            text.append(_PAIRS[pair])
        else:
            text.append(group)
    return "".join(text)


def _count() -> int:
    n = 1
    for group in UUID:
        n *= int("1" + "0" * group) if isinstance(group, int) else 36 if group == "ll" else 1
    return n


UUIDS = _count()


def different(kind: Callable[[Draw], str], draw: Draw, n: int) -> Sequence[str]:
    """``n`` different values of a kind, in drawn order."""
    found: dict[str, None] = {}
    while len(found) < n:
        found[kind(draw)] = None
    return list(found)
