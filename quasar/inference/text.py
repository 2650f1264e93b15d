"""Plain English, as the baselines read it: numbers, names, and the form of an answer."""

import re
from collections.abc import Callable
from typing import NamedTuple

NUMBER = re.compile(r"[0-9]+(?:,[0-9]{3})*")
"""A number with or without thousands separators."""
NAME = re.compile(r"[A-Z][a-z]+(?: [A-Z][a-z]+)*")
"""One or more capitalised words."""

ANSWER = "ANSWER:"
"""What the line with the answer begins with."""

_MOST = re.compile(r"\b(?:largest|greatest|highest|biggest|most)\b(.*?):(.*?)\?", re.DOTALL)
_LEAST = re.compile(r"\b(?:smallest|least|lowest|fewest)\b(.*?):(.*?)\?", re.DOTALL)


class Comparison(NamedTuple):
    """A question for the largest or smallest of named things."""

    quantity: str
    names: list[str]
    choose: Callable[..., str]
    """``max`` or ``min``."""


def comparison(question: str) -> Comparison | None:
    """What a question compares, if it does: ``... the largest QUANTITY: NAME, NAME?``"""
    for pattern, choose in ((_MOST, max), (_LEAST, min)):
        if found := pattern.search(question):
            return Comparison(found[1].strip(), NAME.findall(found[2]), choose)
    return None


def asks_for_name(question: str) -> bool:
    """Whether a name is wanted, rather than a number."""
    return re.search(r"\b(?:which|who|where)\b", question, re.IGNORECASE) is not None


def first_number(text: str, question: str) -> str | None:
    """The first number that the question does not have itself, without separators."""
    known = set(NUMBER.findall(question))
    found = (number for number in NUMBER.findall(text) if number not in known)
    return next((number.replace(",", "") for number in found), None)


def first_name(text: str, question: str) -> str | None:
    """The first name that the question does not have itself."""
    known = question.lower()
    return next((name for name in NAME.findall(text) if name.lower() not in known), None)


def statement(answer: str, limit: int) -> str:
    """The answer line, or nothing where it would not fit ``limit`` bytes."""
    line = f"{ANSWER} {answer}"
    return line if len(line.encode()) <= limit else ""


def with_statement(words: str, answer: str, limit: int) -> str:
    """The words, cut to make room for the answer line after them, within ``limit`` bytes."""
    line = statement(answer, limit)
    room = max(0, limit - len(line.encode()) - 1)
    return f"{words.encode()[:room].decode('utf-8', 'ignore')}\n{line}" if line else words
